"""The table of image records: one row an image, null where something is not known."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.files import file_digest, writing_atomically

SPLITS = ("train", "val", "test")
ROW_GROUP = 16384
"""Rows that are written, and read, at a time."""

SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),  # hash of the source file's bytes (and of the view, in a strip)
        ("place_id", pa.string()),  # one spot on Earth; its views share it
        ("heading", pa.float32()),  # degrees clockwise from north, or from the strip's left edge
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("country", pa.string()),  # ISO 3166-1 alpha-2, Kosovo XK
        ("region", pa.string()),
        ("city", pa.string()),
        ("captured_at", pa.string()),  # ISO 8601, as far as it is known
        (
            "source",
            pa.string(),
        ),  # the name of the source it came from; SOURCE/COLLECTION where that has several
        ("license", pa.string()),
        ("split", pa.string()),  # train, val or test
        ("original", pa.string()),  # the file's path below its source
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("phash", pa.uint64()),  # perceptual hash, see lostfound.data.phash
        ("shard", pa.string()),  # the tar file below images/ that holds the bytes ...
        ("offset", pa.int64()),  # ... from this byte on ...
        ("size", pa.int32()),  # ... this many of them ...
        ("sha256", pa.string()),  # ... with this hash
    ]
)


class Records(Protocol):
    """What the steps of imports and preparations ask of records: a `pa.Table`, or records in files.

    All is as `pa.Table` has it (see `lostfound.data.stored.StoredRecords`).
    """

    @property
    def num_rows(self) -> int: ...  # noqa: D102

    @property
    def schema(self) -> pa.Schema: ...  # noqa: D102

    def __getitem__(self, column: str, /) -> pa.ChunkedArray: ...

    def select(self, columns: Sequence[str], /) -> pa.Table: ...  # noqa: D102

    def slice(self, offset: int, length: int, /) -> pa.Table: ...  # noqa: D102

    def filter(self, mask: pa.Array, /) -> Self: ...  # noqa: D102

    def set_column(self, index: int, field: pa.Field, values: Any, /) -> Self: ...  # noqa: D102


AnyRecords = TypeVar("AnyRecords", bound=Records)


def coordinates(records: Records) -> NDArray[np.float64]:
    """Latitude and longitude in degrees, (n, 2); NaN where a record has none."""
    columns = records.select(["latitude", "longitude"])
    return np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1).astype(np.float64)


def strings(records: Records, column: str) -> NDArray[np.object_]:
    """A text column as an array of `str` and None."""
    values: NDArray[np.object_] = records[column].to_numpy(zero_copy_only=False)
    return values


def numbers(records: Records, column: str) -> tuple[NDArray[np.int64], pa.Array]:
    """A text column as numbers, equal where the texts are, in the order in which these come first.

    Much smaller than `strings`, of which each is an object.

    Returns:
        The number of each row's text, (n,), and the texts by number; null is a text of its own.
    """
    parts = pc.dictionary_encode(records[column], null_encoding="encode").chunks
    if not parts:
        return np.empty(0, dtype=np.int64), pa.array([], SCHEMA.field(column).type)
    indices = [part.indices.to_numpy(zero_copy_only=False) for part in parts]
    return np.concatenate(indices, dtype=np.int64), parts[-1].dictionary


def set_column(
    records: AnyRecords, name: str, values: pa.Array | pa.ChunkedArray | list[object] | NDArray[np.object_]
) -> AnyRecords:
    """The table with one of its columns replaced."""
    field = SCHEMA.field(name)
    if not isinstance(values, pa.ChunkedArray):
        values = pa.array(values, field.type)
    return records.set_column(SCHEMA.get_field_index(name), field, values)


def select_split(records: pa.Table, split: str) -> pa.Table:
    """The records of one split."""
    return records.filter(pc.equal(records["split"], split))


def counts(records: Records, column: str) -> dict[str, int]:
    """How many records have each value of a column, most first."""
    table = pc.value_counts(records[column]).to_pylist()
    named = {str(row["values"]) if row["values"] is not None else "unknown": row["counts"] for row in table}
    return dict(sorted(named.items(), key=lambda pair: (-pair[1], pair[0])))


def count_sources(records: Records) -> dict[str, int]:
    """How many records each source has, most first; its collections (`SOURCE/COLLECTION`) together."""
    found: Counter[str] = Counter()
    for name, count in counts(records, "source").items():
        found[name.partition("/")[0]] += count
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def to_parquet(records: pa.Table) -> bytes:
    """The table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(records, buffer, compression="zstd")
    return buffer.getvalue()


def write_parquet(path: Path, records: Records) -> str:
    """Write a Parquet file, row group by row group, whole or not at all; gives the hash of its bytes.

    The same records give the same bytes, wherever they were.
    """
    with writing_atomically(path) as partial:
        with partial.open("wb") as file, pq.ParquetWriter(file, records.schema, compression="zstd") as writer:
            for start in range(0, records.num_rows, ROW_GROUP):
                writer.write_table(records.slice(start, ROW_GROUP).combine_chunks())
        return file_digest(partial)
