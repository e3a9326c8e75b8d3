"""A data set on disk: `dataset.json`, `records.parquet` and the shards under `images/`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lostfound.data.records import SCHEMA, coordinates, select_split, write_parquet
from lostfound.data.shards import ShardReader
from lostfound.data.stored import StoredRecords, open_parquet
from lostfound.errors import DatasetError, refused_as
from lostfound.files import digest, file_digest, write_json
from lostfound.geo.sphere import is_coordinate

FORMAT = 1
TABLE = "records.parquet"
_ALWAYS = (
    "image_id",
    "place_id",
    "source",
    "original",
    "width",
    "height",
    "shard",
    "offset",
    "size",
    "sha256",
)
"""Columns in which every image has a value."""
_NEXT_TABLE = ".records.parquet.next"


class Dataset:
    """Images with places.

    Attributes:
        folder: Where it lies.
        stored: Its records: in their file where the data set was opened, of which columns and rows can be had
            without the rest.
        info: What `dataset.json` says: how the data set was made.

    Examples:
        >>> import lostfound
        >>> dataset = lostfound.Dataset.open("data/streets")
        >>> len(dataset) == sum(len(dataset.split(name)) for name in ("train", "val", "test"))
        True
        >>> dataset.records.select(["image_id", "latitude", "longitude", "country"]).num_columns
        4
        >>> dataset.read(0)[6:10]  # the bytes of a JPEG
        b'JFIF'
    """

    def __init__(self, folder: Path, records: pa.Table | StoredRecords, info: dict[str, Any]) -> None:
        self.folder = folder
        self.stored = records
        self.info = info
        self._reader = ShardReader(folder / "images")

    @cached_property
    def records(self) -> pa.Table:
        """The table of records (see `lostfound.data.records.SCHEMA`), one row an image, in memory."""
        return self.stored.to_table() if isinstance(self.stored, StoredRecords) else self.stored

    def __reduce__(self) -> tuple[type[Dataset], tuple[Path, pa.Table, dict[str, Any]]]:
        return Dataset, (self.folder, self.records, self.info)

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
        with refused_as(DatasetError, f"{folder} can't be read as a data set: import it again"):
            return cls(folder, _checked(folder, info), info)

    def __len__(self) -> int:
        return int(self.stored.num_rows)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def split(self, name: str) -> Dataset:
        """The part of the data set that is in one split (train, val or test)."""
        return self.with_records(select_split(self.records, name))

    def with_records(self, records: pa.Table | StoredRecords) -> Dataset:
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


@dataclass(frozen=True)
class StoredImage:
    """One image of a data set.

    Attributes:
        dataset: The data set, or the part of it that its chunk needs.
        index: The row's number there.
        record: The row.
    """

    dataset: Dataset
    index: int
    record: dict[str, Any]

    def read(self) -> bytes:
        """The stored bytes of the image (see `Dataset.read`)."""
        return self.dataset.read(self.index)


class StoredImages(Sequence[StoredImage]):
    """The images of a data set; a slice carries its own records only, so that it is cheap to send."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._records: list[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    @overload
    def __getitem__(self, index: int) -> StoredImage: ...

    @overload
    def __getitem__(self, index: slice) -> StoredImages: ...

    def __getitem__(self, index: int | slice) -> StoredImage | StoredImages:
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            own = self.dataset.stored.slice(start, stop - start)
            own = own.take(np.arange(len(own)))  # a slice would be sent with the table that it is of
            return StoredImages(Dataset(self.dataset.folder, own, {}))
        if not 0 <= index < len(self):
            raise IndexError(index)
        if self._records is None:  # all at once: one by one costs as much as decoding does
            self._records = self.dataset.records.to_pylist()
        return StoredImage(self.dataset, index, self._records[index])


