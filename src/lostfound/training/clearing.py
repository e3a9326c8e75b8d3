"""What a training writes, by name, so that clearing it away takes nothing else with it. No torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lostfound.claims import LOCK
from lostfound.files import remove_partials
from lostfound.predict.model_folder import (
    CALIBRATION,
    CARD,
    CONFIG,
    GRAPH,
    GRAPH_WEIGHTS,
    PARTITION,
    STATISTICS,
    WEIGHTS,
)

RUN = "run"
"""Below a model's folder: its training's."""
RECIPE, ENVIRONMENT, IMAGES, STATE, TRACKERS = (
    "recipe.yaml",
    "environment.json",
    "images.csv",
    "run.json",
    "trackers.json",
)
BEST, LAST = "best.ckpt", "last.ckpt"
CHECKPOINTS, PARTS = "checkpoints", "model"
LOGGERS = ("csv", "tensorboard", "mlflow", "wandb")
MODEL = (CONFIG, GRAPH, GRAPH_WEIGHTS, WEIGHTS, PARTITION, CALIBRATION, STATISTICS, CARD)


def holds_model(folder: Path) -> bool:
    """Is there a finished model of ours, and not only a file of the same name?"""
    config = _read(folder / CONFIG)
    return "format" in config and isinstance(config.get("files"), dict)


def holds_run(folder: Path) -> bool:
    """Is there a training of ours that did not finish?"""
    return {"recipe", "data"} <= _read(folder / RUN / STATE).keys()


def only_begun(folder: Path) -> bool:
    """Has a training left its first files and nothing else, killed while it began?"""
    run = folder / RUN
    names = {path.name for path in run.iterdir()} if run.is_dir() else set()
    beside = {path.name for path in folder.iterdir()} if names else set()
    return beside <= {RUN, LOCK} and RECIPE in names and names <= {RECIPE, ENVIRONMENT, IMAGES}


def remove_model(folder: Path) -> None:
    """Remove a model's own files, its training's, and the folder if nothing else is there."""
    remove_run(folder / RUN)
    remove_files(folder, MODEL)


def remove_run(run: Path) -> None:
    """Remove what a training wrote into its folder, and the folder if nothing else is there."""
    for name in LOGGERS:  # the folder is ours, what the tracker calls its files is its own
        shutil.rmtree(run / name, ignore_errors=True)
    remove_checkpoints(run / CHECKPOINTS)
    remove_files(run, (STATE, RECIPE, ENVIRONMENT, IMAGES, TRACKERS))


def remove_checkpoints(folder: Path) -> None:
    """Remove a training's checkpoints, and the model that it was putting together."""
    remove_files(folder / PARTS, MODEL)
    remove_files(folder, (BEST, LAST))


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove files of a folder by name, what was left half written, and the folder if it is empty then."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
    remove_partials(folder)
    with suppress(OSError):  # it is missing, or holds something
        folder.rmdir()


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
