"""Lightning's training loop as this package uses it: quiet, resumable, stopped by Ctrl-C."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

from lostfound.errors import RecipeError
from lostfound.files import write_atomic
from lostfound.parallel.processes import end_with_parent
from lostfound.training.callbacks import (
    LOG_EVERY,
    Agreement,
    Average,
    Bar,
    Checkpoints,
    EpochLines,
    Layout,
    Watch,
)
from lostfound.training.error_messages import explain
from lostfound.training.run import Run
from lostfound.training.settings import Monitor, Recipe
from lostfound.training.tracking import Tracking, check_trackers

GRACE_S = 10.0
"""Seconds that the processes of a training have to end by themselves."""


def build_trainer(recipe: Recipe, run: Run, monitor: Monitor) -> tuple[lightning.Trainer, Checkpoints]:
    """The trainer, and the callback that keeps its last and its best epoch.

    Several devices are several processes of this machine, started by the trainer, each with its share of
    every batch; with several nodes, the same command runs on each, on a folder that they share, with
    MASTER_ADDR, MASTER_PORT and NODE_RANK set.

    Args:
        recipe: What is trained, and on what.
        run: Where its files go.
        monitor: What chooses the best epoch.

    Raises:
        RecipeError: This machine has no such device, or it can't compute at the recipe's precision; or a
            batch can't be divided among the devices.
        MissingExtraError: A tracker that the recipe names is not installed.
    """
    settings = recipe.trainer
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    checkpoints = Checkpoints(run, monitor, settings.patience)
    callbacks: list[Callback] = [Watch(run)]
    if settings.ema is not None:
        callbacks.append(Average(settings.ema))
    if settings.channels_last or settings.compile:
        callbacks.append(Layout(channels_last=settings.channels_last, compiled=settings.compile))
    callbacks += [Tracking(run), checkpoints, EpochLines(monitor)]
    if on_terminal:
        callbacks.append(Bar(leave=False, console_kwargs={"stderr": True}))
    processes = settings.devices * settings.nodes
    if processes > 1:
        _check_processes(recipe, processes)
        callbacks.insert(0, Agreement())
    check_trackers(recipe)
    try:
        trainer = _Trainer(
            accelerator=settings.device,
            devices=settings.devices,
            num_nodes=settings.nodes,
            strategy=_Processes() if processes > 1 else "auto",
            precision=settings.precision,
            max_epochs=settings.epochs,
            accumulate_grad_batches=settings.accumulate,
            gradient_clip_val=recipe.optimizer.gradient_clip,
            callbacks=callbacks,
            plugins=[_AtomicFiles()],
            logger=False,  # Tracking gives it the recipe's
            default_root_dir=run.folder,
            enable_progress_bar=on_terminal,
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


def _check_processes(recipe: Recipe, processes: int) -> None:
    """Can the recipe's batches and layers be shared by so many processes?

    Raises:
        RecipeError: They can't.
    """
    size = recipe.trainer.batch_size
    if size % processes or size // processes < 2:
        raise RecipeError(
            f"a batch of {size} images can't be divided among {processes} processes with two or more each: "
            f"set trainer.batch_size to a multiple of {processes}"
        )
    if recipe.model.lock.unlock:  # torch's processes agree on what they share before the first step
        raise RecipeError("model.lock.unlock needs a single device: leave it out, or set trainer.devices=1")


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


class _Launcher(_MultiProcessingLauncher):
    """Starts processes that are as quiet as this one, and don't outlive it."""

    def _wrapping_function(self, *arguments: Any, **named: Any) -> None:
        end_with_parent()
        hush()
        super()._wrapping_function(*arguments, **named)


class _Processes(DDPStrategy):
    """A process for each device. They end with the process that started them."""

    def __init__(self) -> None:
        super().__init__(start_method="spawn", broadcast_buffers=False)  # Agreement sees to the buffers

    def _configure_launcher(self) -> None:
        self._launcher = _Launcher(self, start_method="spawn")

    def on_exception(self, exception: BaseException) -> None:
        """Lightning leaves them running where Ctrl-C reached only the first.

        Asked to end, they agree on it, as Lightning has it, unless one is waiting for another's gradients.
        """
        super().on_exception(exception)
        if isinstance(self.launcher, _Launcher):
            self.launcher.kill(signal.SIGTERM)
            deadline = time.monotonic() + GRACE_S
            for process in self.launcher.procs:
                process.join(max(0.0, deadline - time.monotonic()))
            self.launcher.kill(signal.SIGKILL)  # what they write is whole, or not there
            for process in self.launcher.procs:
                process.join()


class _AtomicFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place; Lightning's way over /tmp can leave half a file."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint whole or not at all."""
        del storage_options
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomic(Path(path), buffer.getvalue())


@contextmanager
def training(folder: Path) -> Iterator[None]:
    """What goes wrong in Lightning's loop, as this package says it.

    Args:
        folder: Of the run, for the messages.

    Raises:
        KeyboardInterrupt: Ctrl-C; Lightning would end the process.
        LostFoundError: The data can't be read, the loss is no number, or the disk is full.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            hush()
            yield
    except SystemExit as ended:
        if not ended.code:  # a machine that is done
            raise
        raise KeyboardInterrupt from None  # Lightning's answer to Ctrl-C
    except Exception as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning failed in its answer, deaf by now
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise explain(error, folder) from None


def hush() -> None:
    """Without Lightning's hints and warnings: the recipe decides."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
