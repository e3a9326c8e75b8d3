"""Hybrid: which cell of a partition, and where in it?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, smooth_l1_loss

from lostfound.geo.sphere import haversine_km, offsets_km
from lostfound.models.heads import linear_head
from lostfound.predict.decoders import HybridDecoder, OutputDecoder
from lostfound.training.images import LabelledImages
from lostfound.training.settings import Hybrid, ModelSettings, Monitor
from lostfound.training.tasks.cells import build_cells, in_cells, need_coordinates
from lostfound.training.tasks.objective import Objective, float_tensor, long_tensor, mean_outputs

LEAST_RADIUS_KM = 0.05


class HybridObjective(Objective):
    """Cross-entropy over cells, and the error of the offset from the true cell's point, in cell radii."""

    monitor: Monitor = "median_distance_km"
    cells: Tensor
    offsets: Tensor

    def __init__(self, task: Hybrid, model: ModelSettings, train: LabelledImages) -> None:
        super().__init__()
        need_coordinates(train, "the hybrid task")
        partition = build_cells(task, train)
        self.images, self.classes, self.left_out = in_cells(partition, train)
        centroids = partition.centroids[self.classes]
        radii = np.full(len(partition), LEAST_RADIUS_KM)
        np.maximum.at(radii, self.classes, haversine_km(centroids, self.images.points))
        offsets = offsets_km(centroids, self.images.points) / radii[self.classes][:, None]
        self.decoder: OutputDecoder = HybridDecoder(partition, radii)
        self.count = len(partition)
        self.task, self.model = task, model
        self.register_buffer("cells", long_tensor(self.classes), persistent=False)
        self.register_buffer("offsets", float_tensor(offsets), persistent=False)

    def build_head(self, features: int) -> nn.Module:
        """A logit and an offset for each cell."""
        return linear_head(features, self.decoder.width, hidden=self.model.hidden, dropout=self.model.dropout)

    def loss(self, head: nn.Module, features: Tensor, rows: Tensor) -> Tensor:
        """Cross-entropy plus the weighted error of the offset."""
        outputs, rows = mean_outputs(head, features), rows[:, 0]
        cells = self.cells[rows]
        offsets = outputs[:, self.count :].reshape(len(outputs), self.count, 2)
        own = torch.tanh(offsets[torch.arange(len(offsets), device=offsets.device), cells])
        cell_loss = cross_entropy(outputs[:, : self.count], cells, label_smoothing=self.task.label_smoothing)
        return cell_loss + self.task.offset_weight * smooth_l1_loss(own, self.offsets[rows])
