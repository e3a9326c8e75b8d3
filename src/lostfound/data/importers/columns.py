"""Tables that a person hands over, CSV or Parquet, as columns by name."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lostfound.errors import UsageError


def read_columns(path: Path) -> dict[str, list[Any]]:
    """The columns of a table by their names in lower case.

    Args:
        path: A Parquet file, or CSV in UTF-8, whose cells are given as text; separated by what its first
            line has most of: comma, semicolon or tab.

    Raises:
        UsageError: It is missing, can't be read as a table, or has a column twice.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: give a CSV or Parquet file")
    try:
        table = pq.read_table(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise UsageError(f"{path} can't be read as a table (CSV must be UTF-8): {error}") from None
    names = [name.strip().lower() for name in table.column_names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{path} has two columns {twice[0]!r}: name each column once")
    return {name: column.to_pylist() for name, column in zip(names, table.columns, strict=True)}


def _read_csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
    separator = max(",;\t", key=lambda each: len(next(csv.reader([header], delimiter=each), [])))
    names = next(csv.reader([header], delimiter=separator), [])
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False),
        parse_options=pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False
        ),
    )
