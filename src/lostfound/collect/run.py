"""A collection from its first request to the data set, over as many runs as it takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger, disk_error
from lostfound.collect.pack import held_places, pack, storage_settings
from lostfound.collect.places import Quotas
from lostfound.collect.runner import Collector, Limits, Runner
from lostfound.collect.tasks import Totals
from lostfound.data.adding import existing_dataset
from lostfound.errors import CollectError
from lostfound.progress import progress

FOLDER = "collect"
"""Below the data set's: ledgers, and images that are not packed yet."""

PACK_AT = 4096
"""So many images in the inbox are packed into the data set before more are asked for."""


@dataclass(frozen=True)
class Summary:
    """What a collection holds, all its runs together.

    Attributes:
        source: The service.
        totals: Its counts.
        collected: Images of this run.
        dataset: The data set's folder.
        images: Images in the data set now, those of other sources too.
        budget_spent: The budget ended it.
        uncovered: Where the search was given up, and after how many misses in a row.
    """

    source: str
    totals: Totals
    collected: int
    dataset: Path
    images: int
    budget_spent: bool
    uncovered: Mapping[str, int] = field(default_factory=dict)

    def count(self, outcome: str, *kinds: str) -> int:
        """How many tasks of some kinds ended so."""
        return sum(self.totals.tasks[kind, outcome] for kind in kinds)


@dataclass
class Collection:
    """A collection that this process alone works on.

    Attributes:
        folder: The data set's.
        source: The service.
        size: The shorter side of the stored images, in pixels.
        ledger: What was asked, and what came of it.
        inbox: Images that are not in the data set yet.
    """

    folder: Path
    source: str
    size: int
    ledger: Ledger
    inbox: Inbox

    def held(self) -> frozenset[str]:
        """The places of this source that the data set has, as `place_id`."""
        return frozenset(held_places(self.folder, self.source, self.size))


@contextmanager
def opened(folder: Path, source: str, settings: Mapping[str, Any], *, size: int) -> Iterator[Collection]:
    """Open a collection, or begin it.

    Args:
        folder: The data set's, new or existing.
        source: The service.
        settings: What every run of it must agree on.
        size: The shorter side of the stored images, in pixels.

    Raises:
        UsageError: It was begun with other settings, or the data set stores images at another size.
        CollectError: Another process works on it, or the ledger is damaged or of another version.
        DatasetError: The data set is damaged.
    """
    existing_dataset(folder, storage_settings(size))
    work = folder / FOLDER
    work.mkdir(parents=True, exist_ok=True)
    with _alone(work / "lock.sqlite"):
        ledger = Ledger(work / f"{source}.sqlite")
        try:
            with ledger.writing():
                ledger.settle({**settings, "size": size})
                ledger.reopen()
            inbox = Inbox(work / f"{source}-inbox")
            inbox.tidy(ledger.held(), ledger.images())
            yield Collection(folder, source, size, ledger, inbox)
        except sqlite3.OperationalError as error:
            raise disk_error(ledger.path, error) from None
        finally:
            ledger.close()


def run_collection(
    collection: Collection,
    collector: Collector,
    limits: Limits,
    *,
    quotas: Quotas | None = None,
    total: int,
    done: int,
    jobs: int | None = None,
    pack_at: int = PACK_AT,
) -> Summary:
    """Collect until everything is there, the budget is spent, or it can't go on; then pack.

    What was collected is packed also when it can't go on, except after Ctrl-C: then the next run does it.

    Args:
        collection: Where to.
        collector: What to ask for.
        limits: What the run may do.
        quotas: The collector's, if it draws places.
        total: Units of progress, all runs together.
        done: Units of earlier runs.
        jobs: Processes for the packing; all cores if None.
        pack_at: Pack when so many images wait.

    Raises:
        CollectError: It can't go on; the same command does later.
    """
    ledger, before = collection.ledger, collection.ledger.totals()

    def packed() -> int:
        return pack(
            collection.folder,
            ledger,
            collection.inbox,
            source=collection.source,
            size=collection.size,
            jobs=jobs,
        )

    runner = Runner(collector, ledger, collection.inbox, limits)
    if ledger.waiting() >= pack_at:
        packed()
    again = True
    while again:
        try:
            with progress("Collecting", total, done=done) as show:
                full = runner.run(pack_at, show)
            done += runner.advanced
        except CollectError:
            with suppress(OSError):  # a full disk, perhaps: the first error says more
                packed()
            raise
        again = packed() > 0 or full
    dataset = existing_dataset(collection.folder, storage_settings(collection.size))
    totals = ledger.totals()
    return Summary(
        collection.source,
        totals,
        totals.images - before.images,
        collection.folder,
        0 if dataset is None else len(dataset),
        runner.budget_spent,
        {} if quotas is None else quotas.uncovered(),
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that the system gives back when the process ends, however it ends."""
    lock = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if "locked" not in str(error):
            raise CollectError(f"{path} can't be written ({error}): mend that, then try again") from None
        raise CollectError(
            f"another process is collecting into {path.parent.parent}: wait for it, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.close()
