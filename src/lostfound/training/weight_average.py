"""A moving average of the weights over the steps of a training."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from lostfound.training.distributed import average_buffers

Tensors = tuple[Tensor, ...] | list[Tensor]


class WeightAverage(Callback):
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

    @property
    def state_key(self) -> str:
        """The name of its state in a checkpoint, which stays what it was in version 0.1.0."""
        return "Average"

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
            average_buffers(self.average.module)

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
