"""Tables of others, with a name and a place in each row: labels of benchmarks, and predictions.

Columns are recognised by the names that the usual tools give them. Summaries below the rows are skipped,
"NA" is Namibia, and coordinates that can't be meant are refused by name.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lostfound.data.tables import csv_separator, parse_number, parse_text, read_columns
from lostfound.errors import DatasetError, UsageError, nearest_name, refused_as
from lostfound.geo.countries import read_countries
from lostfound.geo.points import check_points
from lostfound.geo.sphere import wrap_longitude

Role = Literal["id", "latitude", "longitude", "country", "place", "confidence"]
Names = Mapping[Role, Sequence[str]]
"""What the column of each role may be called, in lower case, the likeliest first."""

LABELS = "labels.csv"
"""What an import of a benchmark without images leaves: where they would be."""
ID_COLUMNS = (
    *("image_id", "img_id", "id", "image", "image_name", "filename", "file_name", "path", "img_path"),
    *("image_path", "file", "photo", "uuid", "key", "name", "sourcefile"),
)
_TRUE_LATITUDE = ("true_lat", "true_latitude", "gt_lat", "gt_latitude", "label_lat", "target_lat")
_TRUE_LONGITUDE = (
    *("true_lon", "true_long", "true_lng", "true_longitude", "gt_long", "gt_lon", "gt_lng", "gt_longitude"),
    *("label_long", "label_lon", "target_lon", "target_lng"),
)
TRUE_COLUMNS: Names = {
    "id": ID_COLUMNS,
    "latitude": ("latitude", "lat", *_TRUE_LATITUDE),
    "longitude": ("longitude", "lng", "lon", "long", *_TRUE_LONGITUDE),
    "country": ("unique_country", "country", "country_code", "cc", "label_country", "country_name"),
    "place": ("place_id", "place", "location_id", "pano_id", "sequence"),
}
"""Of tables that say where images are."""

_TOTALS = frozenset({"mean", "average", "avg", "median", "total", "sum", "summary", "overall", "all", "std"})
_MOST_BELOW = 10
"""So many lines at most are taken for a summary below the rows."""
_NEEDED: tuple[Role, ...] = ("id", "latitude", "longitude")


@dataclass(frozen=True)
class Rows:
    """The rows of a table that name a place.

    Attributes:
        path: The table.
        ids: What each is called, (n,), as it stands there.
        points: Degrees, (n, 2); NaN where there is none.
        columns: All the columns by name, in lower case, (n,) each.
        roles: Which column has which role.
        notes: What was done to read it, for people.
    """

    path: Path
    ids: NDArray[np.object_]
    points: NDArray[np.float64]
    columns: Mapping[str, Sequence[Any]]
    roles: Mapping[Role, str]
    notes: list[str] = field(default_factory=list)

    def texts(self, role: Role) -> NDArray[np.object_] | None:
        """A column of texts, (n,), None where it is empty; None if there is no such column."""
        if role not in self.roles:
            return None
        return np.array([parse_text(cell) for cell in self.columns[self.roles[role]]], dtype=object)

    def numbers(self, role: Role) -> NDArray[np.float64] | None:
        """A column of numbers, (n,), NaN where it is empty; None if there is no such column."""
        if role not in self.roles:
            return None
        return _numbers(self.path, self.columns[self.roles[role]], self.roles[role])

    def countries(self) -> NDArray[np.object_] | None:
        """The countries, ISO alpha-2, (n,), None where none is known; what can't be told is noted."""
        names = self.texts("country")
        if names is None:
            return None
        read = read_countries(filter(None, names))
        if read.unknown:
            first = next(iter(read.unknown))
            self.notes.append(
                f"{self.path}: {len(read.unknown)} names in the column {self.roles['country']!r} are no "
                f"country and left aside, such as {first!r}"
            )
        return np.array([read.codes.get(name) if name else None for name in names], dtype=object)


@dataclass(frozen=True)
class Labels:
    """Where the images of a benchmark are: a truth to score predictions by, without any image.

    Attributes:
        path: The table that said so.
        stored: Records: image_id, place_id, latitude, longitude, country, original.
        notes: What was done to read it, for people.
    """

    path: Path
    stored: pa.Table
    notes: Sequence[str] = ()

    def __len__(self) -> int:
        return int(self.stored.num_rows)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.path.resolve().stem


def parse_names(text: str | None) -> dict[Role, str]:
    """The columns that a user names: "id=file,latitude=y,longitude=x".

    Raises:
        UsageError: A part of it is no role with a column.
    """
    roles = Role.__args__  # type: ignore[attr-defined]
    found: dict[Role, str] = {}
    for part in filter(None, (text or "").split(",")):
        role, equals, name = (each.strip() for each in part.partition("="))
        if not equals or role not in roles or not name:
            raise UsageError(
                f"{part!r} names no column: write ROLE=COLUMN, with a role of {', '.join(roles)}"
            )
        found[cast(Role, role)] = name.lower()
    return found


