"""Collecting with browsers from the first game to the data set, over as many runs as it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lostfound.collect.browser.ledger import BrowserLedger
from lostfound.collect.browser.runner import BrowserLimits, BrowserRunner
from lostfound.collect.browser.window import BrowserSettings
from lostfound.collect.collection import Collection, collect_and_pack
from lostfound.progress import progress

PACK_AT = 1000
"""So many pictures are packed into the data set before further games are begun."""


@dataclass(frozen=True)
class BrowserSummary:
    """What a browser collection holds.

    Attributes:
        source: The records' source.
        dataset: The data set's folder.
        images: Images in the data set now, those of other sources too.
        counts: Of all runs.
        this_run: Of this run.
    """

    source: str
    dataset: Path
    images: int
    counts: Mapping[str, int]
    this_run: Mapping[str, int]


def collect_with_browsers(
    collection: Collection,
    settings: BrowserSettings,
    limits: BrowserLimits,
    *,
    jobs: int | None = None,
    pack_at: int = PACK_AT,
) -> BrowserSummary:
    """Play games until there are enough rounds, or it can't go on; then pack.

    What was collected is packed also when it can't go on, except after Ctrl-C: then the next run does it.

    Args:
        collection: Where to.
        settings: How browsers are started, and for what.
        limits: What the run may do.
        jobs: Processes for the packing; all cores if None.
        pack_at: Pack when so many pictures wait.

    Raises:
        CollectError: It can't go on; the same command does once that is mended.
    """
    ledger = BrowserLedger(collection.ledger, collection.inbox)

    def collect() -> bool:
        done = ledger.rounds()
        with progress("Collecting", max(limits.rounds or 0, done), done=done) as show:
            return BrowserRunner(ledger, settings, limits, show).run(pack_at)

    collect_and_pack(collection, collect, jobs=jobs, pack_at=pack_at)
    return BrowserSummary(
        source=collection.source,
        dataset=collection.folder,
        images=collection.images(),
        counts=dict(ledger.counts),
        this_run=dict(ledger.this_run),
    )
