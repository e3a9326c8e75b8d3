"""Duplicates: the same place, the same bytes, or the same picture after another resize or JPEG quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lostfound.data.grouping import MAX_DISTANCE, RowNumbers, components, first_of, near_duplicates
from lostfound.data.records import coordinates, numbers


@dataclass(frozen=True)
class Repeats:
    """Images that repeat an earlier one.

    Attributes:
        rows: Their row numbers, ascending, (m,).
        of: The row of the first image that each repeats, (m,); that one is none of `rows`.
        distance: The bits of 64 in which the two hashes differ, (m,); 0 where the match is exact.
    """

    rows: RowNumbers
    of: RowNumbers
    distance: RowNumbers


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
    found: list[tuple[RowNumbers, RowNumbers, RowNumbers]] = []
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
