"""The trainings of a study: what each is made of, and which are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, UsageError
from lostfound.files import write_atomic
from lostfound.predict.model_folder import CONFIG
from lostfound.predict.model_source import local_weights
from lostfound.studies.holding_out import Fold, deal_folds
from lostfound.studies.study import Study, in_order
from lostfound.training.clearing import remove_files, remove_model
from lostfound.training.images import select_images
from lostfound.training.settings import Recipe

HUB = "hub"
State = Literal["done", "trained", "stopped", "new", "changed"]
Key = tuple[str, int, int | None]
"""An entry, a seed, and the number of the fold that is held out."""


@dataclass(frozen=True)
class StudyRun:
    """One entry with one seed, and one fold where collections are held out.

    Attributes:
        entry: Its name.
        seed: Of the training.
        fold: What is held out, and judged on.
        folder: For the model, the report, and what they were made with.
        recipe: What is trained.
        everything: The data it is trained on, with what is held out.
        weights: A weights file, or "hub", or None.
        needs: The run whose model is the start, or is judged once more.
        trains: False if it judges the model of `needs` in another way.
        judged_on: The data it is judged on.
        split: Of that data.
        unit: Image or place; None: as it was trained.
        settings: What the model depends on, as plain values.
    """

    entry: str
    seed: int
    fold: Fold | None
    folder: Path
    recipe: Recipe
    everything: Dataset
    weights: str | Path | None
    needs: StudyRun | None
    trains: bool
    judged_on: Dataset
    split: str
    unit: Literal["image", "place"] | None
    settings: dict[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        """What it is called."""
        return f"{self.entry}, seed {self.seed}" + (f", {self.fold.label}" if self.fold else "")

    @property
    def key(self) -> Key:
        """What tells it from the study's other runs."""
        return self.entry, self.seed, self.fold.number if self.fold else None

    @property
    def data(self) -> Dataset:
        """What it is trained on."""
        return self.fold.others(self.everything) if self.fold else self.everything

    @property
    def model(self) -> Path:
        """The model folder."""
        if self.needs is not None and not self.trains:
            return self.needs.model
        return self.folder / "model"

    @property
    def report(self) -> Path:
        """The folder of its evaluation."""
        return self.folder / "report"

    @property
    def start(self) -> str | Path | None:
        """The weights to start from."""
        if self.needs is not None and self.trains:
            return self.needs.model
        return self.weights

    @property
    def scored(self) -> str:
        """What the evaluation scored, image or place."""
        return str(json.loads((self.report / "metrics.json").read_bytes())["unit"])

    @property
    def _judged(self) -> dict[str, Any]:
        judged_on = {"records_sha256": self.judged_on.info["records_sha256"]}  # what is held out: in settings
        return {"model": self.settings, "data": judged_on, "split": self.split, "unit": self.unit}

    def state(self) -> State:
        """How far it is."""
        if self.trains:
            if not self._training.is_file() or not self.model.is_dir():
                return "new"
            if _with_defaults(json.loads(self._training.read_bytes())) != self.settings:
                return "changed"
            if not (self.model / CONFIG).is_file():
                return "stopped"
        elif self.needs is None or self.needs.state() not in ("done", "trained"):
            return "new"
        if not self._evaluation.is_file():
            return "trained"
        judged = json.loads(self._evaluation.read_bytes())
        judged["model"] = _with_defaults(judged["model"])
        return "done" if judged == self._judged else "trained"

    def prepare(self) -> None:
        """Make the folder ready for training; what was trained with other settings is deleted."""
        from lostfound.evaluation.evaluate import CONFUSION, NUMBERS, PREDICTIONS  # here, since it draws

        state = self.state()
        if state in ("new", "changed"):
            self._training.unlink(missing_ok=True)  # first: half-deleted models must not pass for this one's
            self._evaluation.unlink(missing_ok=True)
            remove_model(self.folder / "model")
            remove_files(self.report, (NUMBERS, PREDICTIONS, CONFUSION))
            _write_json(self._training, self.settings)

    def finish(self) -> None:
        """Note that its evaluation is written."""
        _write_json(self._evaluation, self._judged)

    @property
    def _training(self) -> Path:
        return self.folder / "trained-with.json"

    @property
    def _evaluation(self) -> Path:
        return self.folder / "judged-with.json"


