"""What people write in tables: columns by name, and cells that are texts, numbers or countries."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lostfound.errors import CountryNameError, UsageError
from lostfound.geo.countries import find_country

_EMPTY = frozenset({"", "nan", "null", "none", "n/a", "<na>"})  # what programs write for nothing


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


def csv_separator(header: str) -> str:
    """What separates the cells of a CSV file: what its first line has most of, comma, semicolon or tab."""
    return max(",;\t", key=lambda each: len(next(csv.reader([header], delimiter=each), [])))


def resolve_countries(names: Iterable[str], where: str) -> dict[str, str]:
    """The ISO codes of country names as people write them.

    Raises:
        CountryNameError: Some names can't be told; the message lists all of them with their candidates.
    """
    codes, problems = {}, []
    for name in sorted(set(names)):
        match = find_country(name)
        if match.code is not None:
            codes[name] = match.code
        else:
            could_be = ", ".join(f"{label} ({code})" for code, label, _ in match.candidates[:5])
            problems.append(f"  {name!r}: {'could be ' + could_be if could_be else 'like no country known'}")
    if problems:
        raise CountryNameError(
            f"{where}: {len(problems)} name(s) can't be told to be one country; rename them to an "
            "English name or an ISO code (or move them away):\n" + "\n".join(problems)
        )
    return codes


def parse_text(value: object) -> str | None:
    """The text of a cell or a JSON value, without spaces around it; None where it is empty."""
    text = "" if value is None else str(value).strip()
    return None if text.casefold() in _EMPTY else text


def parse_number(value: object) -> float | None:
    """A number from a cell or a JSON value; None where it is empty, which is how NaN is meant there.

    Raises:
        ValueError: It is there and is no number.
    """
    text = parse_text(value)
    return None if text in (None, "NA") else float(text)  # "NA" is R's null; as a text it is Namibia


def _read_csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
    separator = csv_separator(header)
    names = next(csv.reader([header], delimiter=separator), [])
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False),
        parse_options=pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False
        ),
    )
