"""Images' bytes in plain tar files (the WebDataset form), read at random by offset.

`tar tf` lists a shard and any WebDataset reader streams it; the records hold each image's offset and
size, so that one `pread` fetches it. Why tar: `benchmarks/results/storage.md`.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lostfound.errors import DatasetError
from lostfound.files import writing_atomically

_OPEN_FILES = 256


@contextmanager
def shard_writer(path: Path) -> Iterator[Callable[[str, bytes], int]]:
    """Write a tar file whole or not at all; the same members give the same bytes.

    Yields:
        A function that adds a member (name, bytes) and returns the offset at which its bytes start.
    """
    with (
        writing_atomically(path) as partial,
        partial.open("wb") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):

        def add(name: str, data: bytes) -> int:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            offset = file.tell() + tarfile.BLOCKSIZE
            tar.addfile(info, io.BytesIO(data))
            return offset

        yield add


class ShardReader:
    """Reads byte ranges of the files in one folder. Safe in threads and after a fork."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, int] = {}

    def read(self, shard: str, offset: int, size: int) -> bytes:
        """The bytes at an offset of a shard.

        Raises:
            DatasetError: The shard is gone or too short.
        """
        file = self._files.get(shard)
        if file is None:
            file = self._open(shard)
        data = os.pread(file, size, offset)
        if len(data) != size:
            raise DatasetError(f"{self.folder / shard} is cut short: import the data set again")
        return data

    def _open(self, shard: str) -> int:
        if len(self._files) >= _OPEN_FILES:
            self.close()
        try:
            file = os.open(self.folder / shard, os.O_RDONLY)
        except OSError as error:
            raise DatasetError(
                f"{self.folder / shard} can't be read ({error.strerror}): the data set's files are gone; "
                "restore them or import again"
            ) from None
        self._files[shard] = file
        return file

    def close(self) -> None:
        """Close all files; they open again when read."""
        files, self._files = self._files, {}
        for file in files.values():
            os.close(file)

    def __getstate__(self) -> dict[str, object]:
        return {"folder": self.folder, "_files": {}}

    def __del__(self) -> None:
        self.close()
