"""Lightning's training loop as this package uses it: quiet, resumable, stopped by Ctrl-C."""

from __future__ import annotations

import io
import logging
import os
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
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from lostfound.data.records import write_atomic
from lostfound.errors import LostFoundError, RecipeError
from lostfound.training.module import MONITOR
from lostfound.training.recipe import Recipe
from lostfound.training.run import Run


def build_trainer(recipe: Recipe, run: Run) -> tuple[lightning.Trainer, Checkpoints]:
    """The trainer, and the callback that keeps its last and its best epoch.

    Raises:
        RecipeError: This machine has no such device, or it can't compute at the recipe's precision.
    """
    on_terminal = os.isatty(2)
    checkpoints = Checkpoints(run)
    callbacks: list[Callback] = [checkpoints, EpochLines()]
    if on_terminal:
        callbacks.append(RichProgressBar(leave=False))
    try:
        trainer = lightning.Trainer(
            accelerator=recipe.trainer.device,
            devices=1,
            precision=recipe.trainer.precision,
            max_epochs=recipe.trainer.epochs,
            gradient_clip_val=recipe.optimizer.gradient_clip,
            callbacks=callbacks,
            plugins=[_AtomicFiles()],
            logger=[
                # Another file each time the run goes on: Lightning would delete the first
                CSVLogger(run.folder, name="csv"),
                TensorBoardLogger(run.folder, name="tensorboard", version=""),
            ],
            enable_progress_bar=on_terminal,
            enable_checkpointing=False,  # our own callback does it
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=10,
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        device, precision = recipe.trainer.device, recipe.trainer.precision
        raise RecipeError(
            f"can't train with trainer.device={device} and trainer.precision={precision} here: {error}"
        ) from None
    return trainer, checkpoints


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


class Checkpoints(Callback):
    """Keeps the last epoch, to go on from, and the best by validation, to answer with.

    Lightning's own callback keeps the last only where it is the best.

    Attributes:
        best_score: The best validation accuracy so far.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.best_score = -1.0

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Save; validation is done by now."""
        score = float(trainer.callback_metrics[MONITOR])
        if score > self.best_score:
            self.best_score = score
            trainer.save_checkpoint(self.run.best)
        trainer.save_checkpoint(self.run.last)

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know."""
        return {"best_score": self.best_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        self.best_score = state_dict["best_score"]


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
        sys.stderr.write(f"{epoch}  {numbers}  {seconds:.1f} s\n")
        sys.stderr.flush()


@contextmanager
def training(folder: Path) -> Iterator[None]:
    """What goes wrong in Lightning's loop, as this package says it; without its hints, the recipe decides.

    Args:
        folder: Of the run, for the messages.

    Raises:
        KeyboardInterrupt: Ctrl-C; Lightning would end the process.
        LostFoundError: The data can't be read, the loss is no number, or the disk is full.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except SystemExit:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from None
    except LostFoundError as error:
        # A worker's error comes with its traceback as text, and the message last
        message = str(error).rpartition(f"{type(error).__name__}: ")[2].strip()
        raise type(error)(message) from None
    except OSError as error:
        raise LostFoundError(
            f"the training in {folder} stopped: {error.strerror or error}; mend that (a full disk: make "
            "room), then go on with --resume"
        ) from None
