"""Duplicates: the same place, the same bytes, or the same picture after another resize or JPEG quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lostfound.data.graph import Rows, components, star_pairs
from lostfound.data.records import coordinates, numbers

HASH_BITS = 64
MAX_DISTANCE = 4
"""Bits of 64 that may differ. Re-encoded copies stay within it; other views of a street do not."""

_MAX_HELD = 4_000_000
_MOST_BANDS = 3


def near_duplicates(hashes: NDArray[np.uint64], max_distance: int = MAX_DISTANCE) -> Rows:
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


def _band_pairs(hashes: NDArray[np.uint64], max_distance: int) -> Rows:
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


@dataclass(frozen=True)
class Repeats:
    """Images that repeat an earlier one.

    Attributes:
        rows: Their row numbers, ascending, (m,).
        of: The row of the first image that each repeats, (m,); that one is none of `rows`.
        distance: The bits of 64 in which the two hashes differ, (m,); 0 where the match is exact.
    """

    rows: Rows
    of: Rows
    distance: Rows


def repeated_coordinates(records: pa.Table) -> Repeats:
    """Images taken at exactly the coordinates of an earlier place.

    The first place stays with all its views: what shares its `place_id` is no repeat.
    """
    points = coordinates(records)
    located = np.flatnonzero(np.isfinite(points).all(axis=1))
    first = first_of(points[located] @ np.array([1, 1j]))
    place, _ = numbers(records, "place_id")
    other = place[located] != place[located[first]]
    rows = located[other]
    return Repeats(rows, located[first[other]], np.zeros_like(rows))


def repeated_bytes(records: pa.Table) -> Repeats:
    """Images stored as exactly the same bytes as an earlier one."""
    first = first_of(numbers(records, "sha256")[0])
    rows = np.flatnonzero(first != np.arange(len(first)))
    return Repeats(rows, first[rows], np.zeros_like(rows))


def repeated_pictures(records: pa.Table, max_distance: int = MAX_DISTANCE) -> Repeats:
    """Images that nearly repeat an earlier one, by perceptual hash.

    In the order of the rows, an image stays unless one that stays is within the distance: of a chain of
    images that change little by little, some stay.

    Args:
        records: Image records.
        max_distance: Bits of 64 that may differ.
    """
    hashes = records["phash"].to_numpy()
    group = components(len(hashes), near_duplicates(hashes, max_distance))
    order = np.argsort(group, kind="stable")
    bounds = np.flatnonzero(np.diff(group[order], prepend=-1, append=-1))
    found: list[tuple[Rows, Rows, Rows]] = []
    for number in np.flatnonzero(np.diff(bounds) > 1).tolist():
        rest = order[bounds[number] : bounds[number + 1]]
        while len(rest) > 1:
            distance = np.bitwise_count(hashes[rest] ^ hashes[rest[0]]).astype(np.int64)
            near = distance <= max_distance
            near[0] = False
            found.append((rest[near], np.full(near.sum(), rest[0]), distance[near]))
            near[0] = True
            rest = rest[~near]
    empty = np.empty(0, dtype=np.int64)
    rows, of, distance = (
        np.concatenate([empty, *columns]) for columns in (zip(*found, strict=True) if found else ((), (), ()))
    )
    ascending = np.argsort(rows)
    return Repeats(rows[ascending], of[ascending], distance[ascending])


def first_of(values: NDArray[Any]) -> Rows:
    """For each value the position of its first occurrence, (n,)."""
    _, first, which = np.unique(values, return_index=True, return_inverse=True)
    return np.asarray(first[which], dtype=np.int64)
