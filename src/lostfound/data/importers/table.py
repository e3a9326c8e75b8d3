"""Layout `table`: CSV, Parquet or ExifTool's JSON files that name images and say where they were taken."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lostfound.data.importers.finding import IMAGE_SUFFIXES, FileNames
from lostfound.data.importers.source import Listing, SourceImage, files_below, image_files, readable
from lostfound.data.tables import (
    COUNTRY_COLUMNS,
    LATITUDE_COLUMNS,
    LONGITUDE_COLUMNS,
    csv_separator,
    parse_degrees,
    parse_number,
    parse_text,
)
from lostfound.errors import UsageError
from lostfound.geo.sphere import location_problem

_FILE_COLUMNS = (
    *("path", "file", "filename", "file_name", "image", "image_path", "sourcefile", "id", "uuid", "image_id"),
)
_COLUMNS = {
    "latitude": LATITUDE_COLUMNS,
    "longitude": LONGITUDE_COLUMNS,
    "position": ("gpsposition",),
    "country": COUNTRY_COLUMNS,
    "place": ("place", "place_id", "location_id", "pano_id"),
    "collection": ("collection",),
    "heading": ("heading", "bearing", "direction", "gpsimgdirection"),
}
_REFERENCES = {"latitude": "gpslatituderef", "longitude": "gpslongituderef"}
_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".json")
_MOST_JSON = 20
"""A folder with more JSON files has one an image, and none of them is a table."""
_JSON_HEAD, _JSON_LIST = 256, re.compile(rb"(\xef\xbb\xbf)?\s*\[\s*\{")
_NOTHING = "no location: no coordinates"
_LOOKED_AT = 100
"""So many rows are looked at for files that exist."""


def recognise(source: Path, _sample: Sequence[Path]) -> bool:
    """Is there a table with columns for the place and one that names files which exist?

    A table that is itself the source needs the columns only: its missing files are then worth naming.
    """
    if source.is_file():
        return bool(_tables(source))
    names = FileNames()
    return any(_file_column(path, columns, names) for path, columns in _tables(source))


def read(source: Path) -> Listing:
    """List the images that the tables name.

    Raises:
        UsageError: No table has the columns needed, or a table can't be read.
    """
    tables = _tables(source)
    if not tables:
        raise UsageError(
            f"{source}: no table with a column for the file ({', '.join(_FILE_COLUMNS)}) and "
            "latitude/longitude or country columns"
        )
    listing = Listing()
    base = source.parent if source.is_file() else source
    names = FileNames()
    found = [(path, columns, _file_column(path, columns, names)) for path, columns in tables]
    some = any(file for *_, file in found)
    for path, columns, file in found:
        if file or not some:  # a table of something else beside the one of the images
            _read_table(path, {**columns, "file": file or columns["file"]}, base, listing, names)
    if source.is_dir():
        taken = {os.path.normpath(image.file) for image in listing.images}
        others = [each for each in files_below(source, listing) if os.path.normpath(each.file) not in taken]
        real = {os.path.realpath(file) for file in taken} if others else set()  # a table may go through links
        for each in others:
            if os.path.realpath(each.file) not in real:
                listing.skip(each.original, "no table names it")
    return listing


def _tables(source: Path) -> list[tuple[Path, dict[str, str]]]:
    """Tables with the columns needed: the source, those in the folder, or else those one folder down."""
    if source.is_file():
        return _usable([source])
    return _usable(_files_in(source)) or _usable(
        path for folder in _subfolders(source) for path in _files_in(folder)
    )


def _usable(paths: Iterable[Path]) -> list[tuple[Path, dict[str, str]]]:
    tables = [(path, _columns(path)) for path in sorted(paths) if path.suffix.lower() in _TABLE_SUFFIXES]
    return [(path, columns) for path, columns in tables if columns]


def _files_in(folder: Path) -> list[Path]:
    """A folder's tables; one by one, since it may hold a million images."""
    with suppress(PermissionError), os.scandir(folder) as entries:
        named = [entry for entry in entries if entry.name.lower().endswith(_TABLE_SUFFIXES)]
        found = [path for path in map(Path, named) if path.is_file()]
        json_files = {path for path in found if path.suffix.lower() == ".json"}
        return [path for path in found if path not in json_files or len(json_files) <= _MOST_JSON]
    return []


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]  # a link that leads nowhere is none


