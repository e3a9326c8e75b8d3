"""Importing: from files as people keep them to a data set."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lostfound.data.chunks import Encoded, Skipped, run_chunks, work_folder
from lostfound.data.dataset import Dataset, read_info, write_dataset
from lostfound.data.duplicates import perceptual_hash
from lostfound.data.images import cut_strip, encode_jpeg, open_image, read_exif, shrink
from lostfound.data.importers import SourceImage, exif, list_source
from lostfound.data.records import SCHEMA, coordinates, digest, set_column, strings, write_atomic
from lostfound.data.splits import SplitSettings, assign_splits
from lostfound.errors import DatasetError, ImageError, UsageError
from lostfound.geo.boundaries import Boundaries

JPEG_QUALITY = 92


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
        return Counter(reason.split(" (")[0] for _, reason in self.skipped)


def import_sources(
    sources: Sequence[str | Path],
    to: str | Path,
    *,
    layout: str | None = None,
    size: int = 256,
    splits: SplitSettings | None = None,
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
        jobs: Processes; all cores if None.

    Raises:
        UsageError: A source is missing or empty, or the data set was made with another size.
        CountryNameError: Country names that can't be told.
        DatasetError: The existing data set is damaged, or no image could be imported.
    """
    to, splits = Path(to), splits or SplitSettings()
    if size < 16:
        raise UsageError(f"a shorter side of {size} pixels is too small to show a place: give 16 or more")
    existing = _existing(to, {"size": size, "quality": JPEG_QUALITY})
    items, skipped, layouts, described = [], [], {}, []
    for source in map(Path, sources):
        name = source.resolve().stem
        layouts[str(source)], listing = list_source(source, layout)
        items += [(name, image) for image in listing.images]
        skipped += [(f"{name}/{path}", reason) for path, reason in listing.skipped]
        described.append({"name": name, "layout": layouts[str(source)], "files": len(listing.images)})
    key = _key(items, size)
    if existing and key in [done["key"] for done in existing.info["imports"]]:
        shutil.rmtree(work_folder(to, key), ignore_errors=True)
        return ImportSummary(0, len(items), 0, skipped, layouts, existing)
    encode = partial(encode_source_image, size=size)
    added, problems = run_chunks(items, encode, folder=to, key=key, jobs=jobs, title="Importing")
    skipped += problems
    added = _with_country(added)
    kept, duplicates, other_label = _without_repeats(existing.records if existing else None, added)
    if kept.num_rows == 0:
        shutil.rmtree(work_folder(to, key), ignore_errors=True)
        reasons = Counter(reason.split(" (")[0] for _, reason in skipped)
        listed = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        raise DatasetError(f"no image could be imported into {to}: {listed or 'nothing found'}")
    records = assign_splits(kept, splits)
    done = [*(existing.info["imports"] if existing else []), {"key": key, "sources": described}]
    info: dict[str, Any] = {
        "made_by": "lostfound import",
        "settings": {"size": size, "quality": JPEG_QUALITY},
        "splits": vars(splits),
        "imports": done,
    }
    _write_skipped(to / "skipped.csv", skipped)
    dataset = write_dataset(to, records, info)
    shutil.rmtree(work_folder(to, key), ignore_errors=True)
    before = len(existing) if existing else 0
    return ImportSummary(len(dataset) - before, duplicates, other_label, skipped, layouts, dataset)


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
        views = cut_strip(picture) if image.strip else [picture]
    except ImageError as error:
        return [], [(label, f"unreadable ({error})")]
    except OSError as error:
        return [], [(label, f"unreadable ({error.strerror})")]
    source_id = digest(data)
    encoded = []
    for number, view in enumerate(views):
        small = shrink(view, size)
        record = dict.fromkeys(SCHEMA.names) | {
            "image_id": source_id[:32] if len(views) == 1 else digest(f"{source_id}:{number}".encode())[:32],
            "place_id": f"{source}/{image.place or image.original}",
            "heading": 360.0 * number / len(views) if len(views) > 1 else heading,
            "latitude": latitude,
            "longitude": longitude,
            "country": image.country,
            "captured_at": captured_at,
            "source": source,
            "original": image.original,
            "width": small.width,
            "height": small.height,
            "phash": perceptual_hash(small),
        }
        encoded.append(Encoded(record, encode_jpeg(small, JPEG_QUALITY)))
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
        stat = image.path.stat()
        fields = [getattr(image, field) for field in image.__slots__ if field != "path"]
        lines.append(repr((name, stat.st_size, stat.st_mtime_ns, *fields)))
    return digest("\n".join(lines).encode())


def _with_country(records: pa.Table) -> pa.Table:
    """Fill in the country of records that have coordinates and none stated."""
    points, country = coordinates(records), strings(records, "country").copy()
    unknown = np.isfinite(points).all(axis=1) & np.array([code is None for code in country], dtype=bool)
    if unknown.any():
        country[unknown] = Boundaries.packed().country_at(points[unknown])
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


def _write_skipped(path: Path, skipped: list[Skipped]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("path", "reason"), *skipped])
    write_atomic(path, text.getvalue().encode())
