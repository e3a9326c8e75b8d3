"""Importing: from files as people keep them to a data set."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lostfound.data.chunks import Encoded, Skipped, run_chunks
from lostfound.data.dataset import Dataset, read_info, write_dataset
from lostfound.data.duplicates import perceptual_hash
from lostfound.data.images import cut_strip, encode_jpeg, open_image, read_exif, shrink
from lostfound.data.importers import SourceImage, exif, list_source
from lostfound.data.records import SCHEMA, coordinates, digest, set_column, strings, write_atomic
from lostfound.data.splits import SplitSettings, assign_splits
from lostfound.errors import DatasetError, ImageError, UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.points import check_points
from lostfound.geo.sphere import wrap_longitude

JPEG_QUALITY = 92
MIN_TO_TELL_SWAPPED = 10
"""A few photos may well have been taken at sea; of so many places, most are on land."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Attributes:
        imported: Images added to the data set.
        duplicates: Images left out because their bytes were there already.
        other_label: Those of the duplicates that came with another place or country.
        skipped: Files left out for other reasons: (path, reason).
        layouts: The layout of each source.
        dataset: The data set as it is now.
    """

    imported: int
    duplicates: int
    other_label: int
    skipped: list[Skipped]
    layouts: dict[str, str]
    dataset: Dataset

    @property
    def reasons(self) -> Counter[str]:
        """How many files were skipped for each reason, details left out."""
        return _reasons(self.skipped)


def import_sources(
    sources: Sequence[str | Path],
    to: str | Path,
    *,
    layout: str | None = None,
    size: int = 256,
    splits: SplitSettings | None = None,
    boundaries: str | Path | None = None,
    jobs: int | None = None,
) -> ImportSummary:
    """Import images with places into a data set, new or existing, on all cores.

    Images are decoded upright, shrunk to `size`, stored as JPEG without metadata. Unreadable files and
    files without a place are skipped and listed in `skipped.csv`. A run that was stopped goes on.

    Args:
        sources: Folders or tables (see `lostfound.data.importers`).
        to: The data set's folder; images are added if it exists.
        layout: The layout of the sources; recognised for each if None.
        size: The shorter side of the stored images, in pixels; smaller images stay as they are.
        splits: How to divide the places into train, val and test.
        boundaries: A GeoJSON or GeoParquet file of countries that says which country a coordinate is in;
            the packed ones (Natural Earth 1:50m) if None.
        jobs: Processes; all cores if None.

    Raises:
        UsageError: A source is missing or empty, or the data set was made with another size.
        CountryNameError: Country names that can't be told.
        DatasetError: The existing data set is damaged, a source's latitudes and longitudes are swapped, or no
            image could be imported.
    """
    to, splits = Path(to), splits or SplitSettings()
    if size < 16:
        raise UsageError(f"a shorter side of {size} pixels is too small to show a place: give 16 or more")
    existing = _existing(to, {"size": size, "quality": JPEG_QUALITY})
    countries = Boundaries.packed() if boundaries is None else Boundaries.read(Path(boundaries))
    items, skipped, layouts, described = [], [], {}, []
    for source, name in zip(map(Path, sources), source_names(sources), strict=True):
        layouts[str(source)], listing = list_source(source, layout)
        _refuse_swapped(listing.images, str(source))
        items += [(name, image) for image in listing.images]
        skipped += [(f"{name}/{path}", reason) for path, reason in listing.skipped]
        described.append({"name": name, "layout": layouts[str(source)], "files": len(listing.images)})
    key = _key(items, size)
    for done in existing.info["imports"] if existing else []:
        if existing and done["key"] == key:
            _tidy(to, existing.records)
            return ImportSummary(0, done["images"], 0, skipped, layouts, existing)
    encode = partial(encode_source_image, size=size)
    added, problems = run_chunks(items, encode, folder=to, key=key, jobs=jobs, title="Importing")
    skipped += problems
    added = _with_country(added, countries)
    kept, duplicates, other_label = _without_repeats(existing.records if existing else None, added)
    if kept.num_rows == 0:
        _tidy(to, kept)
        summary = "; ".join(f"{count} {reason}" for reason, count in _reasons(skipped).most_common())
        first = ": ".join(skipped[0])
        raise DatasetError(f"no image could be imported into {to}: {summary} (the first: {first})")
    records = assign_splits(kept, splits)
    this = {"key": key, "sources": described, "images": added.num_rows}
    info: dict[str, Any] = {
        "made_by": "lostfound import",
        "settings": {"size": size, "quality": JPEG_QUALITY},
        "splits": vars(splits),
        "imports": [*(existing.info["imports"] if existing else []), this],
    }
    _write_skipped(to / "skipped.csv", skipped)
    dataset = write_dataset(to, records, info)
    _tidy(to, records)
    before = len(existing) if existing else 0
    return ImportSummary(len(dataset) - before, duplicates, other_label, skipped, layouts, dataset)


def source_names(sources: Sequence[str | Path]) -> list[str]:
    """What sources are called in a data set: their own names, with as many parents' as tell them apart."""
    paths = [Path(source).resolve() for source in sources]
    parts = [(*path.parts[:-1], path.stem if path.is_file() else path.name) for path in paths]
    length = 1
    while len({own[-length:] for own in parts}) < len(set(parts)):
        length += 1
    return ["/".join(own[-length:]) for own in parts]


