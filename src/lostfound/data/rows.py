"""The images of a data set as items of work that is spread over processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from lostfound.data.dataset import Dataset


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
