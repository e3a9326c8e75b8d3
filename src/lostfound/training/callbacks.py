"""What happens beside the steps of a training: what is kept, compiled, watched and said."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from torch import Tensor

from lostfound.errors import LostFoundError
from lostfound.evaluation.metrics import METRICS
from lostfound.progress import note
from lostfound.training.run_folder import RunFolder
from lostfound.training.settings import Monitor

LOG_EVERY = 10
"""Steps from one logged loss to the next; each makes the device wait."""


class Checkpoints(Callback):
    """Keeps the last epoch, to go on from, and the best by validation, to answer with; ends a run in vain.

    Lightning's own callback keeps the last only where it is the best.

    Args:
        run: Where they are kept.
        monitor: What chooses the best.
        patience: Epochs without gain after which the run ends; None for never.
    """

    def __init__(self, run: RunFolder, monitor: Monitor, patience: int | None = None) -> None:
        self.run = run
        self.monitor = monitor
        self.patience = patience
        self.in_vain = 0
        self._best: float | None = None

    @property
    def best_score(self) -> float:
        """The best value of what chooses so far; NaN before the first epoch."""
        if self._best is None and self.run.best.is_file():  # other processes trained
            kept = torch.load(self.run.best, map_location="cpu", weights_only=True)
            self.load_state_dict(kept["callbacks"][self.state_key])
        return math.nan if self._best is None else self._best

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """A run that had ended and goes on has no more to do."""
        self._end_if_in_vain(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Save; validation is done by now."""
        score = float(trainer.callback_metrics[f"val_{self.monitor}"])
        if self._is_gain(score):
            self._best, self.in_vain = score, 0
            trainer.save_checkpoint(self.run.best)
        else:
            self.in_vain += 1
        trainer.save_checkpoint(self.run.last)
        self._end_if_in_vain(trainer)

    def _is_gain(self, score: float) -> bool:
        if self._best is None or math.isnan(self._best):
            return self._best is None or not math.isnan(score)
        return score > self._best if METRICS[self.monitor].higher_is_better else score < self._best

    def _end_if_in_vain(self, trainer: lightning.Trainer) -> None:
        if self.patience is not None and self.in_vain >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know."""
        return {"best_score": self._best, "in_vain": self.in_vain}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        self._best, self.in_vain = state_dict["best_score"], state_dict["in_vain"]


class ChannelsLast(Callback):
    """Keeps the network's weights in torch's channels-last memory format while it trains."""

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Before the first step."""
        del trainer, stage
        pl_module.network.to(memory_format=torch.channels_last)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """The plain network is exported."""
        del trainer, stage
        pl_module.network.to(memory_format=torch.contiguous_format)


class Compile(Callback):
    """Compiles what turns images into features while it trains: the network that is saved stays as it was."""

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Before the first step."""
        del trainer, stage
        pl_module.network.embed = torch.compile(pl_module.network.embed)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """The plain network is exported."""
        del trainer, stage
        pl_module.network.__dict__.pop("embed", None)


class NanGuard(Callback):
    """Ends a run whose loss is no number, before it is validated or kept.

    Args:
        run: For the message.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.losses: list[Tensor] = []
        self.since = 0

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        _batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the losses, a few at a time where it makes a device wait."""
        if not self.losses:
            self.since = batch_idx
        self.losses.append(outputs["loss"].detach())
        every = 1 if pl_module.device.type == "cpu" else LOG_EVERY
        if len(self.losses) >= every or trainer.is_last_batch:
            losses, self.losses = torch.stack(self.losses), []
            if not torch.isfinite(losses).all():
                self._stop(trainer, self.since, losses.tolist())

    def _stop(self, trainer: lightning.Trainer, since: int, losses: Sequence[float]) -> None:
        bad = next(number for number, loss in enumerate(losses) if not math.isfinite(loss))
        batches = trainer.current_epoch * int(trainer.num_training_batches)
        kept = "no epoch was finished before"
        if self.run.last.is_file():
            kept = f"the last good checkpoint, of epoch {trainer.current_epoch}, is {self.run.last}"
        raise LostFoundError(
            f"the loss became {losses[bad]} at step {batches + since + bad + 1} (epoch "
            f"{trainer.current_epoch + 1}); {kept}: lower optimizer.learning_rate or set "
            "optimizer.gradient_clip, and start again with --overwrite"
        )


class ProgressBar(RichProgressBar):
    """Lightning's bar without its own name for a run, and with epochs counted from 1."""

    def get_metrics(self, *_: object) -> dict[str, int | str | float | dict[str, float]]:
        """No numbers: the epoch's line has them."""
        return {}

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}"


class EpochLines(Callback):
    """A line an epoch on standard error.

    Args:
        monitor: What chooses the best epoch.
    """

    def __init__(self, monitor: Monitor) -> None:
        self.names = dict.fromkeys(["train_loss", "val_loss", f"val_{monitor}"])
        self.start = time.monotonic()

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the clock."""
        self.start = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Say how the epoch went."""
        if not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        said = {name: float(metrics[name]) for name in self.names if name in metrics}
        numbers = "  ".join(f"{name} {value:.3f}" for name, value in said.items())
        seconds = time.monotonic() - self.start
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        note(f"{epoch}  {numbers}  {seconds:.1f} s")


class EpochCallback(Callback):
    """Calls a function after each epoch, and ends the run where it returns True.

    Args:
        call: Is given the epoch's number, counted from 1, and the validation's numbers.
    """

    def __init__(self, call: Callable[[int, dict[str, float]], bool]) -> None:
        self.call = call

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Hand over the numbers."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.call(trainer.current_epoch + 1, metrics):
            trainer.should_stop = True