def encode_source_image(item: tuple[str, SourceImage], *, size: int) -> tuple[list[Encoded], list[Skipped]]:
    """Read one file and make the images to store, with their records.

    Args:
        item: The source's name and the file.
        size: The shorter side of the stored images, in pixels.

    Returns:
        The images (several for a strip), or why the file is skipped.
    """
    source, image = item
    label = f"{source}/{image.original}"
    try:
        data = image.path.read_bytes()
        latitude, longitude, heading, captured_at = image.latitude, image.longitude, image.heading, None
        if image.exif:
            fields = read_exif(data)
            place = exif.location(fields)
            if isinstance(place, str):
                open_image(data, at_least=64)  # a damaged file is damaged, with or without a place
                return [], [(label, place)]
            latitude, longitude = place
            heading, captured_at = exif.heading(fields), exif.captured_at(fields)
        picture = open_image(data, at_least=None if image.strip else 2 * size)
        views = [shrink(view, size) for view in (cut_strip(picture) if image.strip else [picture])]
        stored = [encode_jpeg(view, JPEG_QUALITY) for view in views]
    except ImageError as error:
        return [], [(label, f"unreadable ({error})")]
    except OSError as error:
        return [], [(label, f"unreadable ({error.strerror})")]
    source_id = digest(data)
    encoded = []
    for number, (view, content) in enumerate(zip(views, stored, strict=True)):
        record = dict.fromkeys(SCHEMA.names) | {
            "image_id": source_id[:32] if len(views) == 1 else digest(f"{source_id}:{number}".encode())[:32],
            "place_id": f"{source}/{image.place or image.original}",
            "heading": 360.0 * number / len(views) if len(views) > 1 else heading,
            "latitude": latitude,
            "longitude": None if longitude is None else float(wrap_longitude(longitude)),
            "country": image.country,
            "captured_at": captured_at,
            "source": source,
            "original": image.original,
            "width": view.width,
            "height": view.height,
            "phash": perceptual_hash(view),
        }
        encoded.append(Encoded(record, content))
    return encoded, []


def _existing(folder: Path, settings: dict[str, Any]) -> Dataset | None:
    if not (folder / "dataset.json").is_file():
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file: give the folder of a data set, new or existing")
        return None
    info = read_info(folder)
    if info["settings"] != settings:
        raise UsageError(
            f"{folder} was made with {info['settings']}, not {settings}: "
            "use the same settings to add to it, or another folder"
        )
    return Dataset.open(folder)


def _key(items: Sequence[tuple[str, SourceImage]], size: int) -> str:
    """A hash of what is imported and how."""
    lines = [json.dumps({"size": size, "quality": JPEG_QUALITY, "schema": SCHEMA.names})]
    for name, image in items:
        fields = [getattr(image, field) for field in image.__slots__ if field != "path"]
        with suppress(OSError):  # a file that can't be read is skipped later
            stat = image.path.stat()
            fields += [stat.st_size, stat.st_mtime_ns]
        lines.append(repr((name, *fields)))
    return digest("\n".join(lines).encode())


def _refuse_swapped(images: Sequence[SourceImage], source: str) -> None:
    """Refuse a source whose columns are swapped: most places at sea that would be on land the other way."""
    points = {(image.latitude, image.longitude) for image in images if image.latitude is not None}
    if len(points) >= MIN_TO_TELL_SWAPPED:
        check_points(sorted(points), source)


def _with_country(records: pa.Table, boundaries: Boundaries) -> pa.Table:
    """Fill in the country of records that have coordinates and none stated.

    A stated country stays, wherever the coordinates lie: who took the photo knows of territories and
    borders what a map of the world does not.
    """
    points, country = coordinates(records), strings(records, "country").copy()
    unknown = np.isfinite(points).all(axis=1) & np.array([code is None for code in country], dtype=bool)
    if unknown.any():
        country[unknown] = boundaries.country_at(points[unknown])
    return set_column(records, "country", country)


def _without_repeats(existing: pa.Table | None, added: pa.Table) -> tuple[pa.Table, int, int]:
    """Both tables together, each image once (the first stays).

    Returns:
        The table, the number of records dropped, and how many of those had another label.
    """
    records = pa.concat_tables([existing, added]) if existing is not None else added
    _, first, which = np.unique(
        strings(records, "image_id").astype(str), return_index=True, return_inverse=True
    )
    kept = np.sort(first)
    repeats = np.setdiff1d(np.arange(records.num_rows), kept)
    original = first[which[repeats]]
    other = np.zeros(len(repeats), dtype=bool)
    for column in ("country", "latitude", "longitude"):
        values = strings(records, column)
        other |= values[repeats].astype(str) != values[original].astype(str)
    return records.take(pa.array(kept)), len(repeats), int(other.sum())


def _reasons(skipped: list[Skipped]) -> Counter[str]:
    return Counter(reason.split(" (")[0] for _, reason in skipped)


def _tidy(folder: Path, records: pa.Table) -> None:
    """Remove what no record needs: parts of imports, finished or given up, and shards of repeats only."""
    for work in folder.glob(".import-*"):
        shutil.rmtree(work, ignore_errors=True)
    needed = set(records["shard"].unique().to_pylist())
    images = folder / "images"
    for shard in [*images.glob("*.tar"), *images.glob(".*.tar.partial")]:
        if shard.name not in needed:
            shard.unlink()
    for empty in (images, folder):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


def _write_skipped(path: Path, skipped: list[Skipped]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("path", "reason"), *skipped])
    write_atomic(path, text.getvalue().encode())
