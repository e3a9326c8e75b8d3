"""The Lightning module: a network, what it learns, and how it is validated."""

from __future__ import annotations

from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from lostfound.models.locking import Locking
from lostfound.models.network import Network
from lostfound.training.augmentation import mixup
from lostfound.training.loading import draw_seed
from lostfound.training.optim import build_optimizer
from lostfound.training.settings import Recipe
from lostfound.training.tasks import Objective
from lostfound.training.tasks.objective import mean_outputs
from lostfound.training.validation import Validation


class TrainingModule(lightning.LightningModule):
    """Trains a network by an objective."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        validation: Validation,
        recipe: Recipe,
        locking: Locking,
        pretrained: set[str],
    ) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.validation = validation
        self.recipe = recipe
        self.locking = locking
        self.pretrained = pretrained
        self.monitor = f"val_{recipe.trainer.monitor or objective.monitor}"
        self._outputs: list[tuple[Tensor, Tensor]] = []

    def train(self, mode: bool = True) -> TrainingModule:
        """Switch to training, but for the layers that are locked."""
        super().train(mode)
        if mode:
            self.locking.hold()
        return self

    def embed(self, images: Tensor) -> Tensor:
        """Pooled features (n, views, length) of images (n, views, height, width, 3), or as they are."""
        if images.ndim == 3:
            return images
        features = self.network.embed(images.flatten(0, 1))
        return features.reshape(*images.shape[:2], -1)

    def sample_outputs(self, images: Tensor) -> Tensor:
        """The mean outputs (n, width), as 32-bit numbers, of samples as `embed` takes them."""
        return mean_outputs(self.network.head, self.embed(images)).float()

    def on_train_epoch_start(self) -> None:
        """Draw from (seed, epoch) alone, so that a run that was stopped goes on as it would have."""
        draws = (self.recipe.seed, self.current_epoch, self.global_rank)
        torch.manual_seed(draw_seed(*draws))
        self.locking.set_epoch(self.current_epoch + 1)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """One step's loss."""
        images, rows = batch
        strength = self.recipe.augmentation.mixup if self.recipe.augmentation.enabled else 0.0
        head, objective = self.network.head, self.objective
        if strength and images.ndim > 3:
            images, order, share = mixup(images, strength)
            features = self.embed(images)
            loss = share * objective.loss(head, features, rows)
            loss = loss + (1 - share) * objective.loss(head, features, rows[order])
        else:
            features = self.embed(images)
            loss = objective.loss(head, features, rows)
        loss = objective.with_teachers(loss, head, features, images)
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(rows), sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's outputs."""
        self._outputs = []
        self.objective.refresh(self.network)

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Keep the places' outputs."""
        images, rows = batch
        self._outputs.append((self.sample_outputs(images), rows[:, 0]))

    def on_validation_epoch_end(self) -> None:
        """Measure all outputs together, those of other processes too."""
        outputs, rows = (torch.cat(parts) for parts in zip(*self._outputs, strict=True))
        if self.trainer.world_size > 1:
            outputs, rows = (
                torch.cat(list(torch.as_tensor(self.all_gather(each)))) for each in (outputs, rows)
            )
        found = self.validation.measure(in_order(outputs, rows))
        self.log_dict({f"val_{name}": value for name, value in found.items()}, sync_dist=False)

    def configure_optimizers(self) -> Any:
        """The recipe's optimiser and schedule."""
        epochs = self.recipe.trainer.epochs
        steps = max(1, int(self.trainer.estimated_stepping_batches) // epochs)
        return build_optimizer(self.network, self.recipe, self.pretrained, steps)


def in_order(outputs: Tensor, rows: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Outputs in the order of their rows, each row once."""
    first = np.unique(rows.cpu().numpy(), return_index=True)[1]
    values: np.ndarray[Any, np.dtype[np.float32]] = outputs.cpu().numpy()[first]
    return values
