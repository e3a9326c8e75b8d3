"""One training run: from a recipe and a data set to a model folder, stoppable and resumable."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.records import counts
from lostfound.files import write_atomic
from lostfound.models.backbones import backbone_preprocessing, build_backbone
from lostfound.models.export import export_onnx
from lostfound.models.locking import Locking
from lostfound.models.network import Network
from lostfound.models.weights import WeightsReport, load_weights
from lostfound.predict.calibration import fit_temperature
from lostfound.predict.decoders import CellDecoder, HybridDecoder
from lostfound.predict.model_folder import GRAPH, WEIGHTS, ModelFolder, write_folder
from lostfound.training.batches import Batches
from lostfound.training.hooks import OnEpoch
from lostfound.training.loop import build_trainer, training
from lostfound.training.module import TrainingModule, in_order
from lostfound.training.run import HUB, Run
from lostfound.training.samples import Loader
from lostfound.training.sampling import Places
from lostfound.training.settings import Recipe
from lostfound.training.targets import Images, select, training_images
from lostfound.training.tasks import Objective, build_objective
from lostfound.training.validation import Validation


@dataclass(frozen=True)
class FitResult:
    """What a run gave.

    Attributes:
        folder: The finished model.
        weights: What was loaded, if a weights file was given.
        left_out: Images in no cell: (country, images).
        places_left_out: Places with fewer views than the recipe averages.
        locked: Layers that were locked at the start.
        best_epoch: The epoch whose weights were kept, counted from 1.
        monitor: What chose it, such as "val_accuracy".
        best_score: Its value on the validation split.
        seconds: How long this call trained.
    """

    folder: ModelFolder
    weights: WeightsReport | None
    left_out: list[tuple[str, int]]
    places_left_out: int
    locked: list[str]
    best_epoch: int
    monitor: str
    best_score: float
    seconds: float


def fit(
    recipe: Recipe,
    dataset: Dataset,
    to: str | Path,
    *,
    weights: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_epoch: Callable[[int, dict[str, float]], bool] | None = None,
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
        weights: A file or model folder for the backbone, or "hub" to fetch the library's; None starts afresh.
        resume: Go on after the last finished epoch of a run that was stopped, if there is one.
        overwrite: Replace a model or an unfinished run that is there; an old model stays until the new one
            is finished.
        on_epoch: Called after each epoch with its number, counted from 1, and the validation's numbers; the
            run ends early where it returns True.

    Raises:
        UsageError: The folder is taken, or the run to resume had other settings.
        RecipeError: The recipe does not fit the data, the backbone or this machine.
        ModelError: The weights can't be used.
        LostFoundError: An image can't be read, the loss became NaN, or the disk is full.
    """
    run = Run(Path(to), recipe, dataset, weights)
    go_on = run.check(resume=resume, overwrite=overwrite)
    start = time.monotonic()
    train, val = training_images(recipe.data, dataset)
    objective = build_objective(recipe, train)
    val_rows = _validation_rows(val, recipe.model.views)
    monitor = recipe.trainer.monitor or objective.monitor
    validation = Validation.of(objective.answers, val, val_rows[:, 0], monitor)
    lightning.seed_everything(recipe.seed, verbose=False)
    network, preprocessing, report = _build_network(recipe, objective, weights)
    locking = _locking(recipe, network)
    locked = list(locking.locked)
    module = TrainingModule(
        network, objective, validation, recipe, locking, set(report.loaded) if report else set()
    )
    batches = Batches(recipe, objective, val, val_rows, preprocessing, network, locking)
    with closing(batches), training(run.folder):
        trainer, checkpoints = build_trainer(recipe, run, monitor)
        if on_epoch is not None:
            trainer.callbacks.append(OnEpoch(on_epoch))  # type: ignore[attr-defined]
        last = run.begin(go_on=go_on)
        objective.set_up(batches.read)
        trainer.fit(module, batches.train, batches.val, ckpt_path=last, weights_only=True)
        best = torch.load(run.best, map_location="cpu", weights_only=True)
        module.load_state_dict(best["state_dict"])
        outputs = _validation_outputs(module, batches.val_once, trainer.strategy.root_device)
        temperature = _temperature(validation, outputs)
        about = {
            "dataset": dataset.name,
            "records_sha256": dataset.info["records_sha256"],
            "weights": Path(weights).name if weights else None,
            "sources": counts(objective.images.dataset.records, "source"),
            "train_images": len(objective.images),
            "train_places": len(set(objective.images.places)),
            "val_images": len(val),
            "left_out": dict(objective.left_out),
            "best_epoch": int(best["epoch"]) + 1,
            "monitor": module.monitor,
            "best_score": checkpoints.best_score,
            "validation": validation.measure(outputs),
        }
        folder = _write_model(run, network, preprocessing, objective, temperature, about)
        run.finish()
    return FitResult(
        folder,
        report,
        objective.left_out,
        batches.places_left_out,
        locked,
        about["best_epoch"],
        module.monitor,
        checkpoints.best_score,
        time.monotonic() - start,
    )


def test_part(recipe: Recipe, dataset: Dataset) -> tuple[Dataset, str]:
    """The images that a recipe's model is to be measured on, and their split: test, or val without one."""
    part = select(dataset, recipe.data)
    return part, "test" if len(part.split("test")) else "val"


def _build_network(
    recipe: Recipe, objective: Objective, weights: str | Path | None
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
    return Network(backbone, preprocessing, objective.build_head), preprocessing, report


def _locking(recipe: Recipe, network: Network) -> Locking:
    lock, (height, width) = recipe.model.lock, recipe.input.size
    return Locking(
        network.backbone,
        height=height,
        width=width,
        share=lock.share,
        names=lock.names,
        unlock=lock.unlock,
    )


def _validation_rows(val: Images, views: int) -> NDArray[np.int64]:
    """The validation samples, by their first row: each image, or each place with views enough."""
    if views == 1:
        return np.arange(len(val))[:, None]
    rows = Places.of(val.places, views).first(views)
    return rows[np.argsort(rows[:, 0])]  # as `in_order` gives the outputs back


@torch.inference_mode()
def _validation_outputs(module: TrainingModule, batches: Loader, device: torch.device) -> NDArray[np.float32]:
    """The mean outputs of the validation samples, in order."""
    module = module.eval().to(device)
    outputs, rows = [], []
    for images, numbers in batches:
        outputs.append(module.network.head(module.embed(images.to(device))).mean(dim=1).float().cpu())
        rows.append(numbers[:, 0])
    return in_order(torch.cat(outputs), torch.cat(rows))


def _temperature(validation: Validation, outputs: NDArray[np.float32]) -> float:
    """The temperature of the cells' probabilities; 1 where the answers are bare points."""
    partition = validation.answers.partition
    if partition is None:
        return 1.0
    return fit_temperature(outputs[:, : len(partition)].astype(np.float64), validation.cells)


def _write_model(
    run: Run,
    network: Network,
    preprocessing: Preprocessing,
    objective: Objective,
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
    answers = objective.answers
    if isinstance(answers, CellDecoder | HybridDecoder):
        answers = replace(answers, temperature=temperature)
    config = {
        "name": run.recipe.name,
        "task": run.recipe.task.model_dump(mode="json"),
        "views": run.recipe.model.views,
        "preprocessing": preprocessing.as_dict(),
        "recipe": run.recipe.model_dump(mode="json"),
        "training": {**about, "onnx_logit_difference": difference},
    }
    return write_folder(run.model, parts, answers, temperature, config)
