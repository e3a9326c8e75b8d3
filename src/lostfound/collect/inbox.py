"""Images as they came, one file each, until they are packed into the data set."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from lostfound.errors import CollectError
from lostfound.files import digest, remove_partials, writing_atomically

_OLD_PARTIAL = re.compile(r"[0-9a-f]{32}\.partial")
"""What 0.1.0 called an image half written."""
MIN_FREE_BYTES = 32 * 1024 * 1024
"""Nothing is asked for while the disk has less room: what came could not be kept."""


class Inbox:
    """A folder of images that no record names yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Where the image of a task lies."""
        return self.folder / f"{digest(key.encode())[:32]}.image"

    def has(self, key: str) -> bool:
        """Is the image of a task there? Then it is whole."""
        return self.path(key).is_file()

    def write(self, key: str, data: bytes) -> None:
        """Keep an image: whole or not at all, also through a power cut."""
        with writing_atomically(self.path(key)) as partial, partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def check_room(self) -> None:
        """Refuse to ask for images that could not be kept.

        Raises:
            CollectError: The disk is all but full.
        """
        if shutil.disk_usage(self.folder).free < MIN_FREE_BYTES:
            raise CollectError(
                f"less than {MIN_FREE_BYTES >> 20} MB are free where {self.folder} lies: make room on the "
                "disk, then run the same command again; what was collected is kept, nothing is asked twice"
            )

    def remove(self, keys: Iterable[str]) -> None:
        """Remove images that are in the data set."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)

    def tidy(self, keep: set[str], known: Iterable[str]) -> None:
        """Remove what a killed run left: files half written, and images that were packed already.

        Args:
            keep: The keys of images that are still to be packed.
            known: The keys of all images that were ever collected. Files of other keys stay: their run was
                killed before it could write them down, and the next one takes them up.
        """
        files = list(self.folder.iterdir())
        if not files:
            return
        remove_partials(self.folder)
        done = {self.path(key).name for key in known if key not in keep}
        for file in files:
            if file.name in done or _OLD_PARTIAL.fullmatch(file.name):
                file.unlink(missing_ok=True)