def _checked(folder: Path, info: dict[str, Any]) -> StoredRecords:
    """The records of a folder, if they are what `dataset.json` was written with, and can be used."""
    table = folder / TABLE
    source = pa.OSFile(os.fsencode(table))  # kept open: later it is read as it was checked
    if hashlib.file_digest(source, "sha256").hexdigest() != info["records_sha256"]:
        raise DatasetError(
            f"{table} is not the table that dataset.json was written with (its hash differs): "
            "restore both files together, or import again"
        )
    file = pq.ParquetFile(source)
    missing = [name for name in SCHEMA.names if name not in file.schema_arrow.names]
    if missing:
        raise DatasetError(f"{table} lacks the columns {', '.join(missing)}: import the data set again")
    other = [field.name for field in SCHEMA if file.schema_arrow.field(field.name).type != field.type]
    other += [name for name in _ALWAYS if _has_nulls(file, name)]
    if other:
        raise DatasetError(
            f"{table} holds other values than images have, in the columns {', '.join(other)}: import again"
        )
    records = StoredRecords.of([file])
    _check_shards(folder / "images", records)
    places = coordinates(records)
    if not (np.isnan(places).any(axis=1) | is_coordinate(places[:, 0], places[:, 1])).all():
        raise DatasetError(f"{table} holds places that are none on the Earth: import the data set again")
    return records


def _has_nulls(file: pq.ParquetFile, column: str) -> bool:
    index = file.schema_arrow.get_field_index(column)
    groups = (file.metadata.row_group(number).column(index) for number in range(file.num_row_groups))
    return any(group.statistics is not None and group.statistics.null_count for group in groups)


def _check_shards(folder: Path, records: StoredRecords) -> None:
    """Is every shard there, in its place, and as long as the records need it?"""
    where = records.select(["shard", "offset", "size"])
    if records.num_rows and (pc.min(where["offset"]).as_py() < 0 or pc.min(where["size"]).as_py() < 0):
        raise DatasetError(
            f"an image in {folder} would begin before its file does: import the data set again"
        )
    shards = pa.table({"shard": where["shard"], "end": pc.add(where["offset"], where["size"])})
    for row in shards.group_by("shard", use_threads=False).aggregate([("end", "max")]).to_pylist():
        path = folder / row["shard"]
        if path.name != row["shard"] or "\0" in row["shard"]:
            raise DatasetError(f"a shard {row['shard']!r} is outside of {folder}, and not read: import again")
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
    with refused_as(DatasetError, f"{path} can't be read as a data set's description: import again"):
        info = json.loads(path.read_text(encoding="utf-8"))
        version = int(info["format"])
        _check_info(info)
    if version > FORMAT:
        raise DatasetError(
            f"{path} is of format {version}, newer than this lostfound reads ({FORMAT}): update"
        )
    return _Info(info)


class _Info(dict[str, Any]):
    """What `dataset.json` says; what it lacks is a `DatasetError`."""

    def __missing__(self, key: str) -> Any:
        raise DatasetError(f"dataset.json lacks {key!r}: it is damaged; restore it or import again")


def _check_info(info: dict[str, Any]) -> None:
    """Is what is there of the kind that it must be?

    Raises:
        ValueError: It is not.
        LookupError: A part lacks something.
    """
    splits, settings = info.get("splits", {}), info.get("settings", {"size": 1})
    right = (
        isinstance(info["records_sha256"], str),
        all(isinstance(each["key"], str) and each["images"] >= 0 for each in info.get("imports", [])),
        all(isinstance(value, int | float | str) for value in splits.values()),
        splits.keys() <= {"seed", "val", "test", "distance_km", "by"},
        int(settings["size"]) > 0,
    )
    if not all(right):
        raise ValueError("a value is of another kind than it must be")


def write_dataset(folder: Path, records: pa.Table | StoredRecords, info: dict[str, Any]) -> Dataset:
    """Write the table and its description, whose hash of the table ties the two together.

    Stopped at any moment, it leaves the data set as it was or as it is to be.
    """
    sha256 = write_parquet(folder / _NEXT_TABLE, records)
    info = {**info, "format": FORMAT, "images": records.num_rows, "records_sha256": sha256}
    write_json(folder / "dataset.json", info)
    _finish_writing(folder, info)
    return Dataset(folder, StoredRecords.of([open_parquet(folder / TABLE)]), info)


def _finish_writing(folder: Path, info: dict[str, Any]) -> None:
    """Put the next table in its place, if `dataset.json` says that it is the one."""
    following = folder / _NEXT_TABLE
    with suppress(FileNotFoundError):  # another process, which opens it too, may do the same meanwhile
        if following.is_file() and file_digest(following) == info["records_sha256"]:
            following.replace(folder / TABLE)
