"""The spread of cells: a few weighted points in each that stand for where in it photos are taken."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.cities import city_table
from lostfound.geo.sphere import from_unit_vectors, unit_vectors
from lostfound.partitions import OUTSIDE, Partition

_BUDGET = 4096  # points in all
_MOST = 16  # in one cell
_ENOUGH = 5  # located training images; with fewer the cell's cities stand for it


@dataclass(frozen=True)
class Support:
    """Weighted points in a partition's cells.

    Attributes:
        points: Degrees, (s, 2).
        weights: Of each within its cell, (s,): those of a cell sum to 1.
        cells: The number of each point's cell, (s,); every cell has one point or more.
    """

    points: NDArray[np.float64]
    weights: NDArray[np.float64]
    cells: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        partition: Partition,
        points: NDArray[np.float64] | None = None,
        countries: NDArray[np.object_] | None = None,
    ) -> Support:
        """Points for the cells of a partition.

        A cell is represented by where its training images are; one with fewer than five that are located by
        its largest cities, weighed by the square root of their people; one without any by the point that it
        decodes to. Of a gallery each place stands for itself.

        Args:
            partition: The cells.
            points: Where training images are, (n, 2), degrees; NaN where unknown.
            countries: Their countries, (n,), as `Partition.assign` takes them.
        """
        if partition.of_points:
            count = len(partition)
            return cls(partition.centroids, np.ones(count), np.arange(count, dtype=np.int64))
        most = int(np.clip(_BUDGET // max(1, len(partition)), 1, _MOST))
        found: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        if points is not None and len(points):
            known = np.isfinite(points).all(axis=1)
            where = points[known]
            cells = partition.assign(where, None if countries is None else countries[known])
            for cell, rows in _groups(cells):
                if len(rows) >= min(_ENOUGH, most):
                    found[cell] = _middles(where[rows], most)
        if len(found) < len(partition):
            found = {**_cities(partition, most), **found}
        decoded = partition.centroids
        for cell in range(len(partition)):
            if cell not in found:
                found[cell] = decoded[cell][None], np.ones(1)
        order = range(len(partition))
        return cls(
            np.concatenate([found[cell][0] for cell in order]),
            np.concatenate([found[cell][1] for cell in order]),
            np.repeat(np.arange(len(partition)), [len(found[cell][1]) for cell in order]),
        )

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """What `from_arrays` needs, small."""
        return {
            "support_points": self.points.astype(np.float32),
            "support_weights": self.weights.astype(np.float32),
            "support_cells": self.cells.astype(np.int32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], cells: int) -> Support | None:
        """Read what `as_arrays` gave; None where it was not given.

        Raises:
            ValueError: It is not of so many cells.
        """
        if "support_points" not in arrays:
            return None
        points, weights, numbers = (arrays[f"support_{name}"] for name in ("points", "weights", "cells"))
        support = cls(points.astype(np.float64), weights.astype(np.float64), numbers.astype(np.int64))
        n = len(support.points)
        good = support.points.shape == (n, 2) and support.weights.shape == support.cells.shape == (n,)
        if not good or not _are_all(support.cells, cells):
            raise ValueError(f"points that are not of {cells} cells")
        if not np.isfinite(support.points).all() or not (support.weights >= 0).all():
            raise ValueError("points or weights that are none")
        return support


def _are_all(numbers: NDArray[np.int64], count: int) -> bool:
    """Are they 0 to count - 1, each at least once?"""
    if not len(numbers) or numbers.min() < 0 or numbers.max() >= count:
        return False
    return bool(np.bincount(numbers, minlength=count).all())


def _groups(cells: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
    """The rows of each cell that has any."""
    cells, rows = cells[cells != OUTSIDE], np.flatnonzero(cells != OUTSIDE)
    if not len(cells):
        return []
    order = np.argsort(cells, kind="stable")
    numbers, starts = np.unique(cells[order], return_index=True)
    return list(zip(numbers.tolist(), np.split(rows[order], starts[1:]), strict=True))


def _middles(points: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most so many points that stand for many, by k-means on the sphere, and their shares."""
    from scipy.cluster.vq import kmeans2  # only where a model is calibrated

    distinct, counts = np.unique(points, axis=0, return_counts=True)
    if len(distinct) <= most:
        return distinct, counts / counts.sum()
    vectors = unit_vectors(points)
    start = vectors[np.linspace(0, len(vectors) - 1, most).astype(int)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One of the clusters is empty")  # it is left out below
        middles, labels = kmeans2(vectors, np.unique(start, axis=0), minit="matrix", missing="warn")
    shares = np.bincount(labels, minlength=len(middles)) / len(points)
    return from_unit_vectors(middles[shares > 0]), shares[shares > 0]


def _cities(partition: Partition, most: int) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The largest cities in each cell that has any."""
    table = city_table().sort_by([("population", "descending")])
    points = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    people = np.maximum(table["population"].to_numpy(), 1)
    cells = partition.assign(points, table["country"].to_numpy(zero_copy_only=False))
    found = {}
    for cell, rows in _groups(cells):
        weights = np.sqrt(people[rows[:most]])
        found[cell] = points[rows[:most]], weights / weights.sum()
    return found
