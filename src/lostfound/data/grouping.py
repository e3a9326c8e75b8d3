"""Which rows belong together, by place or by picture, in memory that does not grow with the pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from lostfound.geo.sphere import EARTH_RADIUS_KM, unit_vectors

RowNumbers = NDArray[np.int64]

HASH_BITS = 64
MAX_DISTANCE = 4
"""Bits of 64 that may differ. Re-encoded copies stay within it; other views of a street do not."""

_MAX_HELD = 4_000_000
_MOST_BANDS = 3


def components(n: int, pairs: RowNumbers) -> RowNumbers:
    """The group of each of n rows, (n,), numbered from 0: what pairs (m, 2) connect is one group."""
    left, right = pairs.T
    graph = coo_array((np.ones(len(pairs), dtype=bool), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def star_pairs(group: RowNumbers) -> RowNumbers:
    """Fewer than n pairs (m, 2) that connect each group: every row (n,) with the first of its group."""
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    leader, row = first[which], np.arange(len(group))
    return np.stack([leader[leader != row], row[leader != row]], axis=1)


def first_of(values: NDArray[Any]) -> RowNumbers:
    """For each value the position of its first occurrence, (n,)."""
    _, first, which = np.unique(values, return_index=True, return_inverse=True)
    return np.asarray(first[which], dtype=np.int64)


def connect_within(points: NDArray[np.float64], distance_km: float) -> RowNumbers:
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

    def __init__(self, vectors: NDArray[np.float64], cube: RowNumbers, chord: float) -> None:
        self.vectors, self.cube, self.chord = vectors, cube, chord
        self.order = np.argsort(cube, kind="stable")
        _, self.start, self.count = np.unique(cube[self.order], return_index=True, return_counts=True)
        self.first = self.order[self.start]
        # A fourth coordinate sets the cubes far apart: a search for the nearest point stays in one cube.
        self.tree = cKDTree(np.column_stack([vectors, cube * (4 * chord)]))

    def nearest(self, rows: RowNumbers, cubes: RowNumbers) -> RowNumbers:
        """Each row paired with the nearest point of a cube, where one is near enough."""
        aims = np.column_stack([self.vectors[rows], cubes * (4 * self.chord)])
        gap, nearest = self.tree.query(aims, distance_upper_bound=np.nextafter(self.chord, 4))
        near = np.isfinite(gap)
        return np.stack([rows[near], nearest[near]], axis=1)

    def expanded(self, pairs: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        """For each pair of cubes all rows of the first, and the number of the second."""
        count = self.count[pairs[:, 0]]
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        rows = self.order[np.repeat(self.start[pairs[:, 0]], count) + within]
        return rows, np.repeat(pairs[:, 1], count)


def near_duplicates(hashes: NDArray[np.uint64], max_distance: int = MAX_DISTANCE) -> RowNumbers:
    """Pairs of images whose hashes differ in few bits.

    Cut into d + k bands, two hashes that differ in at most d bits agree exactly in at least k of them
    (pigeonhole), so only images that share k bands are compared. The more images, the larger k, so that
    the work grows with the images and not with their pairs.

    Args:
        hashes: Perceptual hashes, (n,).
        max_distance: The largest Hamming distance of a pair, 0 to 15.

    Returns:
        Row numbers, (m, 2). The pairs connect all images that a chain of near-duplicates connects. Each
        stands for two near-duplicates, but where images are equal or pairs are very many, for two images
        of one such chain, so that a fixed camera's 100 000 frames don't fill the memory.
    """
    unique, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    return np.concatenate([star_pairs(group), first[_band_pairs(unique, max_distance)]])


def _band_pairs(hashes: NDArray[np.uint64], max_distance: int) -> RowNumbers:
    found, held = [np.empty((0, 2), dtype=np.int64)], 0
    for mask in _masks(len(hashes), max_distance):
        key = hashes & mask
        order = np.argsort(key, kind="stable")
        ranked = key[order]
        start = np.arange(len(order))  # positions that still have a partner `shift` further on
        for shift in range(1, len(order)):
            start = start[start < len(order) - shift]
            start = start[ranked[start] == ranked[start + shift]]
            if not len(start):
                break
            left, right = order[start], order[start + shift]
            close = np.bitwise_count(hashes[left] ^ hashes[right]) <= max_distance
            found.append(np.stack([left[close], right[close]], axis=1))
            held += int(close.sum())
            if held > _MAX_HELD:
                found = [star_pairs(components(len(hashes), np.concatenate(found)))]
                held = 0
    return np.concatenate(found)


def _masks(n: int, max_distance: int) -> Iterator[np.uint64]:
    """The bits of each choice of k bands, k such that few of n random hashes share one by chance."""
    k = 1
    while k < _MOST_BANDS and 2 ** (HASH_BITS * k / (max_distance + k)) < n:
        k += 1
    bounds = np.linspace(0, HASH_BITS, max_distance + k + 1).astype(int).tolist()
    bands = [(1 << high) - (1 << low) for low, high in pairwise(bounds)]
    for chosen in combinations(bands, k):
        yield np.uint64(sum(chosen))
