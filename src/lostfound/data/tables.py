"""What people write in tables: columns by name, and cells that are texts, numbers or countries."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lostfound.errors import CountryNameError, UsageError
from lostfound.geo.countries import read_countries

LATITUDE_COLUMNS = ("latitude", "lat", "gpslatitude")
LONGITUDE_COLUMNS = ("longitude", "lng", "lon", "long", "gpslongitude")
COUNTRY_COLUMNS = ("country", "country_name", "countryname", "country_code", "countrycode")
_DEGREES = re.compile(
    r"""([NSEW])? \s* ([-+])? \s* (\d+(?:\.\d+)?)
        (?: (?:\s*(?:deg|[°ºd])\s*|\s+) (\d+(?:\.\d+)?) (?: (?:\s*['′’]\s*|\s+) (\d+(?:\.\d+)?) )? )?
        \s* (?:deg|[°ºd'′’"″”]|'')? \s* ([NSEW])? (?:orth|outh|ast|est)?""",
    re.VERBOSE | re.IGNORECASE,
)
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


def refuse_unknown(unknown: Mapping[str, str], where: str) -> None:
    """Refuse names that can't be told to be one country.

    Args:
        unknown: Why, by name.
        where: Where they are written.

    Raises:
        CountryNameError: There are some; the message lists all of them with their candidates.
    """
    if unknown:
        raise CountryNameError(
            f"{where}: {len(unknown)} name(s) can't be told to be one country; rename them to an "
            "English name or an ISO code (or move them away):\n"
            + "\n".join(f"  {name!r}: {why}" for name, why in unknown.items())
        )


def resolve_countries(names: Iterable[str], where: str) -> dict[str, str]:
    """The ISO codes of country names as people write them.

    Raises:
        CountryNameError: Some names can't be told; the message lists all of them with their candidates.
    """
    read = read_countries(names)
    refuse_unknown(read.unknown, where)
    return read.codes


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


def parse_degrees(value: object, directions: str, reference: object = None) -> float | None:
    """Degrees from a cell or a JSON value: a number, or as people and ExifTool write it.

    Args:
        value: Such as 48.85, `48 deg 51' 30.00" N` or `48° 51.5′ N`.
        directions: "NS" or "EW": the letters that a positive and a negative angle has.
        reference: What a field of its own says of the direction, such as "S" or "South"; empty for none.

    Returns:
        Degrees, to the north or the east; None where the value is empty.

    Raises:
        ValueError: It is there and is no angle of that kind.
    """
    text = parse_text(value)
    if text in (None, "NA", "-"):  # what R and ExifTool write for nothing
        return None
    direction = (parse_text(reference) or "")[:1].upper()
    try:
        angle = float(text)
    except ValueError:
        match = _DEGREES.fullmatch(text)
        parts = [float(part or 0) for part in match.group(3, 4, 5)] if match else []
        letter = ((match[1] or match[6] or "") if match else "").upper()
        if match is None or max(parts[1:]) >= 60 or letter not in ("", *directions):
            raise ValueError(f"{text!r} is no angle in degrees") from None
        angle = (parts[0] + parts[1] / 60 + parts[2] / 3600) * (-1 if match[2] == "-" else 1)
        direction = letter or direction
    return -abs(angle) if direction == directions[1] else angle


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
