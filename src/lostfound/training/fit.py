"""One training run: from a recipe and a data set to a model folder, stoppable and resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import count_sources
from lostfound.files import write_atomic
from lostfound.models.export import write_model
from lostfound.models.weights import WeightsReport
from lostfound.predict.calibration import fit_temperature
from lostfound.predict.decoders import CellDecoder, HybridDecoder, OutputDecoder
from lostfound.predict.gallery import GalleryDecoder
from lostfound.predict.locator import MOST_NUMBERS
from lostfound.predict.model_folder import ModelFolder
from lostfound.progress import note
from lostfound.training.build import Training, build_training
from lostfound.training.clearing import PARTS
from lostfound.training.error_messages import training_errors
from lostfound.training.images import select_images
from lostfound.training.lightning_module import TrainingModule, in_order
from lostfound.training.loading import Loader
from lostfound.training.run_folder import RunFolder, training_alone
from lostfound.training.settings import Recipe
from lostfound.training.trainer import build_trainer
from lostfound.training.validation import Validation


@dataclass(frozen=True, kw_only=True)
class BestEpoch:
    """How a training went, and how well it did on the validation split.

    Attributes:
        weights: What was loaded, if a weights file was given.
        left_out: Images in no cell: (country, images).
        places_left_out: Places with fewer views than the recipe averages.
        locked: Layers that were locked at the start.
        best_epoch: The epoch whose weights were kept, counted from 1.
        monitor: What chose it, such as "val_top_1_accuracy".
        best_score: Its value on the validation split.
        seconds: How long this call trained.
    """

    weights: WeightsReport | None
    left_out: list[tuple[str, int]]
    places_left_out: int
    locked: list[str]
    best_epoch: int
    monitor: str
    best_score: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class FitResult(BestEpoch):
    """What a run gave.

    Attributes:
        folder: The finished model.
    """

    folder: ModelFolder


OnEpoch = Callable[[int, dict[str, float]], bool]


def fit(
    recipe: Recipe,
    dataset: Dataset,
    to: str | Path,
    *,
    weights: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_epoch: OnEpoch | None = None,
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
        ModelError: The weights can't be used, or another process trains in the folder.
        LostFoundError: An image can't be read, the loss became NaN, or the disk is full.
    """
    run = RunFolder(Path(to), recipe, dataset, weights)
    with _trained(run, resume=resume, overwrite=overwrite, on_epoch=on_epoch) as (training, best, device):
        note("Measuring the best epoch, and writing the model's graph")
        module, batches = training.module, training.batches
        outputs = _validation_outputs(module, batches.val_once, device)
        temperature = _temperature(module.validation, outputs)
        decoder = _calibrated(module.objective.decoder, temperature)
        about = {
            **_described(run, training),
            "best_epoch": best.best_epoch,
            "monitor": best.monitor,
            "best_score": best.best_score,
            "validation": replace(module.validation, decoder=decoder).measure(outputs),
        }
        return FitResult(folder=_write_model(run, training, decoder, temperature, about), **vars(best))


def fit_best_epoch(
    recipe: Recipe,
    dataset: Dataset,
    to: str | Path,
    *,
    weights: str | Path | None = None,
    resume: bool = False,
    on_epoch: OnEpoch | None = None,
) -> BestEpoch:
    """Train as `fit` does and leave the logs alone, no model: for a search, which asks how well settings do.

    Args:
        recipe: What to train.
        dataset: The images; their splits must be assigned.
        to: The folder whose `run/` gets the logs.
        weights: As in `fit`.
        resume: As in `fit`.
        on_epoch: As in `fit`.

    Raises:
        LostFoundError: As `fit` says.
    """
    run = RunFolder(Path(to), recipe, dataset, weights)
    with _trained(run, resume=resume, on_epoch=on_epoch) as (_training, best, _device):
        return best


