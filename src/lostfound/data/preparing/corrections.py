"""Corrections of image records from a lookup table by id, so that nothing must be collected again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lostfound.data.records import coordinates, set_column, strings
from lostfound.data.tables import parse_number, parse_text, read_columns, resolve_countries
from lostfound.errors import UsageError
from lostfound.geo.boundaries import label_countries
from lostfound.geo.points import check_points
from lostfound.geo.sphere import location_problem, wrap_longitude

KEYS = ("image_id", "place_id", "original", "id")
"""Columns by which a table's rows find their images, the first that it has. `id` is the image's id, or its
original file's name without the ending, or the last part of its place's id: what a collector named it by."""

_NUMBERS, _TEXTS = (
    ("latitude", "longitude", "heading"),
    ("country", "region", "city", "captured_at", "license"),
)
_ALIASES = {"lat": "latitude", "lng": "longitude", "lon": "longitude", "uuid": "id"}


@dataclass(frozen=True)
class Corrections:
    """A lookup table.

    Attributes:
        key: The column of `KEYS` that its rows are found by.
        row: The row number of each id.
        values: The corrected columns; None where a row leaves an image as it is.
    """

    key: str
    row: dict[str, int]
    values: dict[str, list[Any]] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Corrections:
        """Read a table with one of the columns `KEYS` and some of those to correct.

        Corrected are latitude and longitude (together), heading, country (by name or code), region, city,
        captured_at and license. Empty cells correct nothing; other columns are not looked at.

        Raises:
            UsageError: The file is no such table, or has an id twice with other values.
            DatasetError: Coordinates that can't be, or are swapped.
            CountryNameError: Names that can't be told to be one country.
        """
        columns = {_ALIASES.get(name, name): cells for name, cells in read_columns(path).items()}
        key = next((name for name in KEYS if name in columns), None)
        known = [name for name in (*_NUMBERS, *_TEXTS) if name in columns]
        if key is None or not known:
            raise UsageError(
                f"{path} corrects nothing: it needs a column {', '.join(KEYS)} and some of "
                f"{', '.join((*_NUMBERS, *_TEXTS))}; it has {', '.join(columns) or 'none'}"
            )
        values = {name: _cells(path, name, columns[name]) for name in known}
        if "country" in values:
            codes = resolve_countries(filter(None, values["country"]), str(path))
            values["country"] = [code and codes[code] for code in values["country"]]
        _check_coordinates(path, values)
        return cls(key, _rows(path, columns[key], values), values)

    def matches(self, records: pa.Table) -> NDArray[np.int64]:
        """The table's row for each image, (n,); -1 where it has none."""
        found = np.full(records.num_rows, -1, dtype=np.int64)
        for ids in reversed(_ids(records, self.key)):
            row = np.array([self.row.get(normalize("NFC", each), -1) for each in ids], dtype=np.int64)
            found = np.where(row >= 0, row, found)
        return found


@dataclass(frozen=True)
class Corrected:
    """Records after a lookup table.

    Attributes:
        records: The corrected records.
        named: How many images the table names.
        unused: How many of its ids no image has.
        moved: Which images it gives coordinates, (n,).
    """

    records: pa.Table
    named: int
    unused: int
    moved: NDArray[np.bool_]


def correct(records: pa.Table, corrections: Corrections) -> Corrected:
    """Put a lookup table's values into the records.

    Images that it moves lose the labels that came from their wrong coordinates, to be found anew.

    Raises:
        UsageError: The table names none of the images.
    """
    row = corrections.matches(records)
    if (row < 0).all():
        raise UsageError(
            f"the corrections name none of the {len(row)} images: their column {corrections.key!r} holds "
            f"ids such as {next(iter(corrections.row), '')!r}, where the data set has "
            f"{_ids(records, corrections.key)[0][0]!r}"
        )
    given = {
        name: np.array([*cells, None], dtype=object)[row]  # the last stands for -1
        for name, cells in corrections.values.items()
    }
    moved = _known(given["latitude"]) if "latitude" in given else np.zeros(len(row), dtype=np.bool_)
    records = _forget_labels(records, moved)
    for name, values in given.items():
        old = np.array(records[name].to_pylist(), dtype=object)  # which keeps nulls in columns of numbers
        records = set_column(records, name, np.where(_known(values), values, old))
    unused = len(corrections.row) - len(set(row.tolist()) - {-1})
    return Corrected(records, int((row >= 0).sum()), unused, moved)


def _forget_labels(records: pa.Table, moved: NDArray[np.bool_]) -> pa.Table:
    """Take away the labels of images that are moved.

    A country stays that was stated otherwise than the wrong coordinates said: who collected it knew better.
    """
    at_old = label_countries(np.where(moved[:, None], coordinates(records), np.nan), None)
    for name in ("country", "region", "city"):
        values = strings(records, name).copy()
        values[moved & (values == at_old) if name == "country" else moved] = None
        records = set_column(records, name, values)
    return records


def _known(values: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([value is not None for value in values], dtype=np.bool_)


def _ids(records: pa.Table, key: str) -> list[list[str]]:
    """What the images may be called in a key's column, the surest first."""
    if key != "id":
        return [[each or "" for each in strings(records, key)]]
    stems = [Path(each or "").stem for each in strings(records, "original")]
    places = [re.split("[/:]", each or "")[-1] for each in strings(records, "place_id")]
    return [*_ids(records, "image_id"), stems, places, [Path(each).stem for each in places]]


def _cells(path: Path, name: str, cells: list[Any]) -> list[Any]:
    if name not in _NUMBERS:
        return [parse_text(cell) for cell in cells]
    numbers = []
    for row, cell in enumerate(cells):
        try:
            number = parse_number(cell)
            numbers.append(number % 360 if name == "heading" and number is not None else number)
        except ValueError:
            raise UsageError(f"{path} row {row + 2}: {name} {cell!r} is no number") from None
    return numbers


def _check_coordinates(path: Path, values: dict[str, list[Any]]) -> None:
    if ("latitude" in values) != ("longitude" in values):
        raise UsageError(f"{path} has one of latitude and longitude: coordinates need both")
    if "latitude" not in values:
        return
    for row, pair in enumerate(zip(values["latitude"], values["longitude"], strict=True)):
        if (pair[0] is None) != (pair[1] is None):
            raise UsageError(f"{path} row {row + 2} has one of latitude and longitude: coordinates need both")
    points = np.array([values["latitude"], values["longitude"]], dtype=np.float64).T
    check_points(points, str(path), unknown=True)
    for row, pair in enumerate(zip(values["latitude"], values["longitude"], strict=True)):
        if pair[0] is not None and (problem := location_problem(*pair)):
            raise UsageError(f"{path} row {row + 2}: {problem}")
    values["longitude"] = [
        None if each is None else float(wrap_longitude(each)) for each in values["longitude"]
    ]


def _rows(path: Path, keys: list[Any], values: dict[str, list[Any]]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for number, key in enumerate(keys):
        name = parse_text(key)
        if name is None:
            continue
        before = rows.setdefault(normalize("NFC", name), number)  # systems write names in several forms
        if any(cells[before] != cells[number] for cells in values.values()):
            raise UsageError(f"{path} gives {name!r} twice with other values (row {number + 2}): keep one")
    return rows
