"""The work of an import or a preparation in chunks: each a shard and a part of the table, done once.

A chunk is finished when its part exists, so that a run that was stopped at any moment goes on with the
chunks that are missing, and ends with the same bytes as an undisturbed one.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from lostfound.data.records import SCHEMA, digest, to_parquet, write_atomic
from lostfound.data.shards import write_shard
from lostfound.progress import progress

Item = TypeVar("Item")
Skipped = tuple[str, str]  # (path, reason)

MIN_CHUNK, MAX_CHUNK, CHUNKS = 16, 2048, 64


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
    items: Sequence[Item], encode: Encode[Item], *, folder: Path, key: str, jobs: int | None, title: str
) -> tuple[pa.Table, list[Skipped]]:
    """Encode items into shards on all cores, skipping the chunks that an earlier run finished.

    Args:
        items: What to encode, in the order of the records to come.
        encode: A module-level function (or a partial of one) from an item to images and skips.
        folder: The data set's folder.
        key: A hash of everything that determines the result; parts of another key are not used.
        jobs: Processes; all cores if None.
        title: What the progress says.

    Returns:
        The records of all items in order, with the container's columns, and what was skipped.
    """
    size = min(max(-(-len(items) // CHUNKS), MIN_CHUNK), MAX_CHUNK)  # the same on every machine
    work = work_folder(folder, key)
    chunks = [
        _Chunk(
            items[start : start + size],
            encode,
            folder / "images" / f"{key[:8]}-{number:05d}.tar",
            work / f"{number:05d}.parquet",
        )
        for number, start in enumerate(range(0, len(items), size))
    ]
    todo = [chunk for chunk in chunks if not chunk.part.is_file()]
    done = sum(len(chunk.items) for chunk in chunks) - sum(len(chunk.items) for chunk in todo)
    with progress(title, len(items), done=done) as advance:
        _run(todo, jobs or os.cpu_count() or 1, advance)
    tables, skipped = [SCHEMA.empty_table()], []
    for chunk in chunks:
        table = pq.read_table(chunk.part)
        skipped += [tuple(pair) for pair in json.loads(table.schema.metadata[b"skipped"])]
        tables.append(table.replace_schema_metadata(None))
    return pa.concat_tables(tables), skipped


def work_folder(folder: Path, key: str) -> Path:
    """Where the parts of an unfinished run lie."""
    return folder / f".import-{key[:16]}"


def _run(todo: list[_Chunk[Any]], jobs: int, advance: Callable[[int], None]) -> None:
    jobs = min(jobs, len(todo))
    if jobs <= 1:
        for chunk in todo:
            _encode_chunk(chunk)
            advance(len(chunk.items))
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_leave_interrupts) as pool:
        waiting: dict[Future[None], int] = {}
        try:
            for chunk in todo:
                if len(waiting) >= 2 * jobs:  # a bounded queue, so that memory stays flat
                    _collect(waiting, advance)
                waiting[pool.submit(_encode_chunk, chunk)] = len(chunk.items)
            while waiting:
                _collect(waiting, advance)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _collect(waiting: dict[Future[None], int], advance: Callable[[int], None]) -> None:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        future.result()
        advance(waiting.pop(future))


def _leave_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


def _encode_chunk(chunk: _Chunk[Any]) -> None:
    images: list[Encoded] = []
    skipped: list[Skipped] = []
    for item in chunk.items:
        encoded, problems = chunk.encode(item)
        images += encoded
        skipped += problems
    unique = {image.record["image_id"]: image for image in reversed(images)}
    members = [(f"{image_id}.jpg", image.data) for image_id, image in reversed(unique.items())]
    offsets = dict(zip((name for name, _ in members), write_shard(chunk.shard, members), strict=True))
    rows = []
    for image in images:
        stored = unique[image.record["image_id"]].data
        container = {"shard": chunk.shard.name, "size": len(stored), "sha256": digest(stored)}
        rows.append({**image.record, **container, "offset": offsets[f"{image.record['image_id']}.jpg"]})
    schema = SCHEMA.with_metadata({"skipped": json.dumps(skipped)})
    write_atomic(chunk.part, to_parquet(pa.Table.from_pylist(rows, schema=schema)))
