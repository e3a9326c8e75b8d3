"""Lightning's trainer as this package uses it: quiet, resumable, stopped by Ctrl-C."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback

from lostfound.errors import RecipeError
from lostfound.files import write_atomic
from lostfound.progress import on_terminal
from lostfound.training.callbacks import (
    LOG_EVERY,
    ChannelsLast,
    Checkpoints,
    Compile,
    EpochCallback,
    EpochLines,
    NanGuard,
    ProgressBar,
)
from lostfound.training.distributed import BatchNormSync, SpawnedProcesses, check_processes
from lostfound.training.run_folder import RunFolder
from lostfound.training.settings import Monitor, Recipe
from lostfound.training.tracking import Tracking, check_trackers
from lostfound.training.weight_average import WeightAverage


def build_trainer(
    recipe: Recipe,
    run: RunFolder,
    monitor: Monitor,
    on_epoch: Callable[[int, dict[str, float]], bool] | None = None,
) -> tuple[lightning.Trainer, Checkpoints]:
    """The trainer, and the callback that keeps its last and its best epoch.

    Several devices are several processes of this machine, started by the trainer, each with its share of
    every batch; with several nodes, the same command runs on each, on a folder that they share, with
    MASTER_ADDR, MASTER_PORT and NODE_RANK set.

    Args:
        recipe: What is trained, and on what.
        run: Where its files go.
        monitor: What chooses the best epoch.
        on_epoch: Called after each epoch with its number, counted from 1, and the validation's numbers; the
            run ends early where it returns True.

    Raises:
        RecipeError: This machine has no such device, or it can't compute at the recipe's precision; or a
            batch can't be divided among the devices.
        MissingExtraError: A tracker that the recipe names is not installed.
    """
    settings = recipe.trainer
    processes = settings.devices * settings.nodes
    if processes > 1:
        check_processes(recipe, processes)
    check_trackers(recipe)
    checkpoints = Checkpoints(run, monitor, settings.patience)
    watched = on_terminal()
    callbacks = _callbacks(recipe, run, checkpoints, watched=watched)
    if on_epoch is not None:
        callbacks.append(EpochCallback(on_epoch))
    try:
        trainer = _Trainer(
            accelerator=settings.device,
            devices=settings.devices,
            num_nodes=settings.nodes,
            strategy=SpawnedProcesses() if processes > 1 else "auto",
            precision=settings.precision,
            max_epochs=settings.epochs,
            accumulate_grad_batches=settings.accumulate,
            gradient_clip_val=recipe.optimizer.gradient_clip,
            callbacks=callbacks,
            plugins=[_AtomicCheckpointIO()],
            logger=False,  # Tracking gives it the recipe's
            default_root_dir=run.folder,
            enable_progress_bar=watched,
            enable_checkpointing=False,  # our own callback does it
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=LOG_EVERY,
            use_distributed_sampler=False,  # our own samplers give each process its share
        )
        _check_precision(settings.precision, trainer)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise RecipeError(
            f"can't train with trainer.device={settings.device}, trainer.devices={settings.devices} and "
            f"trainer.precision={settings.precision} here: {error}"
        ) from None
    return trainer, checkpoints


def _callbacks(recipe: Recipe, run: RunFolder, checkpoints: Checkpoints, *, watched: bool) -> list[Callback]:
    """What a recipe asks for, in the order in which it is called."""
    settings = recipe.trainer
    callbacks: list[Callback] = []
    if settings.devices * settings.nodes > 1:
        callbacks.append(BatchNormSync())
    callbacks.append(NanGuard(run))
    if settings.ema is not None:
        callbacks.append(WeightAverage(settings.ema))
    if settings.channels_last:
        callbacks.append(ChannelsLast())
    if settings.compile:
        callbacks.append(Compile())
    callbacks += [Tracking(run), checkpoints, EpochLines(checkpoints.monitor)]
    if watched:
        callbacks.append(ProgressBar(leave=False, console_kwargs={"stderr": True}))
    return callbacks


def _check_precision(wanted: str, trainer: lightning.Trainer) -> None:
    """Refuse what Lightning or torch would quietly do in another way.

    Raises:
        ValueError: The device can't do it.
    """
    device = trainer.strategy.root_device.type
    if wanted == "16-mixed" and device == "cpu":
        raise ValueError("a CPU has no 16-mixed: take bf16-mixed, or 32-true")
    if wanted == "bf16-mixed" and device == "cuda" and not torch.cuda.is_bf16_supported(False):
        raise ValueError("this GPU has no bf16: take 16-mixed, or 32-true")


class _Trainer(lightning.Trainer):
    """Of several machines, the first one goes on after the training."""

    def fit(self, *arguments: Any, **named: Any) -> None:
        super().fit(*arguments, **named)
        if getattr(self.strategy, "node_rank", 0):
            raise SystemExit(0)


class _AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place; Lightning's way over /tmp can leave half a file."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint whole or not at all."""
        del storage_options
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomic(Path(path), buffer.getvalue())