def read_rows(
    path: Path, names: Names, stated: Mapping[Role, str] | None = None, *, named: bool = True
) -> Rows:
    """Read the rows of a table that name a place.

    Args:
        path: CSV (with comma, semicolon or tab) or Parquet.
        names: What the columns may be called.
        stated: The columns that the user names, by role; they go before.
        named: Whether each row must have a name of its own.

    Raises:
        UsageError: It is no table, lacks a column, or names one twice.
        DatasetError: A row has no name, a name stands there twice, or a number is none.
    """
    columns = _columns(path)
    roles = _roles(path, list(columns), names, stated or {}, _NEEDED if named else _NEEDED[1:])
    notes: list[str] = []
    count = _end_of_rows(path, columns, roles, notes, summary=named)
    columns = {name: cells[:count] for name, cells in columns.items()}
    points = np.column_stack(
        [_numbers(path, columns[roles[axis]], roles[axis]) for axis in ("latitude", "longitude")]
    )
    rows = Rows(
        path, np.empty(0, object), _right_way_round(path, points, roles, notes), columns, roles, notes
    )
    ids = rows.texts("id")
    if ids is None:
        ids = np.full(count, None, dtype=object)
    if named:
        _check_ids(path, ids, roles["id"])
    return Rows(path, ids, rows.points, columns, roles, notes)


def read_labels(path: Path, stated: Mapping[Role, str] | None = None, names: Names = TRUE_COLUMNS) -> Labels:
    """Read where images are.

    Args:
        path: A table with a name, a latitude and a longitude in each row; country and place if it has them.
        stated: The columns that the user names, by role.
        names: What the columns may be called.

    Raises:
        UsageError: It is no such table.
        DatasetError: A row is wrong, or latitudes and longitudes are exchanged.
    """
    rows = read_rows(path, names, stated)
    countries = rows.countries()
    check_points(
        rows.points, str(path), unknown=True, countries=None if countries is None else list(countries)
    )
    return Labels(path, label_records(rows.ids, rows.points, countries, rows.texts("place")), rows.notes)


def label_records(
    ids: NDArray[np.object_],
    points: NDArray[np.float64],
    countries: NDArray[np.object_] | None,
    places: NDArray[np.object_] | None,
) -> pa.Table:
    """Records of images that are not there; those of equal coordinates show one place if none is stated."""
    if places is None:
        spots = np.unique(points, axis=0, return_inverse=True)[1].ravel()
        places = np.where(np.isnan(points).any(axis=1), ids, spots.astype(str).astype(object))
    nothing = np.full(len(ids), None, dtype=object)
    return pa.table(
        {
            "image_id": pa.array(ids, pa.string()),
            "place_id": pa.array(
                [place or image for place, image in zip(places, ids, strict=True)], pa.string()
            ),
            "latitude": pa.array(points[:, 0], from_pandas=True),
            "longitude": pa.array(points[:, 1], from_pandas=True),
            "country": pa.array(nothing if countries is None else countries, pa.string()),
            "original": pa.array(ids, pa.string()),
        }
    )


def same_names(wanted: Sequence[str], records: pa.Table) -> NDArray[np.object_]:
    """The ids of records that names mean: ids themselves, or files by their path, name or stem.

    Args:
        wanted: Names, as a file of predictions has them.
        records: With `image_id`, and `original` if the images' files are known.

    Returns:
        The ids, (n,); the name itself where no record bears it.
    """
    ids = records["image_id"].to_pylist()
    originals = records["original"].to_pylist() if "original" in records.column_names else []
    found: list[str] = list(wanted)
    most = sum(name in set(ids) for name in wanted)
    for spell in (str, _file_name, _stem):
        spelled, asked = [spell(name) for name in originals], [spell(name) for name in wanted]
        if most == len(wanted) or len(set(spelled)) < len(spelled) or len(set(asked)) < len(asked):
            continue
        known = dict(zip(spelled, ids, strict=True))
        hits = sum(name in known for name in asked)
        if hits > most:
            most = hits
            found = [known.get(name, own) for name, own in zip(asked, wanted, strict=True)]
    return np.array(found, dtype=object)


