"""The search for a recipe's best settings, by its score on the validation split alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, DiskFullError, LostFoundError, ModelError, UsageError
from lostfound.evaluation.metrics import METRICS, metric_name
from lostfound.progress import note
from lostfound.studies import queue
from lostfound.studies.memory import free_memory
from lostfound.studies.runs import HUB, identity
from lostfound.studies.space import Space, said
from lostfound.training.clearing import holds_run, remove_model
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import MONITORS, Monitor, Recipe

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.samplers import BaseSampler

# What each task is judged by where its recipe does not say.
_MONITORS: dict[str, Monitor] = {
    "classify": "top_1_accuracy",
    "hybrid": "median_distance_km",
    "coordinates": "median_distance_km",
    "distance": "top_1_accuracy",
}
VALUE, EPOCH, SECONDS = "value", "best_epoch", "seconds"
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes:
        recipe: Name of a recipe, or a YAML file.
        variant: One of its variants, if any.
        changes: Settings that all trials share, by dotted keys.
        space: Those that are tried.
        data: The training and the validation split are used, the test never.
        weights: What each training starts from.
        to: Folder for logs, table and pictures.
        metric: The score on the validation split, such as "top_1_accuracy".
        trials: How many trainings; None for the grid's own number.
        sampler: grid tries every combination, tpe (tree-structured Parzen estimator) what looks promising.
        prune: End trials early that are worse than the median of the others at the same epoch.
    """

    recipe: str
    variant: str | None
    changes: Mapping[str, Any]
    space: Space
    data: Dataset
    weights: str | None
    to: Path
    metric: str
    trials: int | None
    sampler: Literal["grid", "tpe"]
    prune: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "metric", metric_name(self.metric))

    @property
    def maximise(self) -> bool:
        """Is more of the metric better?"""
        return METRICS[self.metric].higher_is_better

    def load(self, settings: Mapping[str, Any]) -> Recipe:
        """The recipe with some settings of the space.

        Raises:
            RecipeError: They are wrong.
        """
        changes = {**self.changes, **settings, "trainer.monitor": self.metric}
        return load_recipe(self.recipe, changes, variant=self.variant)

    def slots(self) -> list[dict[str, Any]]:
        """What is fixed of each trial's settings.

        Raises:
            UsageError: A grid's number of trials was given, or a range stands in a grid.
        """
        if self.sampler == "tpe":
            return [{} for _ in range(self.trials or 30)]
        grid = self.space.grid()
        if self.trials is not None and self.trials != len(grid):
            raise UsageError(
                f"this grid has {len(grid)} trials, --trials can't change that: leave it out, or search with "
                "--sampler tpe"
            )
        return grid

    def same(self) -> dict[str, Any]:
        """What must be the same for a search to go on, as plain values."""
        recipe = self.load(self.space.corners()[0])
        # The numbers of workers and processes don't change what is computed
        fixed = recipe.model_dump(mode="json", exclude={"trainer": {"workers", "device"}})
        for key in self.space.as_dict():
            *parents, last = key.split(".")
            section = fixed
            for parent in parents:
                section = section.get(parent) or {}
            section.pop(last, None)
        settings = {
            "recipe": fixed,
            "space": self.space.as_dict(),
            "data": self.data.info["records_sha256"],
            "weights": identity(self.weights if self.weights in (None, HUB) else Path(str(self.weights))),
            "metric": self.metric,
            "sampler": self.sampler,
        }
        same: dict[str, Any] = json.loads(json.dumps(settings))
        return same


def default_metric(recipe: Recipe) -> str:
    """The metric that a recipe's best epoch is chosen by."""
    return recipe.trainer.monitor or _MONITORS[recipe.task.kind]


def check_metric(name: str) -> str:
    """The metric of a name, also of one that it had before version 0.2.

    Raises:
        UsageError: No validation gives it.
    """
    if metric_name(name) not in MONITORS:
        raise UsageError(f"no metric {name!r}: choose one of {', '.join(MONITORS)}")
    return metric_name(name)


def _present(settings: dict[str, Any]) -> dict[str, Any]:
    """A search's settings with the names that metrics have now."""
    recipe = settings["recipe"]
    trainer = {**recipe["trainer"], "monitor": metric_name(recipe["trainer"]["monitor"])}
    return {**settings, "metric": metric_name(settings["metric"]), "recipe": {**recipe, "trainer": trainer}}


