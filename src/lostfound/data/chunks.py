"""The work of an import or a preparation in chunks: each a shard and a part of the table, done once.

A chunk is finished when its part exists, so that a run that was stopped at any moment goes on with the
chunks that are missing, and ends with the same bytes as an undisturbed one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa

from lostfound.data.records import SCHEMA, Records, to_parquet
from lostfound.data.shards import shard_writer
from lostfound.data.stored import StoredRecords, open_parquet
from lostfound.files import digest, remove_partials, write_atomic
from lostfound.parallel.blocks import Blocks
from lostfound.parallel.processes import WorkEngine

Item = TypeVar("Item")
Skipped = tuple[str, str]  # (path, reason)

MIN_CHUNK, MAX_CHUNK, CHUNKS = 16, 2048, 64
_WORK = re.compile(r"\.import-(?:measured-)?([0-9a-f]{16})")
_PART = re.compile(r"\d{5}\.parquet|\d{6}\.npy")
_SHARD = re.compile(r"([0-9a-f]{8})-\d{5}\.tar")
_APART = 8  # chunks between two that are done one after the other, if they are mixed


@dataclass(frozen=True)
class Encoded:
    """One image ready to be stored: its record (without the container's columns) and its bytes."""

    record: dict[str, Any]
    data: bytes


Encode = Callable[[Item], "tuple[list[Encoded], list[Skipped]]"]


@dataclass(frozen=True)
class _Chunk(Generic[Item]):
    items: Sequence[Item]
    encode: Encode[Item]
    shard: Path
    part: Path


def run_chunks(
    items: Sequence[Item],
    encode: Encode[Item],
    *,
    folder: Path,
    key: str,
    title: str,
    jobs: int | None = None,
    engine: WorkEngine | None = None,
    mixed: bool = False,
) -> tuple[StoredRecords, list[Skipped]]:
    """Encode items into shards on all cores, skipping the chunks that an earlier run finished.

    Args:
        items: What to encode, in the order of the records to come.
        encode: A module-level function (or a partial of one) from an item to images and skips.
        folder: The data set's folder.
        key: A hash of everything that determines the result; parts of another key are not used.
        title: What the progress says.
        jobs: Processes; all cores if None.
        engine: Where the work is done; in so many processes of this machine if None.
        mixed: Items far from each other may differ in work, as strips do from photos: do chunks from
            everywhere in turn, so that the last ones, which not all processes share, are not the longest.

    Returns:
        The records of all items in order, with the container's columns, in files of the `work_folder`; and
        what was skipped.

    Raises:
        LostFoundError: A process was killed.
    """
    size = min(max(-(-len(items) // CHUNKS), MIN_CHUNK), MAX_CHUNK)  # the same on every machine
    blocks = Blocks(len(items), size)
    work = work_folder(folder, key)
    work.mkdir(parents=True, exist_ok=True)
    for written in (folder, folder / "images"):
        remove_partials(written)
    shards = [folder / "images" / f"{key[:8]}-{number:05d}.tar" for number in range(len(blocks))]
    parts = [work / f"{number:05d}.parquet" for number in range(len(blocks))]
    missing = [
        number for number in range(len(blocks)) if not (parts[number].is_file() and shards[number].is_file())
    ]
    if mixed:
        missing.sort(key=lambda number: (number % _APART, -number))

    def chunk(number: int) -> _Chunk[Item]:
        return _Chunk(items[blocks.rows(number)], encode, shards[number], parts[number])

    blocks.do(missing, chunk, _encode_chunk, title=title, jobs=jobs, engine=engine)
    return StoredRecords.of(parts), [each for part in parts for each in skipped_in(part)]


def skipped_in(part: Path) -> list[Skipped]:
    """What a finished chunk skipped."""
    return [
        (path, reason) for path, reason in json.loads(open_parquet(part).schema_arrow.metadata[b"skipped"])
    ]


def work_folder(folder: Path, key: str) -> Path:
    """Where the parts of an unfinished run lie."""
    return folder / f".import-{key[:16]}"


def work_folders(folder: Path) -> list[Path]:
    """The folders of parts that runs into a data set's folder left, finished or given up."""
    found = [path for path in folder.iterdir() if _WORK.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(path for path in found if path.is_dir())


def tidy(folder: Path, records: Records) -> None:
    """Remove what runs left and no record of a data set needs: shards, then the parts that tell of them.

    Only what bears a run's names: its shards begin with the key that its folder of parts is named by.
    Anything else in the folder is not ours, and stays.
    """
    needed = set(records["shard"].unique().to_pylist())
    works, images = work_folders(folder), folder / "images"
    keys = {_WORK.sub(r"\1", work.name)[:8] for work in works}
    for shard in list(images.iterdir()) if images.is_dir() else []:
        named = _SHARD.fullmatch(shard.name)
        if named and named[1] in keys and shard.name not in needed:
            shard.unlink()
    for work in works:
        remove_work(work)
    for written in (images, folder):
        remove_partials(written)
    _remove_if_empty(images)


def remove_work(work: Path) -> None:
    """Remove the parts of a run, and the folder of them if nothing else is there."""
    if work.is_dir():
        remove_partials(work)
        for part in list(work.iterdir()):
            if _PART.fullmatch(part.name):
                part.unlink()
        _remove_if_empty(work)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is missing, or holds something
        folder.rmdir()


def _encode_chunk(chunk: _Chunk[Any]) -> None:
    """Do one chunk: write its shard, then its part."""
    rows: list[dict[str, Any]] = []
    skipped: list[Skipped] = []
    stored: dict[str, dict[str, Any]] = {}
    with shard_writer(chunk.shard) as add:
        for item in chunk.items:
            images, problems = chunk.encode(item)
            skipped += problems
            for image in images:
                image_id = image.record["image_id"]
                if image_id not in stored:
                    stored[image_id] = {
                        "shard": chunk.shard.name,
                        "offset": add(f"{image_id}.jpg", image.data),
                        "size": len(image.data),
                        "sha256": digest(image.data),
                    }
                rows.append({**image.record, **stored[image_id]})
    schema = SCHEMA.with_metadata({"skipped": json.dumps(skipped)})
    write_atomic(chunk.part, to_parquet(pa.Table.from_pylist(rows, schema=schema)))
