"""What an import does with the records of its images: their countries, and each image once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lostfound.data.preparing.duplicates import first_of
from lostfound.data.records import AnyRecords, coordinates, numbers, set_column, strings
from lostfound.geo.boundaries import Boundaries


def with_country(records: AnyRecords, boundaries: Boundaries) -> AnyRecords:
    """Fill in the country of records that have coordinates and none stated.

    A stated country stays, wherever the coordinates lie: who took the photo knows of territories and
    borders what a map of the world does not.
    """
    needed = records.select(["country", "latitude", "longitude"])
    points, stated = coordinates(needed), needed["country"]
    unknown = np.isfinite(points).all(axis=1) & stated.is_null().to_numpy()
    if not unknown.any():
        return records
    codes = pa.array([*boundaries.codes, None], pa.string())
    number = np.full(len(points), len(boundaries.codes))
    number[unknown] = boundaries.index_at(points[unknown]) % len(codes)  # -1 is the last: none
    return set_column(records, "country", pc.coalesce(stated, codes.take(pa.array(number))))


def without_repeats(records: AnyRecords) -> tuple[AnyRecords, int, int]:
    """Each image once, the first stays.

    Returns:
        The records, the number of those dropped, and how many of these had another label.
    """
    first = first_of(numbers(records, "image_id")[0])
    fresh = first == np.arange(len(first))
    if fresh.all():
        return records, 0, 0
    labels = records.select(["country", "latitude", "longitude"])
    repeats, originals = labels.filter(pa.array(~fresh)), labels.take(pa.array(first[~fresh]))
    other = np.zeros(repeats.num_rows, dtype=bool)
    for column in labels.column_names:
        other |= strings(repeats, column).astype(str) != strings(originals, column).astype(str)
    return records.filter(pa.array(fresh)), repeats.num_rows, int(other.sum())
