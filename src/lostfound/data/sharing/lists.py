"""Data lists: text files, meant for git, that pin exactly which images a run uses.

A list has a line for each image, its id and the hash of its stored bytes, below a header that holds the
hash of those lines. The order is part of the list: the first images of a list stay first when it grows.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings, to_parquet
from lostfound.errors import DatasetError, UsageError
from lostfound.files import digest, write_output

_HEADER = re.compile(r"# lostfound list 1: (\d+) images, sha256 ([0-9a-f]{64})")
_LINE = re.compile(r"([0-9a-f]{32}) ([0-9a-f]{64})")
_SHOWN = 20


@dataclass(frozen=True)
class DataList:
    """Which images, in which order.

    Attributes:
        images: The hash of each image's stored bytes, by its id, in the order of the list.
    """

    images: dict[str, str]

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def of(cls, dataset: Dataset) -> DataList:
        """The list of a data set's images, in its order."""
        ids, hashes = (dataset.records[name].to_pylist() for name in ("image_id", "sha256"))
        return cls(dict(zip(ids, hashes, strict=True)))

    @classmethod
    def read(cls, path: str | Path) -> DataList:
        """Read a list and check that it is whole.

        Raises:
            UsageError: There is no such file, or it is no list.
            DatasetError: Lines were changed, added or lost since it was written.
        """
        path = Path(path)
        try:
            header, _, body = path.read_text(encoding="utf-8").partition("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} can't be read as a data list: {error}") from None
        match = _HEADER.fullmatch(header.strip())
        if match is None:
            raise UsageError(
                f"{path} is no data list: its first line is not '# lostfound list 1: N images, sha256 ...' "
                "(make one with `lostfound list DATASET --to FILE`)"
            )
        body = body.replace("\r\n", "\n")  # git may write a text file so
        lines = body.splitlines()
        for number, line in enumerate(lines, start=2):
            if _LINE.fullmatch(line) is None:
                raise DatasetError(f"{path} line {number} is no image's id and hash: restore the list")
        images = dict(line.split(" ") for line in lines)
        if len(images) != int(match[1]) or digest(body.encode()) != match[2]:
            raise DatasetError(
                f"{path} is not as it was written: it holds {len(images)} images of {match[1]}, or others "
                "(its hash differs); restore it, or make it again with `lostfound list`"
            )
        return cls(images)

    @property
    def sha256(self) -> str:
        """The hash of the list's lines: two runs of the same list used the same images."""
        return digest(self._body().encode())

    def write(self, path: str | Path) -> None:
        """Write the list as a text file, whole or not at all."""
        body = self._body()
        header = f"# lostfound list 1: {len(self)} images, sha256 {digest(body.encode())}\n"
        write_output(Path(path), (header + body).encode())

    def first(self, n: int) -> DataList:
        """The first n images of the list."""
        return DataList(dict(list(self.images.items())[:n]))

    def extended(self, dataset: Dataset) -> DataList:
        """The list with those images of a data set that it lacks after its own, in the data set's order.

        Raises:
            DatasetError: The data set holds other bytes for an image of the list.
        """
        _refuse_other_bytes(dataset, self)
        return DataList(self.images | DataList.of(dataset).images)

    def _body(self) -> str:
        return "".join(f"{image_id} {sha256}\n" for image_id, sha256 in self.images.items())


def limit(dataset: Dataset, n: int | None = None, seed: int = 0) -> Dataset:
    """The first n images in a shuffled order that is the same everywhere.

    Each image has its rank by a hash of its id, whatever else the data set holds and in whatever order: a
    larger n keeps the images of a smaller one first, and images that are added to the data set come between
    the others at random. To keep the first ones first also then, write a `DataList` and extend it. The
    images of a place follow each other.

    Args:
        dataset: The images to choose from.
        n: How many; all of them, shuffled, if None.
        seed: Another seed gives another order.

    Raises:
        UsageError: n is not positive.
    """
    if n is not None and n < 1:
        raise UsageError(f"a limit of {n} images leaves nothing: give 1 or more")
    return dataset.with_records(dataset.records.take(_stable_order(dataset, seed)[:n]))


