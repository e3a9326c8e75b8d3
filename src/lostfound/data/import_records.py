"""What an import does with the records of its images: their countries, and each image once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lostfound.data.duplicates import first_of
from lostfound.data.records import coordinates, numbers, set_column, strings
from lostfound.geo.boundaries import Boundaries


def with_country(records: pa.Table, boundaries: Boundaries) -> pa.Table:
    """Fill in the country of records that have coordinates and none stated.

    A stated country stays, wherever the coordinates lie: who took the photo knows of territories and
    borders what a map of the world does not.
    """
    points, stated = coordinates(records), records["country"]
    unknown = np.isfinite(points).all(axis=1) & stated.is_null().to_numpy()
    if not unknown.any():
        return records
    codes = pa.array([*boundaries.codes, None], pa.string())
    number = np.full(len(points), len(boundaries.codes))
    number[unknown] = boundaries.index_at(points[unknown]) % len(codes)  # -1 is the last: none
    return set_column(records, "country", pc.coalesce(stated, codes.take(pa.array(number))))


def without_repeats(existing: pa.Table | None, added: pa.Table) -> tuple[pa.Table, int, int]:
    """Both tables together, each image once (the first stays).

    Returns:
        The table, the number of records dropped, and how many of those had another label.
    """
    records = pa.concat_tables([existing, added]).combine_chunks() if existing is not None else added
    first = first_of(numbers(records, "image_id")[0])
    fresh = first == np.arange(len(first))
    if fresh.all():
        return records, 0, 0
    repeats, originals = records.filter(pa.array(~fresh)), records.take(pa.array(first[~fresh]))
    other = np.zeros(repeats.num_rows, dtype=bool)
    for column in ("country", "latitude", "longitude"):
        other |= strings(repeats, column).astype(str) != strings(originals, column).astype(str)
    return records.filter(pa.array(fresh)), repeats.num_rows, int(other.sum())