def _columns(path: Path) -> dict[str, str]:
    """The column of each role, in lower case; none at all where a role that is needed has none."""
    try:
        names = _names(path)
    except (OSError, ValueError, csv.Error, pa.ArrowException):
        return {}
    known = {_column(name) for name in names}
    roles = {"file": _FILE_COLUMNS, **_COLUMNS}
    found = {
        role: next(name for name in candidates if name in known)
        for role, candidates in roles.items()
        if known & set(candidates)
    }
    located = {"latitude", "longitude"} <= set(found) or "position" in found
    usable = "file" in found and ("country" in found or located)
    return found if usable else {}


def _file_column(path: Path, columns: Mapping[str, str], files: FileNames) -> str | None:
    """The column whose first rows name files that exist, if one does."""
    rows = list(islice(_rows(path), _LOOKED_AT)) if columns else []
    for column in _FILE_COLUMNS:
        names = [parse_text(row.get(column)) for row in rows]
        if any(name and _files(path.parent, name, files) for name in names):
            return column
    return None


def _names(path: Path) -> Iterable[str]:
    if _is_parquet(path):
        return list(pq.read_schema(path).names)
    if _is_json(path):
        return {name for row in _json_rows(path) for name in row}
    return next(_csv_lines(path, errors="replace"), [])


def _column(name: str) -> str:
    """A column's name in lower case, without the group that ExifTool puts before it."""
    return name.strip().lower().rpartition(":")[2]


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _json_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON file that is a list of them, as ExifTool exports; none of any other."""
    with path.open("rb") as file:
        if not _JSON_LIST.match(file.read(_JSON_HEAD)):
            return []
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        return []
    return content if all(isinstance(row, dict) for row in content) else []


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _csv_lines(path: Path, errors: str = "strict") -> Iterator[list[str]]:
    """The cells of each line, separated by what the first line has most of."""
    with path.open(encoding="utf-8-sig", errors=errors, newline="") as file:
        header = file.readline()
        file.seek(0)
        yield from csv.reader(file, delimiter=csv_separator(header))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a table by the names of their columns in lower case; CSV cells are text."""
    try:
        if _is_parquet(path):
            with pq.ParquetFile(path) as table:
                roles = {*_FILE_COLUMNS, *_REFERENCES.values()}
                roles |= {name for names in _COLUMNS.values() for name in names}
                wanted = [name for name in table.schema_arrow.names if _column(name) in roles]
                for batch in table.iter_batches(columns=wanted):
                    for row in batch.to_pylist():
                        yield _filled(row, row.values())
        elif _is_json(path):
            for row in _json_rows(path):
                yield _filled(row, row.values())
        else:
            lines = _csv_lines(path)
            names = next(lines)
            for line in lines:
                if line:
                    yield _filled(names, line)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise UsageError(f"{path} can't be read as a table (CSV must be UTF-8): {error}") from None


