"""Several processes that train together: how they start and end, and what they share beside gradients."""

from __future__ import annotations

import signal
import time
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from torch import nn

from lostfound.errors import RecipeError
from lostfound.parallel.processes import end_with_parent
from lostfound.training.error_messages import quiet_lightning
from lostfound.training.settings import Recipe

GRACE_S = 10.0
"""Seconds that the processes of a training have to end by themselves."""


def check_processes(recipe: Recipe, processes: int) -> None:
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


class SpawnedProcesses(DDPStrategy):
    """A process for each device. They end with the process that started them."""

    def __init__(self) -> None:
        super().__init__(start_method="spawn", broadcast_buffers=False)  # BatchNormSync averages them

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


class _Launcher(_MultiProcessingLauncher):
    """Starts processes that are as quiet as this one, and don't outlive it."""

    def _wrapping_function(self, *arguments: Any, **named: Any) -> None:
        end_with_parent()
        quiet_lightning()
        try:
            super()._wrapping_function(*arguments, **named)
        finally:  # what Lightning does when asked to end takes the others, who may have ended
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


class BatchNormSync(Callback):
    """Gives all processes the same statistics of the batch normalisation, before they are used or kept.

    torch would send every buffer to every process in every step, the objective's targets too.
    """

    def on_validation_start(self, _trainer: lightning.Trainer, pl_module: Any) -> None:
        """Average them."""
        average_buffers(pl_module.network)


def average_buffers(module: nn.Module) -> None:
    """Average a module's floating buffers over the processes that train."""
    for buffer in module.buffers():
        if buffer.is_floating_point():
            torch.distributed.all_reduce(buffer)
            buffer /= torch.distributed.get_world_size()