def plan(study: Study, to: Path, *, data: Path | None = None, weights: str | None = None) -> list[StudyRun]:
    """The runs of a study, each after the one it needs; all entries with one seed before the next seed.

    Args:
        study: What to train.
        to: Folder of the study's results.
        data: The data set of entries and studies that name none.
        weights: The weights of entries that don't say what they start from.

    Raises:
        UsageError: An entry has no data set, or a weights file is missing.
        RecipeError: A recipe is wrong.
        DatasetError: A data set is missing, or lacks the split to be judged on.
    """
    file = study.file

    @cache
    def opened(folder: Path) -> Dataset:
        return Dataset.open(folder)

    def dataset(name: str | None, entry: str) -> Dataset:
        named = name or file.data
        if named is not None:
            return opened(study.folder / named)
        if data is None:
            raise UsageError(f"{file.name}: {entry} names no data set: give one with --data")
        return opened(data)

    @cache
    def folds(folder: Path) -> Sequence[Fold | None]:
        return deal_folds(opened(folder), file.folds) if file.hold_out else [None]

    runs: dict[Key, StudyRun] = {}
    for seed in file.seeds:
        for name in in_order(file.variants):
            entry = file.variants[name]
            trained_on = dataset(
                (file.variants[entry.same_model_as] if entry.same_model_as else entry).data, name
            )
            for fold in folds(trained_on.folder):
                needs = runs.get((entry.needs or "", seed, fold.number if fold else None))
                run = _run(study, name, seed, fold, to, needs, dataset, weights)
                runs[run.key] = run
    return list(runs.values())


def _run(
    study: Study,
    name: str,
    seed: int,
    fold: Fold | None,
    to: Path,
    needs: StudyRun | None,
    dataset: Callable[[str | None, str], Dataset],
    weights: str | None,
) -> StudyRun:
    """One entry with one seed, and without one fold."""
    entry = study.file.variants[name]
    trains = entry.same_model_as is None
    if needs is not None and not trains:
        recipe, everything = needs.recipe, needs.everything
    else:
        recipe, everything = study.recipe(name, seed), dataset(entry.data, name)
    start: str | Path | None = None
    if trains and needs is None:
        start = _weights(entry.weights, study.folder, weights, "weights" in entry.model_fields_set)
    settings: dict[str, Any] = {
        "recipe": _plain(recipe),
        "data": {"dataset": everything.name, "records_sha256": everything.info["records_sha256"]},
        "weights": identity(start),
        "start_from": needs.settings if needs is not None else None,
    }
    if fold:
        settings["held_out"] = fold.sources
    folder = to / name / f"seed-{seed}"
    return StudyRun(
        name,
        seed,
        fold,
        folder / f"fold-{fold.number}" if fold else folder,
        recipe,
        everything,
        start,
        needs,
        trains,
        _judged_on(study, name, recipe, everything, fold, dataset),
        "all" if fold else entry.evaluate_on.split,
        entry.evaluate_on.unit,
        json.loads(json.dumps(settings)),
    )


def _judged_on(
    study: Study,
    name: str,
    recipe: Recipe,
    trained_on: Dataset,
    fold: Fold | None,
    dataset: Callable[[str | None, str], Dataset],
) -> Dataset:
    """The data that an entry is judged on.

    Raises:
        DatasetError: It lacks the split.
    """
    wanted = study.file.variants[name].evaluate_on
    if fold:
        return select_images(fold.held_out(trained_on), recipe.data)
    judged_on = trained_on if wanted.data is None else dataset(wanted.data, name)
    judged_on = select_images(judged_on, recipe.data)
    if wanted.split != "all" and not len(judged_on.split(wanted.split)):
        raise DatasetError(
            f"{study.file.name}: {name} is judged on the split {wanted.split!r}, of which {judged_on.folder} "
            "has no images: choose another with evaluate_on, or give it a share with "
            "`lostfound prepare --resplit`"
        )
    return judged_on


def _weights(named: str | None, folder: Path, default: str | None, says: bool) -> str | Path | None:
    """The weights an entry starts from: its own, relative to the study's file, or the command's."""
    chosen = named if says else default
    if chosen is None or chosen == HUB:
        return chosen
    fetched = local_weights(chosen)
    if fetched != chosen:  # it was an address
        return Path(str(fetched))
    return folder / chosen if says else Path(chosen)


def identity(weights: str | Path | None) -> str | dict[str, str] | None:
    """What tells weights apart, wherever their file is: hashes, or "hub", or None.

    Raises:
        UsageError: The file is missing.
    """
    if not isinstance(weights, Path):
        return weights
    if not weights.exists():
        raise UsageError(f"the weights {weights} do not exist")
    files = sorted(each for each in weights.rglob("*") if each.is_file()) if weights.is_dir() else [weights]
    return {file.name: _sha256(file) for file in files}


@cache
def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _plain(recipe: Recipe) -> dict[str, Any]:
    """The settings that a model depends on."""
    return recipe.model_dump(mode="json", exclude={"trainer": {"workers", "device"}})


def _with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """What a model was made with, with the settings that recipes have got since at their defaults."""
    try:
        recipe = _plain(Recipe.model_validate(settings["recipe"]))
    except ValueError:  # of a setting that recipes no longer have
        return settings
    start = settings["start_from"]
    return {**settings, "recipe": recipe, "start_from": start and _with_defaults(start)}


def _write_json(path: Path, values: dict[str, Any]) -> None:
    write_atomic(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())
