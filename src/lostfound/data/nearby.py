"""Which places are within a distance of each other, in memory that does not grow with the pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostfound.data.graph import Rows, components, star_pairs
from lostfound.geo.sphere import EARTH_RADIUS_KM, unit_vectors


def connect_within(points: NDArray[np.float64], distance_km: float) -> Rows:
    """Pairs of points that connect what steps of at most a distance connect.

    The places of a city have too many pairs within a kilometre to list. But all points of a cube whose
    diagonal is the distance are connected, so that one pair is enough for two neighbouring cubes.

    Args:
        points: Coordinates in degrees, (n, 2), n > 0.
        distance_km: The longest step, by great circle.

    Returns:
        Row numbers, (m, 2), m of the order of n; no pair is farther apart than the distance.
    """
    chord = 2 * np.sin(min(distance_km / EARTH_RADIUS_KM, np.pi) / 2)
    if chord == 0:
        return star_pairs(np.unique(points, axis=0, return_inverse=True)[1].ravel())
    vectors = unit_vectors(points)
    cubes, cube = np.unique(np.floor(vectors * (np.sqrt(3) / chord)), axis=0, return_inverse=True)
    members = _Members(vectors, cube.ravel(), chord)
    found = star_pairs(members.cube)
    # Two points of one distance lie at most two cubes apart on each axis.
    neighbours = cKDTree(cubes).query_pairs(2.5, p=np.inf, output_type="ndarray")
    neighbours = np.take_along_axis(neighbours, np.argsort(members.count[neighbours], axis=1), axis=1)
    # One point of the smaller cube mostly finds the other cube; all are asked only where none did.
    found = np.concatenate([found, members.nearest(members.first[neighbours[:, 0]], neighbours[:, 1])])
    part = components(len(points), found)[members.first]
    small, large = neighbours.T
    apart = neighbours[(part[small] != part[large]) & (members.count[small] > 1)]
    return np.concatenate([found, members.nearest(*members.expanded(apart))])


class _Members:
    """Points by the cube that holds them."""

    def __init__(self, vectors: NDArray[np.float64], cube: Rows, chord: float) -> None:
        self.vectors, self.cube, self.chord = vectors, cube, chord
        self.order = np.argsort(cube, kind="stable")
        _, self.start, self.count = np.unique(cube[self.order], return_index=True, return_counts=True)
        self.first = self.order[self.start]
        # A fourth coordinate sets the cubes far apart: a search for the nearest point stays in one cube.
        self.tree = cKDTree(np.column_stack([vectors, cube * (4 * chord)]))

    def nearest(self, rows: Rows, cubes: Rows) -> Rows:
        """Each row paired with the nearest point of a cube, where one is near enough."""
        aims = np.column_stack([self.vectors[rows], cubes * (4 * self.chord)])
        gap, nearest = self.tree.query(aims, distance_upper_bound=np.nextafter(self.chord, 4))
        near = np.isfinite(gap)
        return np.stack([rows[near], nearest[near]], axis=1)

    def expanded(self, pairs: Rows) -> tuple[Rows, Rows]:
        """For each pair of cubes all rows of the first, and the number of the second."""
        count = self.count[pairs[:, 0]]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        rows = self.order[np.repeat(self.start[pairs[:, 0]], count) + within]
        return rows, np.repeat(pairs[:, 1], count)