@contextmanager
def _trained(
    run: RunFolder, *, resume: bool, on_epoch: OnEpoch | None, overwrite: bool = False
) -> Iterator[tuple[Training, BestEpoch, torch.device]]:
    """Train in a run's folder: gives what was trained, as it was best, and where; it then has ended."""
    with training_alone(run.model):
        go_on = run.check(resume=resume, overwrite=overwrite)
        start = time.monotonic()
        training = build_training(run.recipe, run.dataset, run.weights)
        module, batches = training.module, training.batches
        with closing(batches), training_errors(run.folder):
            trainer, checkpoints = build_trainer(run.recipe, run, training.monitor, on_epoch)
            last = run.begin(go_on=go_on)
            if last is not None:
                batches.begin_at(_epochs_done(last))
            module.objective.set_up(batches.read)
            trainer.fit(module, batches.train, batches.val, ckpt_path=last, weights_only=True)
            best = BestEpoch(
                weights=training.weights,
                left_out=module.objective.left_out,
                places_left_out=batches.places_left_out,
                locked=training.locked,
                best_epoch=_load_best(run, module),
                monitor=module.monitor,
                best_score=checkpoints.best_score,
                seconds=time.monotonic() - start,
            )
            yield training, best, trainer.strategy.root_device
            run.finish()


def evaluation_part(recipe: Recipe, dataset: Dataset) -> tuple[Dataset, str]:
    """The images that a recipe's model is to be measured on, and their split: test, or val without one."""
    part = select_images(dataset, recipe.data)
    return part, "test" if len(part.split("test")) else "val"


def _epochs_done(last: Path) -> int:
    """How many epochs a run has finished, by its last checkpoint, of which no more is read."""
    kept = torch.load(last, map_location="cpu", weights_only=True, mmap=True)
    return int(kept["epoch"]) + 1


def _load_best(run: RunFolder, module: TrainingModule) -> int:
    """Give the network the weights of the best epoch; the epoch's number, counted from 1."""
    best = torch.load(run.best, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    return int(best["epoch"]) + 1


@torch.inference_mode()
def _validation_outputs(module: TrainingModule, batches: Loader, device: torch.device) -> NDArray[np.float32]:
    """The mean outputs of the validation samples, in order."""
    module = module.eval().to(device)
    outputs, rows = [], []
    for images, numbers in batches:
        outputs.append(module.sample_outputs(images.to(device)).cpu())
        rows.append(numbers[:, 0])
    return in_order(torch.cat(outputs), torch.cat(rows))


def _temperature(validation: Validation, outputs: NDArray[np.float32]) -> float:
    """The temperature of the cells' probabilities; 1 where the answers are bare points."""
    partition = validation.decoder.partition
    if partition is None:
        return 1.0
    most = max(MOST_NUMBERS // len(partition), 100)
    rows = np.arange(0, len(outputs), -(-len(outputs) // most))
    return fit_temperature(validation.decoder.logits(outputs[rows]), validation.cells[rows])


def _described(run: RunFolder, training: Training) -> dict[str, Any]:
    """What a model was trained from, for its `config.json`."""
    objective = training.module.objective
    return {
        "dataset": run.dataset.name,
        "records_sha256": run.dataset.info["records_sha256"],
        "weights": Path(run.weights).name if run.weights else None,
        "sources": count_sources(objective.images.dataset.records),
        "train_images": len(objective.images),
        "train_places": len(set(objective.images.places)),
        "val_images": len(training.val),
        "left_out": dict(objective.left_out),
        **objective.about,
    }


def _calibrated(decoder: OutputDecoder, temperature: float) -> OutputDecoder:
    """The decoder with a temperature, if it gives probabilities."""
    if isinstance(decoder, CellDecoder | HybridDecoder | GalleryDecoder):
        return replace(decoder, temperature=temperature)
    return decoder


def _write_model(
    run: RunFolder, training: Training, decoder: OutputDecoder, temperature: float, about: dict[str, Any]
) -> ModelFolder:
    recipe, module = run.recipe, training.module
    config = {
        "name": recipe.name,
        "task": recipe.task.model_dump(mode="json"),
        "views": recipe.model.views,
        "preprocessing": training.preprocessing.as_dict(),
        "recipe": recipe.model_dump(mode="json"),
        "training": about,
    }
    work = run.checkpoints / PARTS
    work.mkdir(exist_ok=True)
    for name, data in module.objective.files.items():
        write_atomic(work / name, data)
    return write_model(
        run.model, module.network, training.preprocessing, decoder, temperature, config, work=work
    )
