"""One training run: from a recipe and a data set to a model folder, stoppable and resumable."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
import yaml
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.records import coordinates, counts, strings, write_atomic
from lostfound.errors import RecipeError, UsageError
from lostfound.geo.partitions import OUTSIDE, Partition, build_partition
from lostfound.models.export import export_onnx
from lostfound.models.folder import CONFIG, GRAPH, WEIGHTS, ModelFolder, write_folder
from lostfound.models.network import (
    Network,
    WeightsReport,
    backbone_preprocessing,
    build_backbone,
    load_weights,
)
from lostfound.training.module import MONITOR, TrainingModule
from lostfound.training.recipe import Recipe
from lostfound.training.samples import EpochSampler, Samples, loader

HUB = "hub"


@dataclass(frozen=True)
class FitResult:
    """What a run gave.

    Attributes:
        folder: The finished model.
        weights: What was loaded, if a weights file was given.
        left_out: Cells of the data without enough training images: (id, images).
        best_epoch: The epoch whose weights were kept, counted from 1.
        val_accuracy: Its accuracy on the validation split, which chose it.
        seconds: How long this call trained.
    """

    folder: ModelFolder
    weights: WeightsReport | None
    left_out: list[tuple[str, int]]
    best_epoch: int
    val_accuracy: float
    seconds: float


def fit(
    recipe: Recipe,
    dataset: Dataset,
    to: str | Path,
    *,
    weights: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> FitResult:
    """Train a recipe on a data set's training split and write the model folder.

    Checkpoints and logs lie in the folder's `run/`. Ctrl-C raises KeyboardInterrupt after a clean stop.

    Args:
        recipe: What to train.
        dataset: The images; their splits must be assigned.
        to: The model folder to write.
        weights: A safetensors file for the backbone, or "hub" to fetch timm's; None starts afresh.
        resume: Go on after the last finished epoch of a run that was stopped.
        overwrite: Replace a model or an unfinished run that is there.

    Raises:
        UsageError: The folder is taken, or the run to resume had other settings.
        RecipeError: The recipe does not fit the data or the backbone.
        ModelError: The weights can't be used.
    """
    to = Path(to)
    run = to / "run"
    settings = _settings(recipe, dataset, weights)
    resume_from = _prepare_folder(to, run, settings, resume=resume, overwrite=overwrite)
    lightning.seed_everything(recipe.seed, verbose=False)
    train, val = dataset.split("train"), dataset.split("val")
    if not len(train) or not len(val):
        raise RecipeError(
            f"{dataset.folder} has {len(train)} training and {len(val)} validation images: training needs "
            "both; import more places, or change the shares with `lostfound prepare --resplit`"
        )
    partition = _build_partition(recipe, train)
    train, train_cells, left_out = _with_cells(partition, train)
    val_cells = _cells(partition, val)
    if len(partition) < 2:
        raise RecipeError(
            f"only one cell ({partition.names[0]}) has {recipe.task.min_images} training images: "
            "there is nothing to tell apart; lower task.min_images or import more"
        )
    network, preprocessing, report = _build_network(recipe, len(partition), weights)
    module = TrainingModule(network, recipe, set(report.loaded) if report else set())
    checkpoints = ModelCheckpoint(
        dirpath=run / "checkpoints", filename="best", monitor=MONITOR, mode="max", save_last=True,
        enable_version_counter=False,
    )  # fmt: skip
    workers = recipe.trainer.workers
    if workers is None:
        workers = min(8, max(1, (os.cpu_count() or 1) // 2))
    sampler = EpochSampler(len(train), recipe.seed)
    samples = Samples(train, train_cells, preprocessing, recipe.augmentation, recipe.seed)
    train_loader = loader(samples, recipe.trainer.batch_size, workers, sampler=sampler)
    val_loader = loader(
        Samples(val, val_cells, preprocessing), recipe.trainer.batch_size, min(workers, 2), sampler=None
    )
    start = time.monotonic()
    with _quiet():
        trainer = _trainer(recipe, run, checkpoints)
        try:
            trainer.fit(module, train_loader, val_loader, ckpt_path=resume_from, weights_only=True)
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
        if trainer.interrupted:
            raise KeyboardInterrupt
    best = torch.load(checkpoints.best_model_path, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    network = module.network.eval().cpu()
    temperature = fit_temperature(_logits(network, val_loader), val_cells)
    parts = run / "model"
    parts.mkdir(exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, parts / WEIGHTS)
    difference = export_onnx(network, preprocessing, parts / GRAPH)
    training = {
        "dataset": dataset.name,
        "records_sha256": dataset.info["records_sha256"],
        "weights": str(Path(weights).name) if weights else None,
        "sources": counts(train.records, "source"),
        "train_images": len(train),
        "val_images": len(val),
        "left_out": dict(left_out),
        "best_epoch": int(best["epoch"]) + 1,
        "val_accuracy": float(checkpoints.best_model_score or 0.0),
        "onnx_logit_difference": difference,
    }
    config = {
        "name": recipe.name,
        "task": recipe.task.model_dump(mode="json"),
        "preprocessing": preprocessing.as_dict(),
        "recipe": recipe.model_dump(mode="json"),
        "training": training,
    }
    folder = write_folder(to, parts, partition, temperature, config)
    shutil.rmtree(run / "checkpoints")
    shutil.rmtree(parts)
    return FitResult(
        folder,
        report,
        left_out,
        training["best_epoch"],
        training["val_accuracy"],
        time.monotonic() - start,
    )


def fit_temperature(logits: NDArray[np.float64], cells: NDArray[np.int64]) -> float:
    """The temperature that makes probabilities mean what they say (Guo et al. 2017).

    Args:
        logits: (n, classes), of images that were not trained on.
        cells: Their true cells, (n,); those outside every cell are left out.

    Returns:
        The temperature in [0.05, 20] with the least negative log-likelihood; 1 without any image.
    """
    known = cells != OUTSIDE
    logits, cells = logits[known], cells[known]
    if not len(cells):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(cells)), cells]))

    bounds = (np.log(0.05), np.log(20.0))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def _settings(recipe: Recipe, dataset: Dataset, weights: str | Path | None) -> dict[str, Any]:
    """What must be the same for a run to be gone on with."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": {"dataset": dataset.name, "records_sha256": dataset.info["records_sha256"]},
        "weights": str(weights) if weights else None,
    }