def _stable_order(dataset: Dataset, seed: int) -> NDArray[np.int64]:
    """Row numbers by the hash of the place's lowest image, then of the image itself."""
    key = str(seed).encode()
    rank = np.array(
        [
            int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=key).digest(), "big")
            for name in strings(dataset.records, "image_id")
        ],
        dtype=np.uint64,
    )
    _, place = np.unique(strings(dataset.records, "place_id").astype(str), return_inverse=True)
    lowest = np.full(place.max(initial=-1) + 1, np.iinfo(np.uint64).max)
    np.minimum.at(lowest, place, rank)
    return np.lexsort((rank, lowest[place]))


def write_list(dataset: Dataset, path: str | Path, n: int | None = None, seed: int = 0) -> DataList:
    """Write the list of a data set's first n images; a list that exists keeps its own images first.

    Args:
        dataset: The images to choose from.
        path: The list's file, new or existing.
        n: How many images the list is to hold; all if None. A longer list is not cut.
        seed: Another seed gives another order, see `limit`.

    Raises:
        UsageError: The file is no list, or n is not positive.
        DatasetError: The list is damaged, or of other bytes of these images.
    """
    path = Path(path)
    before = DataList.read(path) if path.is_file() else DataList({})
    grown = before.extended(limit(dataset, seed=seed))
    if n is not None and n < 1:
        raise UsageError(f"a limit of {n} images leaves nothing: give 1 or more")
    written = grown.first(max(n or len(grown), len(before)))
    written.write(path)
    return written


def pin(dataset: Dataset, data_list: DataList) -> Dataset:
    """Exactly the images of a list, in its order, whatever else the data set holds.

    Missing images can be fetched before, with `lostfound.data.sharing.remote.fetch_list`.

    Raises:
        DatasetError: The data set lacks images of the list, or holds them in another size or quality; the
            message names them.
    """
    lacking = missing(dataset, data_list)
    if lacking:
        raise DatasetError(
            f"{dataset.folder} lacks {named(list(lacking.images))} of the list's {len(data_list)}: fetch "
            "them with --remote from where the data set is kept, or make the list again"
        )
    row = {name: index for index, name in enumerate(strings(dataset.records, "image_id"))}
    order = np.array([row[name] for name in data_list.images], dtype=np.int64)
    records = dataset.records.take(order)
    # What is made of it is known by what it holds, wherever the bytes lie on this machine.
    identity = digest(to_parquet(records.drop_columns(["shard", "offset"])))
    info = {**dataset.info, "list_sha256": data_list.sha256, "records_sha256": identity}
    return Dataset(dataset.folder, records, info)


def missing(dataset: Dataset, data_list: DataList) -> DataList:
    """The images of a list that a data set lacks.

    Raises:
        DatasetError: The data set holds other bytes for an image of the list.
    """
    _refuse_other_bytes(dataset, data_list)
    held = set(dataset.records["image_id"].to_pylist())
    return DataList({name: sha256 for name, sha256 in data_list.images.items() if name not in held})


def _refuse_other_bytes(dataset: Dataset, data_list: DataList) -> None:
    held = DataList.of(dataset).images
    other = [name for name, sha256 in data_list.images.items() if name in held and held[name] != sha256]
    if other:
        raise DatasetError(
            f"{dataset.folder} holds other bytes than the list for {named(other)}: the list was made of "
            "images of another size or quality; prepare the data set as that one was, or use its own list"
        )


def named(ids: list[str]) -> str:
    """Some images by number and id, for a message."""
    shown = ", ".join(ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "")
    return f"{len(ids)} {'image' if len(ids) == 1 else 'images'} ({shown})"
