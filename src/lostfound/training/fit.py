"""One training run: from a recipe and a data set to a model folder, stoppable and resumable."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import safetensors.torch
import torch

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.records import counts, write_atomic
from lostfound.models.export import export_onnx
from lostfound.models.folder import GRAPH, WEIGHTS, ModelFolder, write_folder
from lostfound.models.network import (
    Network,
    WeightsReport,
    backbone_preprocessing,
    build_backbone,
    load_weights,
)
from lostfound.training.calibration import fit_temperature, network_logits
from lostfound.training.loop import build_trainer, training
from lostfound.training.module import TrainingModule
from lostfound.training.recipe import Recipe
from lostfound.training.run import HUB, Run
from lostfound.training.samples import EpochSampler, Loader, Samples, loader
from lostfound.training.targets import Targets, build_targets


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

    Checkpoints and logs lie in the folder's `run/`. Ctrl-C raises KeyboardInterrupt after a clean stop; the
    run that goes on ends as if it had not been stopped. Same recipe, data and seed give the same weights on
    the CPU, with any number of workers. In a script, call it below `if __name__ == "__main__":`, since the
    worker processes import the script.

    Args:
        recipe: What to train.
        dataset: The images; their splits must be assigned.
        to: The model folder to write.
        weights: A safetensors file for the backbone, or "hub" to fetch timm's; None starts afresh.
        resume: Go on after the last finished epoch of a run that was stopped, if there is one.
        overwrite: Replace a model or an unfinished run that is there; an old model stays until the new one
            is finished.

    Raises:
        UsageError: The folder is taken, or the run to resume had other settings.
        RecipeError: The recipe does not fit the data, the backbone or this machine.
        ModelError: The weights can't be used.
        LostFoundError: An image can't be read, the loss became NaN, or the disk is full.
    """
    run = Run(Path(to), recipe, dataset, weights)
    go_on = run.check(resume=resume, overwrite=overwrite)
    start = time.monotonic()
    targets = build_targets(recipe, dataset)
    lightning.seed_everything(recipe.seed, verbose=False)
    network, preprocessing, report = _build_network(recipe, len(targets.partition), weights)
    module = TrainingModule(network, recipe, set(report.loaded) if report else set())
    train_batches, val_batches, val_batches_once = _loaders(recipe, targets, preprocessing)
    with training(run.folder):
        trainer, checkpoints = build_trainer(recipe, run)
        last = run.begin(go_on=go_on)
        trainer.fit(module, train_batches, val_batches, ckpt_path=last, weights_only=True)
        best = torch.load(run.best, map_location="cpu", weights_only=True)
        module.load_state_dict(best["state_dict"])
        logits = network_logits(network, val_batches_once, trainer.strategy.root_device)
        temperature = fit_temperature(logits, targets.val_cells)
        about = {
            "dataset": dataset.name,
            "records_sha256": dataset.info["records_sha256"],
            "weights": Path(weights).name if weights else None,
            "sources": counts(targets.train.records, "source"),
            "train_images": len(targets.train),
            "val_images": len(targets.val),
            "left_out": dict(targets.left_out),
            "best_epoch": int(best["epoch"]) + 1,
            "val_accuracy": checkpoints.best_score,
        }
        folder = _write_model(run, network, preprocessing, targets, temperature, about)
        run.finish()
    seconds = time.monotonic() - start
    return FitResult(folder, report, targets.left_out, about["best_epoch"], about["val_accuracy"], seconds)


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


def _loaders(recipe: Recipe, targets: Targets, preprocessing: Preprocessing) -> tuple[Loader, Loader, Loader]:
    """The training batches, in a new order each epoch; the validation batches; and those for one pass."""
    workers = recipe.trainer.workers
    if workers is None:
        workers = min(8, max(1, (os.cpu_count() or 1) // 2))
    size, seed = recipe.trainer.batch_size, recipe.seed
    train = Samples(targets.train, targets.train_cells, preprocessing, recipe.augmentation, seed)
    val = Samples(targets.val, targets.val_cells, preprocessing)
    return (
        loader(train, size, workers, sampler=EpochSampler(len(train), seed)),
        loader(val, size, min(workers, 2)),
        loader(val, size, min(workers, 2), keep_workers=False),
    )


def _write_model(
    run: Run,
    network: Network,
    preprocessing: Preprocessing,
    targets: Targets,
    temperature: float,
    about: dict[str, Any],
) -> ModelFolder:
    network = network.eval().cpu()
    parts = run.checkpoints / "model"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    difference = export_onnx(network, preprocessing, parts / GRAPH)
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_atomic(parts / WEIGHTS, safetensors.torch.save(tensors))
    config = {
        "name": run.recipe.name,
        "task": run.recipe.task.model_dump(mode="json"),
        "preprocessing": preprocessing.as_dict(),
        "recipe": run.recipe.model_dump(mode="json"),
        "training": {**about, "onnx_logit_difference": difference},
    }
    return write_folder(run.model, parts, targets.partition, temperature, config)