def _read_table(
    path: Path, columns: Mapping[str, str], base: Path, listing: Listing, names: FileNames
) -> None:
    where = readable(path.relative_to(base).as_posix())
    countries: set[str | None] = set()
    if "country" in columns:
        countries = {parse_text(row.get(columns["country"])) for row in _rows(path)}
    known = listing.read_countries(filter(None, countries))
    prefix = f"{where}:" if path.parent != base else ""
    for number, cells in enumerate(_rows(path), start=2):
        row = {role: cells.get(column) for role, column in columns.items()}
        country = parse_text(row.get("country"))
        name = parse_text(row["file"]) or ""
        label = f"{where} row {number} ({name})"
        latitude, longitude, missing = _place(row, cells)
        if country in known.unknown:
            latitude = longitude = None
            missing = listing.unknown_country(country)
        elif country is not None and missing == _NOTHING:
            missing = None
        if missing not in (None, _NOTHING):
            missing = f"{missing} ({where} row {number})"
        files = _files(path.parent, name, names) if name else []
        if not files:
            listing.skip(
                label, _NOTHING if missing == _NOTHING else "the file that the table names is missing"
            )
        for file, own_heading in files:
            listing.images.append(
                SourceImage(
                    str(file),
                    readable(file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name),
                    prefix + (parse_text(row.get("place")) or name),
                    latitude,
                    longitude,
                    known.codes.get(country) if country else None,
                    _heading(row.get("heading")) if own_heading is None else own_heading,
                    missing=missing,
                    guessed=country in known.guessed,
                    collection=parse_text(row.get("collection")),
                )
            )


def _place(row: Mapping[str, Any], cells: Mapping[str, Any]) -> tuple[float | None, float | None, str | None]:
    """Latitude and longitude of a row, or None twice and why it has none."""
    stated: list[Any] = [row.get("latitude"), row.get("longitude")]
    if not any(map(parse_text, stated)):
        pair = (parse_text(row.get("position")) or "").split(",")  # ExifTool: both in one cell
        stated = pair if len(pair) == 2 else [*pair[0].split(), None, None][:2]
    references = [cells.get(_REFERENCES[role]) for role in ("latitude", "longitude")]
    try:
        latitude = parse_degrees(stated[0], "NS", references[0])
        longitude = parse_degrees(stated[1], "EW", references[1])
    except ValueError as error:
        return None, None, f"no location: coordinates are no numbers ({error})"
    problem = location_problem(latitude, longitude)
    return (None, None, problem) if problem else (latitude, longitude, None)


def _filled(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """Values by column; of columns whose names differ in ExifTool's group alone, the last that is filled."""
    row: dict[str, Any] = {}
    for name, value in zip(names, values, strict=False):
        if row.get(key := _column(name)) is None or parse_text(value) is not None:
            row[key] = value
    return row


def _files(folder: Path, name: str, names: FileNames) -> list[tuple[Path, float | None]]:
    """The files that a name in a table means: one image, or a folder of images named by heading."""
    spellings = dict.fromkeys((name, name.replace("\\", "/")))  # tables from Windows
    paths = [path for each in spellings for path in (folder / each, folder / "images" / each)]
    for path in paths:
        if found := _files_at(path):
            return found
    for path in paths:
        with suppress(OSError, ValueError):
            other = names.find(path, IMAGE_SUFFIXES)
            if other and (found := _files_at(Path(other))):
                return found
    parts = Path(name.replace("\\", "/")).parts  # as seen from above: ExifTool names files from where it ran
    if folder.name in parts[:-1]:
        last = len(parts) - 1 - parts[::-1].index(folder.name)
        return _files(folder, Path(*parts[last + 1 :]).as_posix(), names)
    return []


def _files_at(path: Path) -> list[tuple[Path, float | None]]:
    """The image at a path, whose ending may be missing, or the images of the folder there."""
    with suppress(OSError, ValueError):  # a cell that can be no path
        if path.is_dir():
            found = [(file, _heading(file.stem)) for file in image_files(path)]
            return sorted(found, key=lambda each: (each[1] is None, each[1] or 0.0, each[0].name))
        for suffix in ("", ".jpg", ".jpeg", ".png", ".webp"):
            file = path.with_name(path.name + suffix)
            if file.is_file():
                return [(file, None)]
    return []


def _heading(value: object) -> float | None:
    """Degrees in [0, 360); None where nothing or no number is given."""
    try:
        number = parse_number(value)
    except ValueError:
        return None
    return None if number is None or not math.isfinite(number) else number % 360
