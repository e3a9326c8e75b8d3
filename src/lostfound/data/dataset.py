"""A data set on disk: `dataset.json`, `records.parquet` and the shards under `images/`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lostfound.data.records import SCHEMA, digest, file_digest, select_split, write_atomic, write_parquet
from lostfound.data.shards import ShardReader
from lostfound.errors import DatasetError

FORMAT = 1
TABLE = "records.parquet"
_NEXT_TABLE = ".records.parquet.next"


@dataclass
class Dataset:
    """Images with places.

    Attributes:
        folder: Where it lies.
        records: The table of records (see `lostfound.data.records.SCHEMA`), one row an image.
        info: What `dataset.json` says: how the data set was made.
    """

    folder: Path
    records: pa.Table
    info: dict[str, Any]
    _reader: ShardReader = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._reader = ShardReader(self.folder / "images")

    @classmethod
    def open(cls, folder: str | Path) -> Dataset:
        """Open a data set and check that it is whole.

        Raises:
            DatasetError: It is missing, unfinished, of a newer format, or its table or shards changed.
        """
        folder = Path(folder)
        info = read_info(folder)
        _finish_writing(folder, info)
        table = folder / TABLE
        if not table.is_file():
            raise DatasetError(f"{table} is missing: import the data set again")
        data = table.read_bytes()
        if digest(data) != info["records_sha256"]:
            raise DatasetError(
                f"{table} is not the table that dataset.json was written with (its hash differs): "
                "restore both files together, or import again"
            )
        # On threads of Arrow's, one may still hold the bytes when the interpreter ends, and abort it
        records = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        missing = [name for name in SCHEMA.names if name not in records.column_names]
        if missing:
            raise DatasetError(f"{table} lacks the columns {', '.join(missing)}: import the data set again")
        _check_shards(folder / "images", records)
        return cls(folder, records, info)

    def __len__(self) -> int:
        return int(self.records.num_rows)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def split(self, name: str) -> Dataset:
        """The part of the data set that is in one split (train, val or test)."""
        return self.with_records(select_split(self.records, name))

    def with_records(self, records: pa.Table) -> Dataset:
        """The same images' container under another table of records."""
        return Dataset(self.folder, records, self.info)

    def read(self, index: int) -> bytes:
        """The stored bytes of one image, checked against their hash.

        Raises:
            DatasetError: The shard is gone, cut short, or holds other bytes than were imported.
        """
        shard, offset, size, sha256 = (
            self.records[column][index].as_py() for column in ("shard", "offset", "size", "sha256")
        )
        data = self._reader.read(shard, offset, size)
        if digest(data) != sha256:
            image_id = self.records["image_id"][index].as_py()
            raise DatasetError(
                f"image {image_id} in {self.folder / 'images' / shard} is not what was imported "
                "(its hash differs): the file was changed or damaged; import again"
            )
        return data


def _check_shards(folder: Path, records: pa.Table) -> None:
    """Is every shard there, and as long as the records need it?"""
    shards = pa.table({"shard": records["shard"], "end": pc.add(records["offset"], records["size"])})
    for row in shards.group_by("shard", use_threads=False).aggregate([("end", "max")]).to_pylist():
        path = folder / row["shard"]
        if not path.is_file():
            raise DatasetError(
                f"{path} is missing: the data set's files are gone; restore them or import again"
            )
        if path.stat().st_size < row["end_max"]:
            raise DatasetError(f"{path} is cut short: restore it or import the data set again")


def read_info(folder: Path) -> dict[str, Any]:
    """What a folder's `dataset.json` says.

    Raises:
        DatasetError: There is no finished data set of a known format.
    """
    path = folder / "dataset.json"
    if not path.is_file():
        started = any(folder.glob(".import-*"))
        remedy = (
            "its import or preparation did not finish; run the same command again to go on"
            if started
            else "make one with `lostfound import SOURCE --to DATASET`"
        )
        raise DatasetError(f"{folder} is not a data set: {remedy}")
    try:
        info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version, _ = int(info["format"]), info["records_sha256"]
    except (ValueError, KeyError, TypeError):
        raise DatasetError(f"{path} can't be read as a data set's description: import again") from None
    if version > FORMAT:
        raise DatasetError(
            f"{path} is of format {version}, newer than this lostfound reads ({FORMAT}): update"
        )
    return info


def write_dataset(folder: Path, records: pa.Table, info: dict[str, Any]) -> Dataset:
    """Write the table and its description, whose hash of the table ties the two together.

    Stopped at any moment, it leaves the data set as it was or as it is to be.
    """
    sha256 = write_parquet(folder / _NEXT_TABLE, records)
    info = {**info, "format": FORMAT, "images": records.num_rows, "records_sha256": sha256}
    write_atomic(folder / "dataset.json", (json.dumps(info, indent=2, ensure_ascii=False) + "\n").encode())
    _finish_writing(folder, info)
    return Dataset(folder, records, info)


def _finish_writing(folder: Path, info: dict[str, Any]) -> None:
    """Put the next table in its place, if `dataset.json` says that it is the one."""
    following = folder / _NEXT_TABLE
    if following.is_file() and file_digest(following) == info["records_sha256"]:
        following.replace(folder / TABLE)
