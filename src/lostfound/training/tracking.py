"""Trackers: where a run's numbers go, by name."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from lostfound.errors import MissingExtraError
from lostfound.files import write_atomic
from lostfound.training.clearing import ENVIRONMENT, IMAGES, RECIPE, TRACKERS
from lostfound.training.run_folder import RunFolder
from lostfound.training.settings import Recipe


def check_trackers(recipe: Recipe) -> None:
    """Are the trackers that a recipe names installed?

    Raises:
        MissingExtraError: One is not.
    """
    for name in recipe.trainer.loggers:
        if name in ("mlflow", "wandb") and find_spec(name) is None:
            raise MissingExtraError(
                f"trainer.loggers names {name}, which is not installed: pip install 'lostfound[{name}]', or "
                "take it out"
            )


class Tracking(Callback):
    """Gives a run its trackers, and them its recipe and provenance.

    MLflow's runs go to MLFLOW_TRACKING_URI or, without one, to an SQLite file in the run's folder. W&B is
    offline unless WANDB_API_KEY or WANDB_MODE is set; `wandb sync` sends later what it wrote.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def setup(self, trainer: lightning.Trainer, *_: object, **__: object) -> None:
        """Open them in the process that trains."""
        ids = _read_ids(self.run)
        trainer.loggers = [
            _logger(name, self.run, ids.get(name)) for name in dict.fromkeys(self.run.recipe.trainer.loggers)
        ]

    def on_fit_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Keep the run's settings and provenance with each."""
        if not trainer.is_global_zero:
            return
        ids = {}
        for logger in trainer.loggers:
            logger.log_hyperparams(dict(_flat(self.run.recipe.model_dump(mode="json"))))
            files = [self.run.folder / name for name in (RECIPE, ENVIRONMENT, IMAGES)]
            if isinstance(logger, MLFlowLogger):
                ids["mlflow"] = logger.run_id
                for file in files:
                    logger.experiment.log_artifact(logger.run_id, str(file))
            elif isinstance(logger, WandbLogger):
                ids["wandb"] = logger.experiment.id
                for file in files:
                    logger.experiment.save(str(file), base_path=str(self.run.folder), policy="now")
        if ids:
            write_atomic(self.run.folder / TRACKERS, json.dumps(ids).encode())


def _logger(name: str, run: RunFolder, known: str | None) -> Logger:
    title = run.model.resolve().name
    if name == "csv":  # another file each time the run goes on: Lightning would delete the first
        return CSVLogger(run.folder, name="csv")
    if name == "tensorboard":
        return TensorBoardLogger(run.folder, name="tensorboard", version="")
    if name == "mlflow":
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # not that it made its tables
        store, artifacts = os.environ.get("MLFLOW_TRACKING_URI"), None
        if not store:
            folder = run.folder.resolve() / "mlflow"
            folder.mkdir(parents=True, exist_ok=True)
            store, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        return MLFlowLogger(
            run.recipe.name, run_name=title, tracking_uri=store, artifact_location=artifacts, run_id=known
        )
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    offline = not (os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_MODE"))
    return WandbLogger(title, save_dir=run.folder, project=run.recipe.name, offline=offline, id=known)


def _read_ids(run: RunFolder) -> dict[str, str]:
    """The trackers' own names of a run that goes on."""
    file: Path = run.folder / TRACKERS
    return dict(json.loads(file.read_bytes())) if file.is_file() else {}


def _flat(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
