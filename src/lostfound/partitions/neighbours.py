"""Which cells are next to which."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from lostfound.geo.sphere import unit_vectors
from lostfound.partitions.base import OUTSIDE, Partition
from lostfound.partitions.registry import KINDS
from lostfound.partitions.shapes import moved

# Corners that should be one place may be this far apart, in degrees: 0.1 mm.
_TOUCH = 1e-9


def neighbour_lists(partition: Partition) -> list[NDArray[np.int64]]:
    """The neighbours of each cell, in order."""
    rule = KINDS[partition.kind]
    if rule.probes is not None:
        one, other = rule.probes(partition)
    elif all(shape is not None for shape in partition.polygons):
        one, other = _touching(partition.polygons)
    else:
        one, other = _delaunay(partition.centroids)
    real = (other != OUTSIDE) & (one != other)
    one, other = one[real], other[real]
    # Of two cells of different size, only the smaller one's places around it find the other.
    pairs = np.unique(np.stack([np.append(one, other), np.append(other, one)], axis=1), axis=0)
    ends = np.cumsum(np.bincount(pairs[:, 0], minlength=len(partition)))[:-1]
    return [np.asarray(each, dtype=np.int64) for each in np.split(pairs[:, 1], ends)]


def _touching(polygons: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of polygons that touch or overlap, across the date line too."""
    tree = shapely.STRtree(polygons)
    one, other = tree.query(polygons, predicate="dwithin", distance=_TOUCH)
    western = np.flatnonzero(shapely.bounds(polygons)[:, 0] <= -180.0 + _TOUCH)
    if len(western):
        turned = np.empty(len(western), dtype=object)
        turned[:] = [moved(polygons[row], 360.0) for row in western]
        row, across = tree.query(turned, predicate="dwithin", distance=_TOUCH)
        one, other = np.append(one, western[row]), np.append(other, across)
    return one, other


def _delaunay(centroids: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of centroids whose Voronoi cells on the sphere touch: the edges of their convex hull."""
    try:
        triangles = ConvexHull(unit_vectors(centroids)).simplices
    except (QhullError, ValueError):
        # Fewer than four, or all on a circle: each is next to all.
        one, other = np.nonzero(np.ones((len(centroids), len(centroids)), dtype=bool))
        return one, other
    return np.roll(triangles, 1, axis=1).ravel().astype(np.int64), triangles.ravel().astype(np.int64)
