"""What every task must give the training: a head, a loss, and how its outputs are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lostfound.models.network import Network
from lostfound.predict.decoders import OutputDecoder
from lostfound.training.images import LabelledImages
from lostfound.training.settings import Monitor

ReadImages = Callable[[NDArray[np.int64]], Tensor]
"""From row numbers of the training images to network inputs (n, height, width, 3)."""


class Objective(nn.Module, ABC):
    """What is learnt from the training images.

    Its buffers hold the targets of all training images, so that a batch need only carry row numbers.

    Attributes:
        images: The training images that can be learnt from.
        decoder: From the network's outputs to predictions.
        monitor: What chooses the best epoch, unless the recipe says otherwise.
        classes: A number for each training image, whose frequencies `data.sampling_power` evens out.
        left_out: LabelledImages in no cell: (country, images), most first.
        files: What the model folder is to keep beside the graph, by name.
        about: What the model's `config.json` is to say of it under `training`.
    """

    images: LabelledImages
    decoder: OutputDecoder
    monitor: Monitor
    classes: NDArray[np.int64]
    left_out: list[tuple[str, int]]
    files: Mapping[str, bytes] = MappingProxyType({})
    about: Mapping[str, Any] = MappingProxyType({})

    @abstractmethod
    def build_head(self, features: int) -> nn.Module:
        """A new head for pooled features of this length."""

    @abstractmethod
    def loss(self, head: nn.Module, features: Tensor, rows: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            head: The network's head.
            features: Pooled features (n, views, length).
            rows: Training images' numbers, (n, views).
        """

    def with_teachers(self, loss: Tensor, head: nn.Module, features: Tensor, images: Tensor) -> Tensor:
        """The loss, with what teachers make of the batch's images; as it is without teachers.

        Args:
            loss: By the labels.
            head: The network's head.
            features: Pooled features (n, views, length).
            images: What they are of, (n, views, height, width, 3).
        """
        del head, features, images
        return loss

    def pairs(self, generator: np.random.Generator) -> NDArray[np.int64] | None:
        """The pairs (n, 2) of rows to train on in one epoch; None where samples are views of places."""
        del generator
        return None

    def set_up(self, read: ReadImages) -> None:
        """Read the images that the objective itself needs, once, before training."""

    def refresh(self, network: Network) -> None:
        """Bring the head up to the network as it is now, before it is validated."""


def mean_outputs(head: nn.Module, features: Tensor) -> Tensor:
    """The outputs (n, width) of places, averaged over their views, of features (n, views, length)."""
    outputs: Tensor = head(features)
    return outputs.mean(dim=1)


def long_tensor(values: NDArray[np.int64]) -> Tensor:
    """Numbers as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64))


def float_tensor(values: NDArray[np.float64]) -> Tensor:
    """Values as a tensor of 32 bits."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
