"""Images that are missing, from where the data set is kept: a folder, http, S3 or any fsspec address.

A remote is nothing but a copy of the data set's folder. Byte ranges of its shards are read, and each image
is checked against the hash that the list holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lostfound.data.adding import refuse_other
from lostfound.data.chunks import Encoded, Skipped, remove_work, run_chunks, skipped_in, work_folder
from lostfound.data.dataset import FORMAT, TABLE, Dataset, write_dataset
from lostfound.data.records import SCHEMA
from lostfound.data.sharing.lists import DataList, missing, named, pin
from lostfound.data.writing import writing
from lostfound.errors import DatasetError, LostFoundError, MissingExtraError, UsageError
from lostfound.files import digest

_SPAN, _GAP = 1 << 20, 1 << 16
"""Images are read together up to so many bytes, where no more than so many lie between them."""


class Remote:
    """A data set's folder somewhere else.

    Args:
        url: A folder's path, or an address that fsspec knows: https://..., s3://bucket/..., hf://...

    Raises:
        UsageError: The address is of no kind known.
        MissingExtraError: What that kind needs is not installed.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url
        if "::" in url:  # other files' contents would say what is read
            raise UsageError(f"{url}: chained addresses are not taken as a remote; give a plain one")
        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise MissingExtraError(
                f"{url} can't be read: {error}. For http: pip install 'lostfound[remote]', for S3: "
                "pip install 'lostfound[s3]'"
            ) from None
        except ValueError as error:
            raise UsageError(f"{url} is no address of a remote: {error}") from None
        self._root = str(root).rstrip("/")
        self._whole: tuple[str, bytes] = ("", b"")

    def open(self) -> tuple[dict[str, Any], pa.Table]:
        """The description and the records of the data set there.

        Raises:
            DatasetError: The remote is gone, holds no data set, or serves other bytes.
        """
        try:
            info: dict[str, Any] = json.loads(self._read("dataset.json"))
            expected, version = info["records_sha256"], int(info["format"])
        except (ValueError, KeyError, TypeError):
            raise DatasetError(f"{self.url}/dataset.json is no data set's description") from None
        if version > FORMAT:
            raise DatasetError(
                f"{self.url} is of a newer format ({version}) than this lostfound reads: update"
            )
        data = self._read(TABLE)
        if digest(data) != expected:
            raise DatasetError(
                f"{self.url} serves another {TABLE} than its dataset.json was written with (its hash "
                "differs): it may be just being copied; try again later or use another remote"
            )
        records = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        if missing_columns := [name for name in SCHEMA.names if name not in records.column_names]:
            raise DatasetError(f"{self.url}/{TABLE} lacks the columns {', '.join(missing_columns)}")
        return info, records

    def read(self, shard: str, start: int, end: int) -> bytes:
        """The bytes of a shard from start to end.

        Raises:
            DatasetError: They can't be had.
        """
        if self._whole[0] == shard:
            return self._whole[1][start:end]
        data = self._read(f"images/{shard}", start, end)
        if len(data) > end - start:  # a web server that knows no ranges sends the whole file
            self._whole = (shard, data)
            data = data[start:end]
        return data

    def _read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        try:
            data: bytes = self._files.cat_file(f"{self._root}/{name}", start, end)
        except Exception as error:  # each kind of remote raises its own
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DatasetError(f"{self.url}/{name} can't be read: {what}") from None
        return data


