"""What others may hook into a run."""

from __future__ import annotations

from collections.abc import Callable

import lightning
from lightning.pytorch.callbacks import Callback


class OnEpoch(Callback):
    """Calls a function after each epoch, and ends the run where it returns True."""

    def __init__(self, call: Callable[[int, dict[str, float]], bool]) -> None:
        self.call = call

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Hand over the validation's numbers."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if self.call(trainer.current_epoch + 1, metrics):
            trainer.should_stop = True