def run_search(
    search: Search,
    storage: str,
    name: str,
    *,
    retry_failed: bool = False,
    after_each: Callable[[Study], object] = lambda _: None,
) -> Study:
    """Run the trials that nobody has run, until all are done.

    Several processes, on several machines, may work on one search at the same time: each takes the next trial
    of the queue in the database. What a process leaves unfinished is run again, from its last epoch where its
    folder is there.

    Args:
        search: What is searched.
        storage: The database's URL.
        name: Of the search in it.
        retry_failed: Run trials again that failed.
        after_each: Called when a trial of this process has ended.

    Raises:
        UsageError: A setting of the space is wrong, the database can't be used, or it has a search of this
            name with other settings.
        DatasetError, ModelError, DiskFullError: What would fail any trial; the same call goes on with it.
    """
    import optuna

    slots = search.slots()
    optuna.logging.set_verbosity(optuna.logging.ERROR + 1)  # a failed trial is told in our own words
    for settings in search.space.corners():
        search.load(settings)
    search.to.mkdir(parents=True, exist_ok=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4) if search.prune else optuna.pruners.NopPruner()
    study, ours = queue.open_study(
        queue.open_storage(storage),
        name,
        maximise=search.maximise,
        settings=search.same(),
        pruner=pruner,
        present=_present,
    )
    # Processes with the same seed would draw the same settings: only the first is repeatable.
    study.sampler = _sampler(search.load(search.space.corners()[0]).seed if ours else None)
    queue.fill(study, slots, retry_failed=retry_failed)
    told = False
    while True:
        if queue.waiting(study):
            study.optimize(
                lambda trial: _run(search, trial, len(slots)), n_trials=1, catch=(_FailedError, _SurplusError)
            )
            free_memory()
            after_each(study)
        elif queue.running(study):
            if not told:
                note("Waiting for trials that other processes run; Ctrl-C leaves them at it")
                told = True
            time.sleep(_PATIENCE_S)
        else:
            break
        queue.fill(study, slots)
    return study


class _SurplusError(Exception):
    """Another trial has the same slot."""


class _FailedError(Exception):
    """A trial's settings can't be trained; others may."""


def _sampler(seed: int | None) -> BaseSampler:
    import warnings

    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TPESampler(seed=seed, constant_liar=True)


def _run(search: Search, trial: Trial, count: int) -> float:
    """One trial: a training and its best validation score."""
    from optuna import TrialPruned

    slot = queue.take(trial)
    if slot is None:
        raise _SurplusError
    try:
        settings = search.space.suggest(trial)
        tried = ", ".join(f"{key.rpartition('.')[2]} {said(value)}" for key, value in settings.items())
        note(f"[{slot + 1}/{count}] {tried}")
        value, pruned = _train(search, trial, settings, search.to / "trials" / f"{slot:04d}")
    except (DatasetError, ModelError, DiskFullError):  # whatever the settings: the next would fail as well
        raise
    except Exception as error:
        known = isinstance(error, LostFoundError)
        message = str(error) if known else f"{type(error).__name__}: {error}"
        trial.set_user_attr(queue.ERROR, message)
        note(f"It failed: {message}")
        raise _FailedError from error
    if pruned:
        raise TrialPruned
    return value


def _train(search: Search, trial: Trial, settings: Mapping[str, Any], folder: Path) -> tuple[float, bool]:
    """Train, report each epoch, and leave the logs; says the score, and whether it was given up."""
    from lostfound.training.fit import fit_best_epoch  # torch takes seconds
    from lostfound.training.run_folder import training_alone
    from lostfound.training.train import or_begin_again

    pruned = False

    def on_epoch(epoch: int, metrics: dict[str, float]) -> bool:
        nonlocal pruned
        trial.report(metrics[f"val_{search.metric}"], epoch)
        pruned = trial.should_prune()
        return pruned

    with training_alone(folder):
        if not holds_run(folder):  # what is there had ended, and nobody was told
            remove_model(folder)
        result = or_begin_again(
            fit_best_epoch,
            search.load(settings),
            search.data,
            folder,
            weights=search.weights,
            on_epoch=on_epoch,
        )
    trial.set_user_attr(VALUE, result.best_score)
    trial.set_user_attr(EPOCH, result.best_epoch)
    trial.set_user_attr(SECONDS, round(result.seconds, 1))
    return result.best_score, pruned
