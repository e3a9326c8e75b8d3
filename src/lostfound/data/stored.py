"""Records that stay in their files: columns and rows are read when they are asked for.

An import or a preparation of a million images needs few columns at a time, and writes its table row group by
row group, so that it never holds the whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.data.records import SCHEMA
from lostfound.errors import DatasetError, refused_as

_MOST_OPEN = 128
"""Files that are kept open; more are opened each time they are read."""


@dataclass(frozen=True)
class RowGroup:
    """One row group of a Parquet file.

    Attributes:
        file: The file, or its path.
        number: Which row group.
        rows: How many rows it has.
    """

    file: Path | pq.ParquetFile
    number: int
    rows: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Some of its columns, in memory."""
        with refused_as(
            DatasetError, "a table of records is damaged: restore it, or import the data set again"
        ):
            return self._read(columns)

    def _read(self, columns: Sequence[str]) -> pa.Table:
        file = open_parquet(self.file) if isinstance(self.file, Path) else self.file
        return file.read_row_group(self.number, list(columns), use_threads=False).select(columns)


class StoredRecords:
    """Records in Parquet files, one after another; rows can be left out and columns replaced.

    What it offers bears the names of a `pa.Table` and does the same, so that the functions which work on
    records take both. Nothing is written to the files, which must stay as they are.

    Args:
        groups: The row groups of their files (see `of`).
        chosen: Which of the rows, by number, ascending, (n,); all if None.
        changed: Columns that replace the files', each (n,).
    """

    def __init__(
        self,
        groups: Sequence[RowGroup],
        chosen: NDArray[np.int64] | None = None,
        changed: Mapping[str, pa.ChunkedArray] | None = None,
    ) -> None:
        self._groups = groups
        self._chosen = chosen
        self._changed = dict(changed or {})
        self._starts = np.cumsum([0, *(group.rows for group in groups)])
        # which of the chosen records is the first of each group
        self._bounds = self._starts if chosen is None else np.searchsorted(chosen, self._starts)
        self._last: tuple[int, pa.Table] | None = None  # the group that was last read whole

    @classmethod
    def of(cls, files: Sequence[Path | pq.ParquetFile]) -> StoredRecords:
        """All records of Parquet files with the columns of `SCHEMA`, given by path or opened."""
        if len(files) <= _MOST_OPEN:
            files = [open_parquet(file) if isinstance(file, Path) else file for file in files]
        return cls([group for file in files for group in _row_groups(file)])

    @property
    def num_rows(self) -> int:
        """How many records there are."""
        return int(self._bounds[-1])

    @property
    def schema(self) -> pa.Schema:
        """The columns' types."""
        return SCHEMA

    def __len__(self) -> int:
        return self.num_rows

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        return self.select([column])[column]

    def select(self, columns: Sequence[str]) -> pa.Table:
        """Some of the columns, in memory."""
        stored = [name for name in columns if name not in self._changed]
        pieces = [
            self._part(group.read(stored), number, 0, self.num_rows)
            for number, group in enumerate(self._groups if stored else ())
        ]
        table = pa.concat_tables([_empty(stored), *pieces])
        own = [self._changed[name] if name in self._changed else table[name] for name in columns]
        return pa.table(own, schema=_schema(columns))

    def slice(self, offset: int, length: int) -> pa.Table:
        """So many records from an offset on, with all columns, in memory."""
        stop = min(offset + length, self.num_rows)
        pieces = [
            self._part(self._whole(number), number, offset, stop)
            for number, (first, last) in enumerate(pairwise(self._bounds.tolist()))
            if first < stop and last > offset
        ]
        table = pa.concat_tables([_empty(SCHEMA.names), *pieces])
        for name, values in self._changed.items():
            index = SCHEMA.get_field_index(name)
            table = table.set_column(index, SCHEMA.field(name), values.slice(offset, length))
        return table

    def to_table(self) -> pa.Table:
        """All records, in memory."""
        return self.select(SCHEMA.names)

    def filter(self, mask: pa.Array) -> StoredRecords:
        """Those of the records for which the mask, (n,), is true."""
        changed = {name: values.filter(mask) for name, values in self._changed.items()}
        return StoredRecords(self._groups, self._rows()[np.asarray(mask)], changed)

    def set_column(self, _index: int, field: pa.Field, values: pa.Array | pa.ChunkedArray) -> StoredRecords:
        """The records with a column replaced by values, (n,), which are held in memory."""
        column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        return StoredRecords(self._groups, self._chosen, self._changed | {field.name: column})

    def followed_by(self, others: StoredRecords) -> StoredRecords:
        """These records and then others."""
        chosen = None
        if self._chosen is not None or others._chosen is not None:
            chosen = np.concatenate([self._rows(), self._starts[-1] + others._rows()])
        changed = {
            name: pa.chunked_array([*self[name].chunks, *others[name].chunks], SCHEMA.field(name).type)
            for name in self._changed.keys() | others._changed.keys()
        }
        return StoredRecords([*self._groups, *others._groups], chosen, changed)

    def _rows(self) -> NDArray[np.int64]:
        return np.arange(self._starts[-1]) if self._chosen is None else self._chosen

    def _whole(self, number: int) -> pa.Table:
        if self._last is None or self._last[0] != number:
            self._last = (number, self._groups[number].read(SCHEMA.names))
        return self._last[1]

    def _part(self, table: pa.Table, number: int, start: int, stop: int) -> pa.Table:
        """What is chosen of a group's table, no more than the chosen records from start to stop."""
        first, last = self._bounds[number], self._bounds[number + 1]
        start, stop = max(start, first), max(first, min(stop, last))
        if self._chosen is None:
            return table.slice(start - first, stop - start)
        return table.take(self._chosen[start:stop] - self._starts[number])


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a Parquet file; it stays the file that it is, also when another one takes its place."""
    return pq.ParquetFile(pa.OSFile(os.fsencode(path)))  # Arrow takes no path that isn't UTF-8


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([SCHEMA.field(name) for name in columns])


def _empty(columns: Sequence[str]) -> pa.Table:
    return _schema(columns).empty_table()


def _row_groups(file: Path | pq.ParquetFile) -> Iterator[RowGroup]:
    metadata = (open_parquet(file) if isinstance(file, Path) else file).metadata
    for number in range(metadata.num_row_groups):
        yield RowGroup(file, number, metadata.row_group(number).num_rows)