def _file_name(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _columns(path: Path) -> dict[str, list[Any]]:
    """The cells by column, of CSV as text; lines that are shorter or longer than the first are kept."""
    if path.suffix.lower() == ".parquet" or not path.is_file():
        return read_columns(path)
    with (
        refused_as(UsageError, f"{path} can't be read as a table (CSV must be UTF-8)"),
        path.open(encoding="utf-8-sig", newline="") as file,
    ):
        header = file.readline()
        file.seek(0)
        lines = list(csv.reader(file, delimiter=csv_separator(header)))
    names = [name.strip().lower() for name in lines[0]] if lines else []
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UsageError(f"{path} has two columns {twice[0]!r}: name each column once")
    rows = [line + [""] * (len(names) - len(line)) for line in lines[1:]]
    return {name: [row[column] for row in rows] for column, name in enumerate(names)}


def _roles(
    path: Path,
    columns: Sequence[str],
    names: Names,
    stated: Mapping[Role, str],
    needed: Sequence[Role],
) -> dict[Role, str]:
    found: dict[Role, str] = {}
    for role, candidates in names.items():
        if role in stated:
            if stated[role] not in columns:
                near = nearest_name(stated[role], columns)
                hint = f"; did you mean {near!r}?" if near else ""
                raise UsageError(f"{path} has no column {stated[role]!r}, only {', '.join(columns)}{hint}")
            found[role] = stated[role]
        elif "latitude" in stated and role not in _NEEDED:
            continue  # of several answers in one table the user takes one: what stands by name is another's
        elif name := next((each for each in candidates if each in columns), None):
            found[role] = name
    lacking = [role for role in needed if role not in found]
    if lacking:
        example = ",".join(f"{role}={letter}" for role, letter in zip(needed, "ABC", strict=False))
        raise UsageError(
            f"{path}: no column for {', '.join(lacking)} is known by its name (there are: "
            f"{', '.join(columns) or 'none'}): say which, as in --columns {example}"
        )
    return found


def _end_of_rows(
    path: Path,
    columns: Mapping[str, Sequence[Any]],
    roles: Mapping[Role, str],
    notes: list[str],
    *,
    summary: bool,
) -> int:
    """How many rows there are above empty lines, and above a summary, if one may follow."""
    latitudes = columns[roles["latitude"]]
    ids = columns[roles["id"]] if "id" in roles else latitudes
    total = len(latitudes)
    for row in range(max(0, total - _MOST_BELOW), total) if summary else ():
        cells = [columns[name][row] for name in columns]
        if not any(map(parse_text, cells)):
            continue
        titled = (parse_text(ids[row]) or "").casefold() in _TOTALS
        if titled or not _may_be_number(latitudes[row]):
            end = row
            while end and not any(parse_text(columns[name][end - 1]) for name in columns):
                end -= 1
            notes.append(
                f"{path}: the last {total - end} lines are no rows but a summary, and were skipped (they "
                f"begin with {', '.join(str(cell) for cell in cells[:3])!r})"
            )
            return end
    while total and not any(parse_text(columns[name][total - 1]) for name in columns):
        total -= 1
    return total


def _may_be_number(cell: object) -> bool:
    try:
        parse_number(cell)
    except ValueError:
        return False
    return True


def _numbers(path: Path, cells: Sequence[Any], name: str) -> NDArray[np.float64]:
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            number = parse_number(cell)
        except ValueError:
            raise DatasetError(f"{path}, line {row + 2}: {name} is {cell!r}, which is no number") from None
        if number is not None:
            found[row] = number
    return found


def _right_way_round(
    path: Path, points: NDArray[np.float64], roles: Mapping[Role, str], notes: list[str]
) -> NDArray[np.float64]:
    """Points whose columns bear each other's names are taken as they must be meant, if that is certain.

    Early files of im2gps and im2gps3k are such: their header says LON,LAT, and the latitude comes first.
    """
    half: NDArray[np.bool_] = np.asarray(np.isnan(points).any(axis=1))
    points = np.where(half[:, None], np.nan, points)
    known = points[~half]
    over: NDArray[np.bool_] = np.asarray(np.abs(known) > 90)
    if over[:, 0].any() and not over[:, 1].any() and (np.abs(known) <= 180).all():
        notes.append(
            f"{path}: the columns {roles['latitude']!r} and {roles['longitude']!r} bear each other's names "
            f"({int(over[:, 0].sum())} of {len(known)} latitudes would be beyond 90): taken the other way "
            "round"
        )
        return points[:, ::-1].copy()
    if len(known) and (np.abs(known[:, 1]) > 180).any() and (np.abs(known[:, 1]) <= 360).all():
        points = np.column_stack([points[:, 0], wrap_longitude(points[:, 1])])
    bad: NDArray[np.bool_] = np.asarray(
        (np.abs(points[:, 0]) > 90) | (np.abs(points[:, 1]) > 180) | np.isinf(points).any(axis=1)
    )
    if bad.any():
        row = int(np.argmax(bad))
        raise DatasetError(
            f"{path}, line {row + 2}: {points[row].tolist()} is no latitude and longitude in degrees"
        )
    points[:, 1] = np.where(points[:, 1] == 180, -180.0, points[:, 1])
    return points


def _check_ids(path: Path, ids: NDArray[np.object_], name: str) -> None:
    seen: dict[str, int] = {}
    for row, own in enumerate(ids):
        if own is None:
            raise DatasetError(
                f"{path}, line {row + 2}: the column {name!r} is empty, and nothing else names it"
            )
        if own in seen:
            raise DatasetError(
                f"{path}, line {row + 2}: {own!r} stands in line {seen[own] + 2} already: one row each"
            )
        seen[own] = row
    if not len(ids):
        raise DatasetError(f"{path} has no rows")
