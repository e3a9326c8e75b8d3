"""The folder of a training run: whether it is free, and what a stopped run needs to go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lostfound.claims import LOCK, holding, refuse_other_settings
from lostfound.data.dataset import Dataset
from lostfound.errors import ModelError, UsageError
from lostfound.evaluation.metrics import metric_name
from lostfound.files import write_atomic
from lostfound.training.clearing import (
    BEST,
    CHECKPOINTS,
    LAST,
    RECIPE,
    RUN,
    STATE,
    holds_model,
    holds_run,
    only_begun,
    remove_checkpoints,
    remove_run,
)
from lostfound.training.provenance import write_provenance
from lostfound.training.settings import Recipe

HUB = "hub"


@contextmanager
def training_alone(model: Path) -> Iterator[None]:
    """Hold a model's folder while it is trained; may be nested within one thread.

    Of several machines that train together on a folder which they share, the first one holds it.

    Raises:
        ModelError: Another process trains there.
        UsageError: It is a file.
    """
    if model.exists() and not model.is_dir():
        raise UsageError(f"{model} is a file: choose another folder")
    if not _is_first():
        yield
        return
    busy = ModelError(
        f"{model} is being trained by another process: wait until it has ended, or stop it, or choose "
        "another folder; nothing of it was touched"
    )
    with holding(model, busy):
        yield


def _is_first() -> bool:
    """Is this, of several machines that train together, the first one, which writes?"""
    return os.environ.get("NODE_RANK", "0") == "0"


class RunFolder:
    """A run in the `run/` folder of the model to be.

    While it lasts, `run.json` holds its settings and `checkpoints/` its state; what stays are the recipe, the
    provenance and the logs.

    Attributes:
        model: The model folder to be.
        folder: Its `run/`.
        checkpoints: The folder of its checkpoints.
        recipe: What is trained.
        dataset: The images it is trained on.
        weights: A file or model folder that the backbone begins with, "hub", or None.
        settings: What must stay the same for the run to go on.
    """

    def __init__(self, model: Path, recipe: Recipe, dataset: Dataset, weights: str | Path | None) -> None:
        self.model = model
        self.folder = model / RUN
        self.checkpoints = self.folder / CHECKPOINTS
        self.state = self.folder / STATE
        self.recipe = recipe
        self.dataset = dataset
        self.weights = weights
        self.writes = _is_first()
        weights_path = weights if weights in (None, HUB) else str(Path(str(weights)).resolve())
        # Neither the device nor the number of processes changes what is computed, nor what is said of it.
        unsaid = {"trainer": {"workers", "device"}, "model": {"pretrained"}}
        same = recipe.model_dump(mode="json", exclude=unsaid)
        self.settings: dict[str, Any] = {
            "recipe": same,
            "data": {"dataset": dataset.name, "records_sha256": dataset.info["records_sha256"]},
            "weights": weights_path,
        }

    @property
    def best(self) -> Path:
        """The checkpoint of the best epoch."""
        return self.checkpoints / BEST

    @property
    def last(self) -> Path:
        """The checkpoint of the last epoch."""
        return self.checkpoints / LAST

    def check(self, *, resume: bool, overwrite: bool) -> bool:
        """Is the folder free for this run? Touches nothing.

        Returns:
            Whether there is a stopped run to go on with.

        Raises:
            UsageError: The folder is taken, or the stopped run had other settings.
        """
        if resume and overwrite:
            raise UsageError("go on with the run (--resume) or start again (--overwrite), not both")
        if not self.writes:
            return resume and self.state.is_file()
        finished, stopped = holds_model(self.model), holds_run(self.model)
        if not finished and not stopped:
            if only_begun(self.model):
                return False
            if self.model.exists() and any(each.name != LOCK for each in self.model.iterdir()):
                raise UsageError(f"{self.model} exists and is not a model folder: choose another folder")
            return False
        if overwrite:
            return False
        if not stopped:
            raise UsageError(f"{self.model} holds a finished model: choose another folder, or --overwrite it")
        if not resume:
            raise UsageError(
                f"{self.folder} holds a run that did not finish: go on with --resume, or --overwrite it"
            )
        before = json.loads(self.state.read_bytes())
        trainer = before["recipe"]["trainer"]  # 0.1 had other names for some metrics
        trainer["monitor"] = trainer["monitor"] and metric_name(trainer["monitor"])
        refuse_other_settings(
            before,
            self.settings,
            f"the run in {self.folder}",
            "resume it with the same ones, or start again with --overwrite",
        )
        return True

    def begin(self, *, go_on: bool) -> Path | None:
        """Make the folder ready.

        Returns:
            The checkpoint to go on from; None if no epoch was finished.
        """
        if not go_on and self.writes:
            remove_run(self.folder)
            text = yaml.safe_dump(self.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
            write_atomic(self.folder / RECIPE, text.encode())
            write_provenance(self.folder, self.dataset, self.settings["weights"], self.recipe.seed)
            write_atomic(self.state, json.dumps(self.settings, indent=2).encode())
        return self.last if go_on and self.last.is_file() else None

    def finish(self) -> None:
        """Leave only the recipe, the provenance and the logs."""
        self.state.unlink()
        remove_checkpoints(self.checkpoints)
