"""What happens beside the steps of a training: what is kept, averaged, said and watched."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lostfound.errors import LostFoundError
from lostfound.training.run import Run
from lostfound.training.settings import Monitor
from lostfound.training.validation import HIGHER_IS_BETTER

Tensors = tuple[Tensor, ...] | list[Tensor]

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

    def __init__(self, run: Run, monitor: Monitor, patience: int | None = None) -> None:
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
        return score > self._best if self.monitor in HIGHER_IS_BETTER else score < self._best

    def _end_if_in_vain(self, trainer: lightning.Trainer) -> None:
        if self.patience is not None and self.in_vain >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know."""
        return {"best_score": self._best, "in_vain": self.in_vain}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        self._best, self.in_vain = state_dict["best_score"], state_dict["in_vain"]


class Average(Callback):
    """A moving average of the network's weights, which is validated and kept in the best epoch's stead.

    The decay grows to the recipe's as (1 + n) / (10 + n) with the steps n, so that a short run does not keep
    its first weights. Lightning's own callback would average the objective's targets too.

    Args:
        decay: Share of the average that a step keeps, below 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.step = 0
        self.average: AveragedModel | None = None

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Begin with the weights as they are."""
        del trainer, stage
        self.average = AveragedModel(pl_module.network, multi_avg_fn=self._blend, use_buffers=True)
        # Counted on the CPU: to look at the count must not make the device wait
        self.average.n_averaged = self.average.n_averaged.cpu()

    def _blend(self, average: Tensors, current: Tensors, count: Tensor | int) -> None:
        steps = int(count)
        share = 1 - min(self.decay, (1 + steps) / (10 + steps))
        if average[0].is_floating_point():
            torch._foreach_lerp_(average, current, share)
        else:
            torch._foreach_copy_(average, current)

    def on_fit_start(self, _trainer: lightning.Trainer, pl_module: Any) -> None:
        """Follow the network to its device."""
        assert self.average is not None
        self.average.module.to(pl_module.device)

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: object) -> None:
        """Blend in a step's weights; with accumulated gradients not every batch is a step."""
        if trainer.global_step > self.step:
            assert self.average is not None
            self.average.update_parameters(pl_module.network)
            self.step = trainer.global_step

    def on_validation_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """The same average in all processes."""
        if trainer.world_size > 1:
            assert self.average is not None
            agree(self.average.module)

    def on_validation_epoch_start(self, _trainer: lightning.Trainer, pl_module: Any) -> None:
        """Validate the average."""
        self._swap(pl_module)

    def on_validation_epoch_end(self, _trainer: lightning.Trainer, pl_module: Any) -> None:
        """Go on with the network itself."""
        self._swap(pl_module)

    @torch.no_grad()
    def _swap(self, pl_module: Any) -> None:
        assert self.average is not None
        own, averaged = pl_module.network.state_dict(), self.average.module.state_dict()
        for name, value in own.items():
            kept = value.clone()
            value.copy_(averaged[name])
            averaged[name].copy_(kept)

    def on_save_checkpoint(
        self, _trainer: lightning.Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """A checkpoint's weights are the average; those to go on with lie beside it."""
        assert self.average is not None
        checkpoint["weights_to_go_on"] = pl_module.network.state_dict()
        averaged = {f"network.{name}": value for name, value in self.average.module.state_dict().items()}
        checkpoint["state_dict"] = {**checkpoint["state_dict"], **averaged}

    def on_load_checkpoint(
        self, _trainer: lightning.Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Take both back."""
        assert self.average is not None
        self.average.module.load_state_dict(pl_module.network.state_dict())
        pl_module.network.load_state_dict(checkpoint["weights_to_go_on"])

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on must know."""
        assert self.average is not None
        return {"step": self.step, "averaged": int(self.average.n_averaged)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        assert self.average is not None
        self.step = state_dict["step"]
        self.average.n_averaged.fill_(state_dict["averaged"])


class Agreement(Callback):
    """Gives all processes the same statistics of the batch normalisation, before they are used or kept.

    torch would send every buffer to every process in every step, the objective's targets too.
    """

    def on_validation_start(self, _trainer: lightning.Trainer, pl_module: Any) -> None:
        """Average them."""
        agree(pl_module.network)


def agree(module: nn.Module) -> None:
    """Average a module's floating buffers over the processes that train."""
    for buffer in module.buffers():
        if buffer.is_floating_point():
            torch.distributed.all_reduce(buffer)
            buffer /= torch.distributed.get_world_size()


class Layout(Callback):
    """Puts the network into the memory layout, and the compiled form, that the recipe asks for."""

    def __init__(self, *, channels_last: bool, compiled: bool) -> None:
        self.channels_last = channels_last
        self.compiled = compiled

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Only what turns images into features is compiled: the network that is saved stays as it was."""
        del trainer, stage
        network: Any = pl_module.network
        if self.channels_last:
            network.to(memory_format=torch.channels_last)
        if self.compiled:
            network.embed = torch.compile(network.embed)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """The plain network is exported."""
        del trainer, stage
        network: Any = pl_module.network
        network.__dict__.pop("embed", None)
        network.to(memory_format=torch.contiguous_format)


class Watch(Callback):
    """Ends a run whose loss is no number, before it is validated or kept.

    Args:
        run: For the message.
    """

    def __init__(self, run: Run) -> None:
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


class Bar(RichProgressBar):
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
        sys.stderr.write(f"{epoch}  {numbers}  {seconds:.1f} s\n")
        sys.stderr.flush()
