"""Coordinates: at which latitude and longitude?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import mse_loss, normalize

from lostfound.models.heads import linear_head
from lostfound.partitions.shapes import westmost
from lostfound.predict.decoders import OutputDecoder, PointDecoder
from lostfound.training.images import LabelledImages
from lostfound.training.settings import Coordinates, ModelSettings, Monitor
from lostfound.training.tasks.cells import need_coordinates
from lostfound.training.tasks.objective import Objective, float_tensor, mean_outputs

LEAST_SPAN = 1e-6


class CoordinatesObjective(Objective):
    """The great-circle distance, or the mean squared error on a scaling."""

    monitor: Monitor = "median_distance_km"
    targets: Tensor

    def __init__(self, task: Coordinates, model: ModelSettings, train: LabelledImages) -> None:
        super().__init__()
        need_coordinates(train, "the coordinates task")
        self.images, self.left_out = train, []
        self.classes = np.unique(train.countries.astype(str), return_inverse=True)[1].astype(np.int64)
        answers = scaled(task, train.points)
        self.decoder: OutputDecoder = answers
        self.model = model
        self.great_circle = (task.loss or ("great_circle" if answers.width == 3 else "mse")) == "great_circle"
        self.register_buffer("targets", float_tensor(answers.scale(train.points)), persistent=False)

    def build_head(self, features: int) -> nn.Module:
        """A point on the scaling."""
        return linear_head(features, self.decoder.width, hidden=self.model.hidden, dropout=self.model.dropout)

    def loss(self, head: nn.Module, features: Tensor, rows: Tensor) -> Tensor:
        """The error of the places' mean outputs; great-circle distances are in Earth radii."""
        outputs, targets = mean_outputs(head, features).float(), self.targets[rows[:, 0]]
        if not self.great_circle:
            return mse_loss(outputs, targets)
        chord = (normalize(outputs, dim=1) - targets).square().sum(dim=1).clamp(1e-12, 4 - 1e-6).sqrt()
        return (2 * torch.asin(chord / 2)).mean()


def scaled(task: Coordinates, points: NDArray[np.float64]) -> PointDecoder:
    """The scaling that a recipe names, for training images at these points."""
    if task.scaling == "unit_vector":
        return PointDecoder()
    if task.scaling == "origin":
        return PointDecoder("origin", task.origin, (task.degrees, task.degrees))
    south, north = float(points[:, 0].min()), float(points[:, 0].max())
    west, width = westmost(points[:, 1])
    return PointDecoder(
        "bounds", (south, float(west)), (max(north - south, LEAST_SPAN), max(float(width), LEAST_SPAN))
    )
