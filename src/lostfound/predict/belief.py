"""What a model believes of photos before it answers: how probable each cell is, and where in it they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostfound.partitions import Partition
from lostfound.predict.distribution import Distribution, heaviest
from lostfound.predict.support import Support


@dataclass(frozen=True)
class Drawn:
    """Places that were drawn for n samples, m for each.

    Attributes:
        points: Degrees, (n, m, 2).
        cells: The cell of each, (n, m).
    """

    points: NDArray[np.float64]
    cells: NDArray[np.int64]

    def distribution(self, probabilities: NDArray[np.float64]) -> Distribution:
        """The places, each of which weighs its share of what its cell's probability is, (n, cells)."""
        counts = np.stack([np.bincount(row, minlength=probabilities.shape[1]) for row in self.cells])
        weights = np.take_along_axis(probabilities / np.maximum(counts, 1), self.cells, axis=1)
        return Distribution(self.points, weights / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Belief:
    """Probabilities of n samples' cells; of bare coordinates, one point each.

    Attributes:
        ids: What the samples are called, (n,).
        partition: The cells; None of bare coordinates.
        probabilities: Of the cells, (n, cells); each row sums to 1. Of bare coordinates (n, 1), all 1.
        points: The point in each cell that a model finds for each sample, (n, cells, 2), degrees; None: what
            the partition decodes cells to.
        drawn: The places that probabilities were read from, of models that draw them.
    """

    ids: NDArray[np.object_]
    partition: Partition | None
    probabilities: NDArray[np.float64]
    points: NDArray[np.float64] | None = None
    drawn: Drawn | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def ranks_cells(self) -> bool:
        """Whether it is one over cells, not of bare points."""
        return self.partition is not None

    def best_points(self) -> NDArray[np.float64]:
        """The point of each sample's most probable cell, (n, 2)."""
        return self.points_of(np.argmax(self.probabilities, axis=1)[:, None])[:, 0]

    def points_of(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """The points of cells (n, m) in each sample, (n, m, 2)."""
        if self.points is not None:
            return np.take_along_axis(self.points, cells[..., None], axis=1)
        assert self.partition is not None
        return self.partition.decode(cells)

    def distribution(self, support: Support | None) -> Distribution:
        """The cloud of weighted points that it is.

        Args:
            support: Where photos are in the cells; None: at the places that were drawn, or the point that the
                model finds in each.
        """
        if support is not None:
            return heaviest(self.probabilities[:, support.cells] * support.weights, support.points)
        if self.drawn is not None:
            return self.drawn.distribution(self.probabilities)
        if self.points is not None:
            return heaviest(self.probabilities, self.points)
        assert self.partition is not None
        return heaviest(self.probabilities, self.partition.centroids)
