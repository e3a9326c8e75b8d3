"""The Lightning module: the loss, the optimiser and its schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from lostfound.errors import LostFoundError
from lostfound.models.network import Network
from lostfound.training.recipe import Recipe, Schedule
from lostfound.training.samples import draw_seed

MONITOR = "val_accuracy"


class TrainingModule(lightning.LightningModule):
    """Trains a network to name the cell of each image."""

    def __init__(self, network: Network, recipe: Recipe, pretrained: set[str]) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.pretrained = pretrained

    def on_train_epoch_start(self) -> None:
        """Draw dropout from (seed, epoch) alone, so that a run that was stopped goes on as it would have."""
        torch.manual_seed(draw_seed(self.recipe.seed, self.current_epoch))

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """One step's loss."""
        images, cells = batch
        logits, _features = self.network(images)
        loss = cross_entropy(logits, cells, label_smoothing=self.recipe.label_smoothing)
        if not torch.isfinite(loss):
            raise LostFoundError(
                f"the loss became {loss.item()} at step {self.global_step} (epoch {self.current_epoch + 1}): "
                "lower optimizer.learning_rate or set optimizer.gradient_clip, and start again with "
                "--overwrite"
            )
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(cells))
        return loss

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Accuracy and loss on a batch of the validation split."""
        images, cells = batch
        logits, _features = self.network(images)
        known = cells >= 0  # an image of a cell without training images counts as wrong
        correct = (logits.argmax(dim=1) == cells).float().mean()
        self.log(MONITOR, correct, on_epoch=True, batch_size=len(cells))
        if known.any():
            loss = cross_entropy(logits[known], cells[known])
            self.log("val_loss", loss, on_epoch=True, batch_size=int(known.sum()))

    def configure_optimizers(self) -> Any:
        """AdamW: pretrained layers at their own rate, no decay on biases and norms."""
        settings = self.recipe.optimizer
        groups: dict[tuple[bool, bool], list[Tensor]] = {}
        for name, parameter in self.network.named_parameters():
            own_rate = name.removeprefix("backbone.") in self.pretrained and name.startswith("backbone.")
            groups.setdefault((own_rate, parameter.ndim > 1), []).append(parameter)
        optimizer = AdamW(
            [
                {
                    "params": parameters,
                    "lr": settings.learning_rate * (settings.pretrained_factor if own_rate else 1.0),
                    "weight_decay": settings.weight_decay if decays else 0.0,
                }
                for (own_rate, decays), parameters in groups.items()
            ]
        )
        epochs = self.recipe.trainer.epochs
        steps = max(1, int(self.trainer.estimated_stepping_batches) // epochs)
        factor = rate_factor(self.recipe.schedule, epochs, steps)
        schedule = {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def rate_factor(schedule: Schedule, epochs: int, steps: int) -> Callable[[int], float]:
    """The factor of the learning rate at each step.

    Args:
        schedule: Its kind, and a linear warm-up before it.
        epochs: Epochs of the run.
        steps: Steps of an epoch.
    """
    warmup, total = schedule.warmup_epochs * steps, epochs * steps

    def factor(step: int) -> float:
        if step < warmup:
            return min(1.0, (step + 1) / warmup)
        if schedule.name == "cosine":
            share = min(1.0, (step - warmup) / max(1.0, total - warmup))
            return 0.5 * (1 + math.cos(math.pi * share))
        if schedule.name == "step":
            return float(schedule.step_factor ** (step // steps // schedule.step_epochs))
        return 1.0

    return factor
