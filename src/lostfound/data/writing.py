"""Writing a data set: one process at a time, and a clear word when the disk is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lostfound.claims import holding
from lostfound.errors import DatasetError, DiskFullError
from lostfound.files import FULL


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold a data set's folder for writing; may be nested within one process.

    Raises:
        DatasetError: Another process is writing there.
        DiskFullError: The disk became full; what was finished is kept, and the data set is as it was.
    """
    busy = DatasetError(
        f"{folder} is being written by another process: wait until it has ended, or stop it, and run the "
        "same command again"
    )
    with disk_full_is_clear(folder), holding(folder, busy):
        yield


@contextmanager
def disk_full_is_clear(folder: Path) -> Iterator[None]:
    """Turn the system's errors for a full disk into one that says where, and what to do.

    Raises:
        DiskFullError: The disk became full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFullError(
            f"no space is left on the disk of {folder}: free some and run the same command again; "
            "what was finished is kept"
        ) from None
