"""Splits by place: what a model is tested on, it has not seen from any side."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from lostfound.data.grouping import RowNumbers, components, connect_within, near_duplicates, star_pairs
from lostfound.data.records import SPLITS, AnyRecords, Records, coordinates, numbers, set_column
from lostfound.errors import UsageError

SplitBy = Literal["place", "image"]


@dataclass(frozen=True)
class SplitSettings:
    """How a data set is divided.

    Attributes:
        seed: Another seed gives another division.
        val: Share of the places for validation, 0 to 1.
        test: Share of the places for the test, 0 to 1; with 1 nothing is trained on, as of a benchmark.
        distance_km: Places closer than this are never in two splits.
        by: "image" divides images one by one, whatever they share, to measure what that is worth (EUGuess's
            test held other views of training places).
    """

    seed: int = 0
    val: float = 0.1
    test: float = 0.1
    distance_km: float = 1.0
    by: SplitBy = "place"

    def __post_init__(self) -> None:
        if not (0 <= self.val < 1 and 0 <= self.test <= 1):
            raise UsageError(
                f"the shares of validation ({self.val}) and test ({self.test}) must be at least 0 "
                "and at most 1"
            )
        if self.val + self.test >= 1 and (self.val, self.test) != (0, 1):
            raise UsageError(
                f"the shares of validation ({self.val}) and test ({self.test}) must leave something for "
                "training; a test of 1 and a validation of 0 make a data set to measure on"
            )
        if not self.distance_km >= 0:
            raise UsageError(f"the distance between splits is {self.distance_km} km; it can't be negative")


def assign_splits(records: AnyRecords, settings: SplitSettings) -> AnyRecords:
    """Fill the column `split`, deterministically and stably when rows are added.

    RowNumbers are joined into groups: the same place, places within `distance_km`, and near-duplicate images.
    A group goes where the hash of its representative place says, the place whose hash is smallest, so
    neither the order of the rows nor what lies elsewhere matters. RowNumbers that already have a split keep
    it, and their group follows them; where new rows join groups of two splits, training wins over
    validation over test, so that nothing already trained on is ever tested on.
    """
    if settings.by == "image":
        groups, names = numbers(records, "image_id")
        return set_column(records, "split", _divide(records, settings, names, groups, groups))
    place, places = numbers(records, "place_id")
    groups = _groups(records.select(["phash", "latitude", "longitude"]), place, settings.distance_km)
    return set_column(records, "split", _divide(records, settings, places, place, groups))


def _divide(
    records: Records, settings: SplitSettings, places: pa.Array, place: RowNumbers, groups: RowNumbers
) -> pa.Array:
    """The splits, (n,): a group's is that of its place, a number of `places`, whose hash is smallest."""
    position = np.fromiter((_position(settings.seed, str(name)) for name in places), float, len(places))
    lowest = np.full(groups.max(initial=-1) + 1, 1.0)
    np.minimum.at(lowest, groups, position[place])
    # The smallest of n uniform draws is not uniform: hash it once more.
    drawn = np.fromiter((_position(settings.seed, value.hex()) for value in lowest), float, len(lowest))
    choice = np.where(drawn < settings.test, 2, np.where(drawn < settings.test + settings.val, 1, 0))
    held = {name: index for index, name in enumerate(SPLITS)}
    split, names = numbers(records, "split")
    known = np.array([held.get(name, len(SPLITS)) for name in names.to_pylist()], dtype=np.int64)
    earliest = np.full(len(choice), len(SPLITS))
    np.minimum.at(earliest, groups, known[split])
    choice = np.where(earliest < len(SPLITS), earliest, choice)
    return pa.array(SPLITS).take(pa.array(choice[groups]))


def _position(seed: int, name: str) -> float:
    """A name's place on the unit interval."""
    value = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(value[:8], "big") / 2**64


def _groups(records: pa.Table, place: RowNumbers, distance_km: float) -> RowNumbers:
    """The number of each row's group, (n,), of the rows' hashes, coordinates and places (n,)."""
    pairs = [star_pairs(place), near_duplicates(records["phash"].to_numpy())]
    points = coordinates(records)
    located = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(located):
        spots, first, spot = np.unique(points[located], axis=0, return_index=True, return_inverse=True)
        pairs += [located[star_pairs(spot.ravel())], located[first[connect_within(spots, distance_km)]]]
    return components(records.num_rows, np.concatenate(pairs))
