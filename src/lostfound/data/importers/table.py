"""Layout `table`: CSV or Parquet files that name images and say where they were taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lostfound.data.importers.source import (
    Listing,
    SourceImage,
    image_files,
    location_problem,
    parse_number,
    resolve_countries,
)
from lostfound.errors import UsageError

_COLUMNS = {
    "file": ("path", "file", "filename", "file_name", "image", "image_path", "id", "uuid", "image_id"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lng", "lon", "long"),
    "country": ("country", "country_name", "country_code"),
    "place": ("place", "place_id", "location_id", "pano_id"),
    "heading": ("heading", "bearing", "direction"),
}
_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def _tables(source: Path) -> list[Path]:
    """The tables of a source: itself, those in the folder, or else those one folder further down."""
    if source.is_file():
        return [source] if source.suffix.lower() in _TABLE_SUFFIXES else []
    for pattern in ("*", "*/*"):
        found = [path for path in source.glob(pattern) if path.suffix.lower() in _TABLE_SUFFIXES]
        usable = sorted(path for path in found if _usable(_names(path)))
        if usable:
            return usable
    return []


def _names(path: Path) -> dict[str, str]:
    """Which column of a table holds what."""
    try:
        if path.suffix.lower() == ".parquet":
            columns = pq.read_schema(path).names
        else:
            with path.open(encoding="utf-8-sig") as file:
                separator = "\t" if path.suffix.lower() == ".tsv" else ","
                columns = [name.strip().strip('"') for name in file.readline().split(separator)]
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid):
        return {}
    lower = {name.lower(): name for name in columns}
    return {
        role: lower[next(name for name in names if name in lower)]
        for role, names in _COLUMNS.items()
        if any(name in lower for name in names)
    }


def _usable(names: Mapping[str, str]) -> bool:
    return "file" in names and ("country" in names or {"latitude", "longitude"} <= set(names))


def recognise(source: Path) -> bool:
    """Is there a table with a column for the file and columns for the place?"""
    return bool(_tables(source))


def read(source: Path) -> Listing:
    """List the images that the tables name.

    Raises:
        UsageError: No table has the columns needed, or a table can't be read.
        CountryNameError: A country's name can't be told to be one country.
    """
    tables = _tables(source)
    if not tables:
        raise UsageError(
            f"{source}: no table with a column for the file ({', '.join(_COLUMNS['file'])}) and "
            "latitude/longitude or country columns"
        )
    listing = Listing()
    base = source.parent if source.is_file() else source
    for table in tables:
        _read_table(table, base, listing)
    return listing


def _rows(path: Path, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    columns = list(names.values())
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path, columns=columns)
        else:
            # As text: an id of digits must keep its leading zeros, an odd cell must not lose the file.
            table = pa.csv.read_csv(
                path,
                parse_options=pa.csv.ParseOptions(delimiter="\t" if path.suffix.lower() == ".tsv" else ","),
                convert_options=pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()), include_columns=columns
                ),
            )
    except (OSError, pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise UsageError(f"{path} can't be read as a table: {error}") from None
    for row in table.to_pylist():
        yield {role: row[name] for role, name in names.items()}


def _read_table(path: Path, base: Path, listing: Listing) -> None:
    names = _names(path)
    rows = list(_rows(path, names))
    where = path.relative_to(base).as_posix()
    codes = resolve_countries((str(row["country"]) for row in rows if row.get("country")), where)
    prefix = f"{where}:" if path.parent != base else ""
    for number, row in enumerate(rows, start=2):
        name = str(row["file"] or "").strip()
        label = f"{where} row {number} ({name})"
        try:
            latitude, longitude = parse_number(row.get("latitude")), parse_number(row.get("longitude"))
            heading = parse_number(row.get("heading"))
        except ValueError as error:
            listing.skip(label, f"no location: {error}")
            continue
        country = codes[str(row["country"])] if row.get("country") else None
        problem = location_problem(latitude, longitude)
        if problem and (country is None or (latitude, longitude) != (None, None)):
            listing.skip(label, problem)
            continue
        files = _files(path.parent, name) if name else []
        if not files:
            listing.skip(label, "the file that the table names is missing")
        for file, folder_heading in files:
            place = row.get("place")
            listing.images.append(
                SourceImage(
                    file,
                    file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name,
                    prefix + str(place) if place is not None else f"{prefix}{name}",
                    latitude,
                    longitude,
                    country,
                    folder_heading if heading is None else heading,
                )
            )


def _files(folder: Path, name: str) -> list[tuple[Path, float | None]]:
    """The files that a name in a table means: one image, or a folder of headings."""
    for path in (folder / name, folder / "images" / name):
        if path.is_dir():
            return sorted(
                ((file, _heading_of(file)) for file in image_files(path)),
                key=lambda found: (found[1] is None, found[1] or 0.0, found[0].name),
            )
        if path.is_file():
            return [(path, None)]
        for suffix in (".jpg", ".jpeg", ".png", ".webp"):
            file = path.with_name(path.name + suffix)
            if file.is_file():
                return [(file, None)]
    return []


def _heading_of(file: Path) -> float | None:
    try:
        return float(file.stem) % 360
    except ValueError:
        return None
