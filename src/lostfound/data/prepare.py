"""Preparing: a data set made anew from another one, at another size or with other splits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa

from lostfound.data.chunks import Encoded, Skipped, run_chunks, work_folder
from lostfound.data.dataset import Dataset, write_dataset
from lostfound.data.images import encode_jpeg, open_image, shrink
from lostfound.data.importing import JPEG_QUALITY
from lostfound.data.records import digest, set_column
from lostfound.data.splits import SplitSettings, assign_splits
from lostfound.errors import UsageError


class _Rows(Sequence[tuple[Dataset, int]]):
    """The images of a data set; a slice carries its own records only, so that it is cheap to send."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    @overload
    def __getitem__(self, index: int) -> tuple[Dataset, int]: ...

    @overload
    def __getitem__(self, index: slice) -> _Rows: ...

    def __getitem__(self, index: int | slice) -> tuple[Dataset, int] | _Rows:
        if isinstance(index, slice):
            own = self.dataset.records.take(np.arange(len(self))[index])
            return _Rows(Dataset(self.dataset.folder, own, {}))
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.dataset, index


def prepare_dataset(
    dataset: Dataset,
    to: str | Path,
    *,
    size: int | None = None,
    splits: SplitSettings | None = None,
    jobs: int | None = None,
) -> Dataset:
    """Make a new data set of the same images; a run that was stopped goes on.

    Args:
        dataset: What to prepare; it stays as it is.
        to: The new folder.
        size: The shorter side in pixels; images that are smaller stay as they are. None keeps all.
        splits: Divide the places anew; None keeps the splits.
        jobs: Processes; all cores if None.

    Raises:
        UsageError: The new folder is a file or holds a data set already, or the size is too small.
        DatasetError: The data set is damaged.
    """
    to = Path(to)
    if size is not None and size < 16:
        raise UsageError(f"a shorter side of {size} pixels is too small to show a place: give 16 or more")
    if to.exists() and not to.is_dir():
        raise UsageError(f"{to} is a file: give a new folder")
    if (to / "dataset.json").exists():
        raise UsageError(f"{to} holds a data set: choose another folder")
    size = size or int(dataset.info["settings"]["size"])
    key = digest(json.dumps([dataset.info["records_sha256"], size, JPEG_QUALITY]).encode())
    encode = partial(_encode_row, size=size)
    records, _ = run_chunks(_Rows(dataset), encode, folder=to, key=key, jobs=jobs, title="Preparing")
    if splits is not None:
        empty = pa.nulls(records.num_rows, pa.string())
        records = assign_splits(set_column(records, "split", empty), splits)
    info: dict[str, Any] = {
        **dataset.info,
        "made_by": "lostfound prepare",
        "settings": {"size": size, "quality": JPEG_QUALITY},
        "splits": vars(splits) if splits else dataset.info["splits"],
        "prepared_from": dataset.info["records_sha256"],
    }
    prepared = write_dataset(to, records, info)
    shutil.rmtree(work_folder(to, key), ignore_errors=True)
    return prepared


def _encode_row(row: tuple[Dataset, int], *, size: int) -> tuple[list[Encoded], list[Skipped]]:
    dataset, index = row
    data = dataset.read(index)
    record = dataset.records.slice(index, 1).to_pylist()[0]
    if min(record["width"], record["height"]) > size:
        small = shrink(open_image(data, at_least=2 * size), size)
        record["width"], record["height"] = small.size
        data = encode_jpeg(small, JPEG_QUALITY)
    return [Encoded(record, data)], []