def fetch_list(
    folder: str | Path, data_list: DataList, remote: str | None = None, *, jobs: int | None = None
) -> Dataset:
    """The images of a list, those that a data set lacks fetched into it from its remote.

    Each image is checked against the list's hash. A run that was stopped goes on.

    Args:
        folder: The data set; a new one if it does not exist.
        data_list: Which images.
        remote: Where the data set is kept; if None, what its `dataset.json` names under "remote".
        jobs: Processes; all cores if None.

    Returns:
        The data set pinned to the list (see `lostfound.data.sharing.lists.pin`).

    Raises:
        DatasetError: Images can't be had, or the remote serves other bytes; the message names them, and the
            data set stays as it was.
        UsageError: Images are missing, and no remote is known; the remote is no address; or the folder is
            something else's.
    """
    folder = Path(folder)
    exists = (folder / "dataset.json").is_file()
    dataset = Dataset.open(folder) if exists else None
    lacking = missing(dataset, data_list) if dataset else data_list
    if dataset and not len(lacking):
        return pin(dataset, data_list)
    remote = remote or (dataset.info.get("remote") if dataset else None)
    if remote is None:
        raise UsageError(
            f"{folder} lacks {named(list(lacking.images))} of the list's {len(data_list)}, and no remote "
            "is known to fetch them from: give one with --remote"
        )
    refuse_other(folder)
    with writing(folder):
        dataset = Dataset.open(folder) if exists else None  # as it is now that nobody else writes
        lacking = missing(dataset, data_list) if dataset else data_list
        return pin(_fetch(folder, dataset, lacking, remote, jobs), data_list)


def _fetch(folder: Path, dataset: Dataset | None, lacking: DataList, url: str, jobs: int | None) -> Dataset:
    info, there = Remote(url).open()
    wanted = there.filter(pc.is_in(there["image_id"], pa.array(list(lacking.images), pa.string())))
    wanted = (
        wanted.select(SCHEMA.names).cast(SCHEMA).sort_by([("shard", "ascending"), ("offset", "ascending")])
    )
    held = dict(zip(wanted["image_id"].to_pylist(), wanted["sha256"].to_pylist(), strict=True))
    problems = [
        (name, "the remote has no such image" if name not in held else "the remote has it with other bytes")
        for name, sha256 in lacking.images.items()
        if held.get(name) != sha256
    ]
    _refuse(problems, url)
    key = digest(json.dumps([url, info["records_sha256"], lacking.sha256]).encode())
    spans = list(_spans(wanted))
    fetch = partial(_fetch_span, url=url)
    added, problems = run_chunks(spans, fetch, folder=folder, key=key, jobs=jobs, title="Fetching (reads)")
    if problems:  # what was had of them stays, what was not is tried again
        for part in work_folder(folder, key).glob("*.parquet"):
            if skipped_in(part):
                part.unlink()
    _refuse(problems, url)
    records = dataset.stored.followed_by(added) if dataset else added
    about = dataset.info if dataset else {**info, "imports": [], "made_by": "lostfound fetch"}
    fetched = write_dataset(folder, records, {**about, "remote": url})
    remove_work(work_folder(folder, key))
    return fetched


def _refuse(problems: list[tuple[str, str]], url: str) -> None:
    if problems:
        reasons = sorted({reason for _, reason in problems})
        raise DatasetError(
            f"{url} does not give {named([name for name, _ in problems])}: {'; '.join(reasons[:3])}. The "
            "data set is as it was, and what came is kept for the next try. Give another --remote or list"
        )


@dataclass(frozen=True)
class _Span:
    """Images that lie close together in one shard."""

    shard: str
    start: int
    end: int
    records: list[dict[str, Any]]


def _spans(records: pa.Table) -> Iterator[_Span]:
    """The images of a table, in the order of shard and offset, as spans to read at once."""
    span: _Span | None = None
    for record in (row for batch in records.to_batches(1024) for row in batch.to_pylist()):
        shard, start, end = record["shard"], record["offset"], record["offset"] + record["size"]
        if span and shard == span.shard and start - span.end <= _GAP and end - span.start <= _SPAN:
            span = _Span(shard, span.start, max(end, span.end), [*span.records, record])
            continue
        if span:
            yield span
        span = _Span(shard, start, end, [record])
    if span:
        yield span


@lru_cache(maxsize=4)
def _opened(url: str) -> Remote:
    return Remote(url)


def _fetch_span(span: _Span, *, url: str) -> tuple[list[Encoded], list[Skipped]]:
    try:
        data = _opened(url).read(span.shard, span.start, span.end)
    except LostFoundError as error:
        return [], [(record["image_id"], str(error)) for record in span.records]
    images, problems = [], []
    for record in span.records:
        own = data[record["offset"] - span.start :][: record["size"]]
        if digest(own) == record["sha256"]:
            images.append(Encoded(record, own))
        else:
            problems.append((record["image_id"], f"{url}/images/{span.shard} serves other bytes"))
    return images, problems
