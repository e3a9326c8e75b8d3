"""Packing: from the inbox into a data set, on the importers' way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger
from lostfound.data.adding import add_records, existing_dataset, with_country
from lostfound.data.chunks import Encoded, Skipped, remove_work, run_chunks, work_folder
from lostfound.data.dataset import Dataset
from lostfound.data.images import decoded
from lostfound.data.importers.encoding import JPEG_QUALITY, to_store
from lostfound.data.moments import known_moment
from lostfound.data.phash import perceptual_hash
from lostfound.data.records import SCHEMA, strings
from lostfound.data.splits import SplitSettings
from lostfound.data.writing import writing
from lostfound.files import digest
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import wrap_longitude


@dataclass(frozen=True)
class Waiting:
    """An image in the inbox, and what is known of it."""

    key: str
    path: Path
    record: Mapping[str, Any]


def storage_settings(size: int) -> dict[str, int]:
    """How a data set stores images whose shorter side is so many pixels."""
    return {"size": size, "quality": JPEG_QUALITY}


def pack(folder: Path, ledger: Ledger, inbox: Inbox, *, source: str, size: int, jobs: int | None) -> int:
    """Add the images that wait to the data set; killed at any moment, it goes on when called again.

    Args:
        folder: The data set's.
        ledger: Says what waits; afterwards it says that it is stored.
        inbox: Where the images lie; afterwards they are removed.
        source: The records' `source`.
        size: The shorter side of the stored images, in pixels; smaller images stay as they are.
        jobs: Processes; all cores if None.

    Returns:
        How many images the disk had lost: they are to be asked for again.

    Raises:
        DatasetError: The existing data set is damaged, or being written by another process.
        DiskFullError: The disk became full.
    """
    missing = 0
    while ledger.waiting():
        with writing(folder):
            missing += _pack_batch(folder, ledger, inbox, source=source, size=size, jobs=jobs)
    return missing


def _pack_batch(
    folder: Path, ledger: Ledger, inbox: Inbox, *, source: str, size: int, jobs: int | None
) -> int:
    with ledger.writing():
        number, images = ledger.next_batch()
    existing = existing_dataset(folder, storage_settings(size))
    there = set() if existing is None else _held(existing, source)
    items = [
        Waiting(key, inbox.path(key), record) for key, record in images if record["original"] not in there
    ]
    lost: list[Skipped] = []
    if items:
        lost = _add(folder, existing, items, source=source, size=size, jobs=jobs)
    ledger.mark_stored(number, [key for key, _ in lost])
    inbox.remove(key for key, _ in images)
    return len(lost)


def held_places(folder: Path, source: str, size: int) -> set[str]:
    """The places of one source that a data set holds, by `place_id`."""
    existing = existing_dataset(folder, storage_settings(size))
    return set() if existing is None else _held(existing, source, "place_id")


def encode(item: Waiting, *, source: str, size: int) -> tuple[list[Encoded], list[Skipped]]:
    """Make the image to store of one that was collected, and its record."""
    try:
        data = item.path.read_bytes()
        with decoded(data, at_least=2 * size) as whole:
            picture, content = to_store(whole, size, data)
    except Exception as error:  # it was whole when it came: the disk lost it
        return [], [(item.key, f"lost ({error})")]
    record = dict.fromkeys(SCHEMA.names) | dict(item.record)
    record |= {
        "image_id": digest(data)[:32],
        "source": source,
        "longitude": float(wrap_longitude(record["longitude"])),
        "captured_at": known_moment(record["captured_at"]),
        "width": picture.width,
        "height": picture.height,
        "phash": perceptual_hash(picture),
    }
    return [Encoded(record, content)], []


def _add(
    folder: Path, existing: Dataset | None, items: list[Waiting], *, source: str, size: int, jobs: int | None
) -> list[Skipped]:
    """Pack images and write the data set anew with them; gives those that were lost from the inbox."""
    key = digest(json.dumps([source, size, JPEG_QUALITY, [item.key for item in items]]).encode())
    added, lost = run_chunks(
        items,
        partial(encode, source=source, size=size),
        folder=folder,
        key=key,
        jobs=jobs,
        title="Packing",
    )
    if added.num_rows or existing:
        before: dict[str, Any] = existing.info if existing else {}
        source_info = {"name": source, "layout": "collected", "files": len(items)}
        add_records(
            folder,
            existing,
            with_country(added, Boundaries.packed()),
            info={"made_by": "lostfound collect", "settings": storage_settings(size), **before},
            splits=SplitSettings(**before.get("splits", {})),
            done={"key": key, "sources": [source_info], "images": added.num_rows},
        )
    remove_work(work_folder(folder, key))
    return lost


def _held(existing: Dataset, source: str, column: str = "original") -> set[str]:
    """What one source's images are called in a column."""
    records = existing.stored.select(["source", column])
    return set(strings(records, column)[strings(records, "source") == source].tolist())
