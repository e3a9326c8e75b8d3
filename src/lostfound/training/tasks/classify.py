"""Classify: which cell of a partition?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from lostfound.geo.sphere import EARTH_RADIUS_KM, unit_vectors
from lostfound.models.heads import linear_head
from lostfound.partitions import Partition
from lostfound.predict.decoders import CellDecoder, OutputDecoder
from lostfound.training.images import LabelledImages
from lostfound.training.settings import Classify, Haversine, ModelSettings, Monitor
from lostfound.training.tasks.cells import build_cells, in_cells, need_coordinates
from lostfound.training.tasks.objective import Objective, float_tensor, long_tensor, mean_outputs
from lostfound.training.teachers import Teachers


class ClassifyObjective(Objective):
    """Cross-entropy over cells: plain, label-smoothed, class-weighted or haversine-smoothed."""

    monitor: Monitor = "top_1_accuracy"
    cells: Tensor
    weights: Tensor | None
    vectors: Tensor
    centroids: Tensor

    def __init__(self, task: Classify, model: ModelSettings, train: LabelledImages) -> None:
        super().__init__()
        self.partition: Partition = build_cells(task, train)
        self.images, self.classes, self.left_out = in_cells(self.partition, train)
        self.decoder: OutputDecoder = CellDecoder(self.partition)
        self.task, self.model = task, model
        self.register_buffer("cells", long_tensor(self.classes), persistent=False)
        weights = balanced_weights(self.classes) if task.class_weights == "balanced" else None
        self.register_buffer("weights", weights, persistent=False)
        if task.haversine is not None:
            need_coordinates(self.images, "haversine smoothing")
            vectors, centroids = unit_vectors(self.images.points), unit_vectors(self.partition.centroids)
            self.register_buffer("vectors", float_tensor(vectors), persistent=False)
            self.register_buffer("centroids", float_tensor(centroids), persistent=False)
        self.teachers = Teachers(task.teachers, self.partition) if task.teachers else None
        if self.teachers is not None:
            self.about = {"teachers": self.teachers.names}

    def build_head(self, features: int) -> nn.Module:
        """A logit for each cell."""
        return linear_head(features, self.decoder.width, hidden=self.model.hidden, dropout=self.model.dropout)

    def loss(self, head: nn.Module, features: Tensor, rows: Tensor) -> Tensor:
        """The cross-entropy of the places' mean logits."""
        logits, rows = mean_outputs(head, features), rows[:, 0]
        cells = self.cells[rows]
        if self.task.haversine is not None:
            targets = haversine_targets(self.vectors[rows], self.centroids, cells, self.task.haversine)
            return -(targets * log_softmax(logits.float(), dim=1)).sum(dim=1).mean()
        return cross_entropy(logits, cells, weight=self.weights, label_smoothing=self.task.label_smoothing)

    def with_teachers(self, loss: Tensor, head: nn.Module, features: Tensor, images: Tensor) -> Tensor:
        """Their share is the cross-entropy with the teachers' mean probabilities."""
        if self.teachers is None:
            return loss
        theirs = cross_entropy(mean_outputs(head, features).float(), self.teachers.answers(images))
        return (1 - self.task.teacher_share) * loss + self.task.teacher_share * theirs


def balanced_weights(cells: NDArray[np.int64]) -> Tensor:
    """A weight for each cell, so that each adds up to the same over all images; the mean over images is 1."""
    counts = np.bincount(cells).astype(np.float64)
    return float_tensor(len(cells) / (len(counts) * np.maximum(counts, 1)))


def haversine_targets(vectors: Tensor, centroids: Tensor, cells: Tensor, settings: Haversine) -> Tensor:
    """Haversine smoothing (PIGEON, Haas et al. 2024).

    Cell i gets exp(-(hav(g_i, x) - hav(g_n, x)) / tau) for a photo at x, where g are the cells' points and n
    is the photo's own cell or, as in PIGEON's code, the nearest.

    Args:
        vectors: Unit vectors of the photos, (n, 3).
        centroids: Unit vectors of the cells' points, (c, 3).
        cells: The photos' own cells, (n,).
        settings: tau in km, which cell n is, and whether targets are made to sum to 1.

    Returns:
        Targets, (n, c).
    """
    # The straight line through the Earth gives the angle without loss near 0
    chord = torch.cdist(vectors, centroids, compute_mode="donot_use_mm_for_euclid_dist")
    km = 2 * EARTH_RADIUS_KM * torch.asin((chord / 2).clamp(max=1.0))
    if settings.reference == "own":
        reference = km.gather(1, cells[:, None])
    else:
        reference = km.min(dim=1, keepdim=True).values
    powers = -(km - reference) / settings.tau_km
    if settings.normalize:
        return torch.softmax(powers, dim=1)
    return powers.exp()
