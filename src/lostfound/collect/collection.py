"""A collection: the folder of a data set, and what one process alone adds to it from one source."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger, disk_error
from lostfound.collect.pack import held_places, pack, storage_settings
from lostfound.data.adding import COLLECTIONS, existing_dataset
from lostfound.errors import CollectError

FOLDER = COLLECTIONS
"""Below the data set's: ledgers, and images that are not packed yet."""


@dataclass(frozen=True)
class Collection:
    """A collection that this process alone works on.

    Attributes:
        folder: The data set's.
        source: The service or site, as the records name it.
        size: The shorter side of the stored images, in pixels.
        ledger: What was asked, and what came of it.
        inbox: Images that are not in the data set yet.
    """

    folder: Path
    source: str
    size: int
    ledger: Ledger
    inbox: Inbox

    def held_places(self) -> frozenset[str]:
        """The places of this source that the data set has, as `place_id`."""
        return frozenset(held_places(self.folder, self.source, self.size))

    def images(self) -> int:
        """How many images the data set has, those of other sources too."""
        dataset = existing_dataset(self.folder, storage_settings(self.size))
        return 0 if dataset is None else len(dataset)

    def pack(self, jobs: int | None) -> int:
        """Add the images of the inbox to the data set; gives how many the disk had lost.

        Args:
            jobs: Processes; all cores if None.

        Raises:
            DatasetError: The data set is damaged, or being written by another process.
            DiskFullError: The disk became full.
        """
        return pack(self.folder, self.ledger, self.inbox, source=self.source, size=self.size, jobs=jobs)


@contextmanager
def open_collection(
    folder: Path, source: str, settings: Mapping[str, Any], *, size: int
) -> Iterator[Collection]:
    """Open a collection, or begin it; no other process can until the block ends.

    Args:
        folder: The data set's, new or existing.
        source: The service or site.
        settings: What every run of it must agree on.
        size: The shorter side of the stored images, in pixels.

    Raises:
        UsageError: It was begun with other settings, or the data set stores images at another size.
        CollectError: Another process works on it, or the ledger is damaged or of another version.
        DatasetError: The data set is damaged.
    """
    existing_dataset(folder, storage_settings(size))
    with _alone(folder):
        work = folder / FOLDER
        ledger = Ledger(work / f"{source}.sqlite")
        try:
            with ledger.writing():
                ledger.check_settings({**settings, "size": size})
                ledger.retry_failed()
            inbox = Inbox(work / f"{source}-inbox")
            inbox.tidy(ledger.waiting_keys(), ledger.image_keys())
            yield Collection(folder, source, size, ledger, inbox)
        except sqlite3.OperationalError as error:
            raise disk_error(ledger.path, error) from None
        finally:
            ledger.close()


def collect_and_pack(
    collection: Collection, collect: Callable[[], bool], *, jobs: int | None, pack_at: int
) -> None:
    """Collect and pack in turn until there is nothing more to collect.

    What was collected is packed also when it can't go on, except after Ctrl-C: then the next run does it.

    Args:
        collection: Where to.
        collect: Fills the inbox; gives True if it ended for a full inbox, and there may be more.
        jobs: Processes for the packing; all cores if None.
        pack_at: So many images in the inbox are packed before more are asked for.

    Raises:
        CollectError: It can't go on.
    """
    if collection.ledger.waiting() >= pack_at:
        collection.pack(jobs)
    again = True
    while again:
        try:
            full = collect()
        except CollectError:
            with suppress(OSError):  # a full disk, perhaps: the first error says more
                collection.pack(jobs)
            raise
        again = collection.pack(jobs) > 0 or full


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock that the system gives back when the process ends, however it ends."""
    from filelock import FileLock, Timeout

    path = folder / FOLDER / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        raise CollectError(f"another process is collecting into {folder}: wait for it, or stop it") from None
    except OSError as error:
        raise CollectError(f"{path} can't be written ({error.strerror}): mend that, then try again") from None
    try:
        yield
    finally:
        lock.release()
