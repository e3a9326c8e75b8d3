"""Whether a test split leaks: what its images share with those that a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lostfound.data.grouping import MAX_DISTANCE, RowNumbers, components, near_duplicates
from lostfound.data.records import coordinates, strings
from lostfound.geo.nearest import NearestSearch

PAIRS = (("test", "train"), ("val", "train"), ("test", "val"))
QUANTILES = {"nearest": 0.0, "1 %": 0.01, "10 %": 0.1, "median": 0.5}
_BLOCK = 1024


@dataclass(frozen=True)
class Leak:
    """What one split shares with another. All counts are of the first split's images.

    Attributes:
        split: The split that is to be new, such as "test".
        other: The split that it is compared with, such as "train".
        images: Images of the split.
        located: Those with coordinates, where the other split has some too.
        unlocated: Those without coordinates: whether they are near the other split can't be known.
        other_unlocated: Images of the other split without coordinates, which may be near any of these.
        distance_km: Distances to the nearest image of the other split, by name of the quantile; empty where
            nothing is located.
        within: Images closer than the distance that splits must keep.
        same_panorama: Images whose place has views in the other split, or whose coordinates are exactly
            those of an image there.
        same_bytes: Images that are there with the same bytes.
        near_duplicates: Images that are there as a near-duplicate (see `near_duplicates`),
            those with the same bytes among them.
        nearest: The ids of the nearest two images, the split's and the other's; None where nothing is
            located.
    """

    split: str
    other: str
    images: int
    located: int
    distance_km: dict[str, float]
    within: int
    same_panorama: int
    same_bytes: int
    near_duplicates: int
    nearest: tuple[str, str] | None
    unlocated: int = 0
    other_unlocated: int = 0

    @property
    def clean(self) -> bool:
        """Is nothing found that is shared?"""
        return not (self.within or self.same_panorama or self.same_bytes or self.near_duplicates)

    @property
    def known(self) -> bool:
        """Have all images coordinates, so that what is not found is not there?"""
        return not (self.unlocated or self.other_unlocated)


def find_leaks(records: pa.Table, *, distance_km: float, max_distance: int = MAX_DISTANCE) -> list[Leak]:
    """Compare each split with those it must share nothing with.

    Args:
        records: Image records.
        distance_km: The least distance between places of two splits.
        max_distance: Bits of 64 in which near-duplicates' hashes may differ.

    Returns:
        Test and validation against training, and test against validation; pairs with an empty split are
        left out.
    """
    split = strings(records, "split")
    rows = {name: np.flatnonzero(split == name) for pair in PAIRS for name in pair}
    hashes = records["phash"].to_numpy()
    group = components(len(hashes), near_duplicates(hashes, max_distance))
    return [
        _compare(records, (one, rows[one]), (other, rows[other]), group, distance_km, max_distance)
        for one, other in PAIRS
        if len(rows[one]) and len(rows[other])
    ]


def _compare(
    records: pa.Table,
    one: tuple[str, RowNumbers],
    other: tuple[str, RowNumbers],
    group: RowNumbers,
    distance_km: float,
    max_distance: int,
) -> Leak:
    rows, others = one[1], other[1]
    points = coordinates(records)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
    located, around = rows[known[rows]], others[known[others]]
    distance, nearest, same_spot = np.empty(0), None, np.zeros(len(rows), dtype=np.bool_)
    if len(located) and len(around):
        search = NearestSearch(points[around])
        found = search.rows(points[located])
        distance = search.distances_km(points[located], found)
        closest = int(distance.argmin())
        ids = records["image_id"]
        nearest = (ids[located[closest]].as_py(), ids[around[found[closest]]].as_py())
        as_numbers = np.array([1, 1j])
        same_spot[known[rows]] = np.isin(points[located] @ as_numbers, points[around] @ as_numbers)
    place, sha256 = strings(records, "place_id"), strings(records, "sha256")
    hashes = records["phash"].to_numpy()
    return Leak(
        split=one[0],
        other=other[0],
        images=len(rows),
        located=len(distance),
        distance_km={
            name: float(np.quantile(distance, share)) for name, share in QUANTILES.items() if len(distance)
        },
        within=int((distance < distance_km).sum()),
        same_panorama=int((same_spot | _shared(place[rows], place[others])).sum()),
        same_bytes=int(_shared(sha256[rows], sha256[others]).sum()),
        near_duplicates=_near(hashes, group, rows, others, max_distance),
        nearest=nearest,
        unlocated=len(rows) - int(known[rows].sum()),
        other_unlocated=len(others) - int(known[others].sum()),
    )


def _shared(values: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which values are among the others."""
    there = set(others.tolist())
    return np.array([value in there for value in values.tolist()], dtype=np.bool_)


def _near(
    hashes: NDArray[np.uint64], group: RowNumbers, rows: RowNumbers, others: RowNumbers, max_distance: int
) -> int:
    """How many rows have a near-duplicate among the others; only those of one group can be."""
    both = np.intersect1d(group[rows], group[others])
    rows = rows[np.isin(group[rows], both)]
    others = others[np.isin(group[others], both)]
    others = others[np.argsort(group[others], kind="stable")]
    start = np.searchsorted(group[others], group[rows], side="left")
    end = np.searchsorted(group[others], group[rows], side="right")
    count = 0
    for row, first, last in zip(rows.tolist(), start.tolist(), end.tolist(), strict=True):
        # In blocks: mostly one of the first is near, as in a fixed camera's thousands of frames.
        for block in range(first, last, _BLOCK):
            there = hashes[others[block : min(block + _BLOCK, last)]]
            if (np.bitwise_count(there ^ hashes[row]) <= max_distance).any():
                count += 1
                break
    return count
