"""Galleries: places without an extent, each the answer for what lies nearest to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.boundaries import label_countries
from lostfound.geo.nearest import NearestSearch
from lostfound.partitions.base import GALLERY, Find, Partition, TrainingPlaces
from lostfound.partitions.build import near_cities


def build(training: TrainingPlaces, settings: object) -> Partition:
    """Each distinct place is one."""
    del settings
    return gallery_partition(training.located)


def gallery_partition(
    points: NDArray[np.float64],
    names: Sequence[str] | None = None,
    countries: Sequence[str | None] | NDArray[np.object_] | None = None,
    *,
    merge: bool = True,
) -> Partition:
    """The cells of a gallery.

    Args:
        points: Degrees, (n, 2), no NaN.
        names: Of each, (n,); the nearest city's if None.
        countries: ISO alpha-2 or None, (n,); those that hold the points if None.
        merge: Whether points that are equal become one, in the place of the first, whose name and country
            stay; `counts` says how many it was made of.

    Raises:
        UsageError: There are no points.
    """
    if not len(points):
        raise UsageError("a gallery needs places: there are none with coordinates")
    rows, counts = np.arange(len(points)), np.ones(len(points), dtype=np.int64)
    if merge:
        rows, _, counts = distinct(points)
    points = points[rows]
    width = len(str(len(points) - 1))
    ids = tuple(f"g{row:0{width}}" for row in range(len(points)))
    stated = None if countries is None else np.asarray(countries, dtype=object)[rows]
    return Partition(
        GALLERY,
        ids,
        near_cities(points) if names is None else tuple(names[row] for row in rows.tolist()),
        points,
        counts,
        tuple(label_countries(points, stated)),
    )


def distinct(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The first row of each distinct point, in order; which of them each row is; and how many each has."""
    _, first, index, counts = np.unique(
        points, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    return first[order], position[index.ravel()], counts[order].astype(np.int64)


def finder(partition: Partition) -> Find:
    """Search for the nearest place."""
    return NearestSearch(partition.centroids).rows