def _prepare_folder(
    to: Path, run: Path, settings: dict[str, Any], *, resume: bool, overwrite: bool
) -> Path | None:
    """Make way for a run.

    Returns:
        The checkpoint to go on from, if any.
    """
    if (to / CONFIG).is_file() and not overwrite:
        raise UsageError(f"{to} holds a finished model: choose another folder, or --overwrite it")
    if to.exists() and not run.exists() and any(to.iterdir()) and not (to / CONFIG).is_file():
        raise UsageError(f"{to} exists and is not a model folder: choose another folder")
    state, last = run / "run.json", run / "checkpoints" / "last.ckpt"
    if resume and state.is_file() and not overwrite:
        before = json.loads(state.read_text())
        changed = [key for key in settings if before.get(key) != settings[key]]
        if changed:
            raise UsageError(
                f"the run in {run} had another {' and '.join(changed)}: resume it with the same command, "
                "or start again with --overwrite"
            )
        return last if last.is_file() else None
    if run.exists() and not overwrite:
        raise UsageError(f"{run} holds a run that did not finish: go on with --resume, or --overwrite it")
    if run.exists():
        shutil.rmtree(run)
    run.mkdir(parents=True)
    write_atomic(state, json.dumps(settings, indent=2).encode())
    write_atomic(run / "recipe.yaml", yaml.safe_dump(settings["recipe"], sort_keys=False).encode())
    return None


def _build_partition(recipe: Recipe, train: Dataset) -> Partition:
    points, countries = coordinates(train.records), strings(train.records, "country")
    partition = build_partition(recipe.task.partition, points, countries, min_images=recipe.task.min_images)
    thin = [name for name, count in zip(partition.names, partition.counts, strict=True) if count < 2]
    if thin:
        raise RecipeError(
            f"{len(thin)} cell(s) have a single training image ({', '.join(thin[:10])}): nothing can be "
            "learnt from one; set task.min_images=2 or more to leave them out, or import more of them"
        )
    return partition


def _cells(partition: Partition, dataset: Dataset) -> NDArray[np.int64]:
    return partition.assign(coordinates(dataset.records), strings(dataset.records, "country"))


def _with_cells(
    partition: Partition, train: Dataset
) -> tuple[Dataset, NDArray[np.int64], list[tuple[str, int]]]:
    """The training images that lie in a cell, their cells, and the countries that have none."""
    cells = _cells(partition, train)
    outside = strings(train.records, "country")[cells == OUTSIDE]
    names, counts = np.unique(outside.astype(str), return_counts=True)
    left_out = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda pair: -pair[1])
    kept = cells != OUTSIDE
    return train.with_records(train.records.filter(kept)), cells[kept], left_out


def _build_network(
    recipe: Recipe, classes: int, weights: str | Path | None
) -> tuple[Network, Preprocessing, WeightsReport | None]:
    from_hub = weights == HUB
    backbone = build_backbone(recipe.model.backbone, recipe.model.options, pretrained=from_hub)
    report = None
    if from_hub:
        report = WeightsReport(sorted(backbone.state_dict()), [], [])
    elif weights is not None:
        report = load_weights(backbone, Path(weights))
    mean, std = backbone_preprocessing(backbone)
    settings = recipe.input
    preprocessing = Preprocessing(
        *settings.size,
        settings.crop_fraction,
        settings.interpolation,
        settings.mean or mean,  # type: ignore[arg-type]
        settings.std or std,  # type: ignore[arg-type]
    )
    return Network(backbone, classes, preprocessing, recipe.model.dropout), preprocessing, report


@torch.inference_mode()
def _logits(network: Network, batches: Any) -> NDArray[np.float64]:
    return np.concatenate([network(images)[0].double().numpy() for images, _ in batches])


def _trainer(recipe: Recipe, run: Path, checkpoints: ModelCheckpoint) -> lightning.Trainer:
    on_terminal = os.isatty(2)
    callbacks: list[Callback] = [checkpoints, EpochLines()]
    if on_terminal:
        callbacks.append(RichProgressBar(leave=False))
    return lightning.Trainer(
        accelerator=recipe.trainer.device,
        devices=1,
        precision=recipe.trainer.precision,
        max_epochs=recipe.trainer.epochs,
        callbacks=callbacks,
        logger=[
            CSVLogger(run, name="csv", version=""),
            TensorBoardLogger(run, name="tensorboard", version=""),
        ],
        enable_progress_bar=on_terminal,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )


class EpochLines(Callback):
    """A line an epoch on standard error."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the clock."""
        self.start = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Say how the epoch went."""
        metrics = trainer.callback_metrics
        said = {name: float(metrics[name]) for name in ("train_loss", "val_loss", MONITOR) if name in metrics}
        numbers = "  ".join(f"{name} {value:.3f}" for name, value in said.items())
        seconds = time.monotonic() - self.start
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        print(f"{epoch}  {numbers}  {seconds:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's hints about workers, devices and intervals: the recipe decides those."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
