"""A run that asks a service: estimated beforehand, done, and summed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lostfound.collect.collection import FOLDER, Collection, collect_and_pack
from lostfound.collect.ledger import Ledger
from lostfound.collect.runner import Collector, RunLimits, Runner
from lostfound.collect.tasks import MICRO, Totals
from lostfound.progress import progress

PACK_AT = 4096
"""So many images in the inbox are packed into the data set before more are asked for."""


@dataclass(frozen=True)
class CollectionEstimate:
    """What a collection would still ask and cost.

    Attributes:
        places: Places or boxes wanted in all.
        done: Those that were found already.
        images: Images wanted in all; None if it depends on what is there.
        images_held: Those collected already.
        requests: Requests still to be sent if no place were a miss: the least.
        cost: Dollars still to be spent.
        spent: Dollars spent already, at most.
        within_budget: The budget reaches that far.
    """

    places: int
    done: int
    images: int | None
    images_held: int
    requests: int
    cost: float
    spent: float
    within_budget: bool


@dataclass(frozen=True)
class CollectionSummary:
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


def estimate_collection(
    source: str, folder: Path, limits: RunLimits, *, places: int, images_each: int | None, price: float
) -> CollectionEstimate:
    """Estimate a collection from its plan and its ledger, without asking anything.

    Args:
        source: The service.
        folder: The data set's; nothing is made there.
        limits: The budget.
        places: Places or boxes wanted.
        images_each: Images of each; None if that depends on what is there.
        price: Dollars for an image.
    """
    totals, path = Totals(), folder / FOLDER / f"{source}.sqlite"
    if path.is_file():
        ledger = Ledger(path)
        totals = ledger.totals()
        ledger.close()
    done = min(places, totals.tasks["place", "hit"] + totals.tasks["box", "hit"])
    images = None if images_each is None else places * images_each
    left = max(0, (images or 0) - totals.images)
    requests = places - done + left
    cost = left * round(price * MICRO) / MICRO
    within = (limits.max_requests is None or totals.requests + requests <= limits.max_requests) and (
        limits.max_cost is None or totals.cost + cost <= limits.max_cost
    )
    return CollectionEstimate(places, done, images, totals.images, requests, cost, totals.cost, within)


def run_collection(
    collection: Collection,
    collector: Collector,
    limits: RunLimits,
    *,
    jobs: int | None = None,
    pack_at: int = PACK_AT,
) -> CollectionSummary:
    """Collect until everything is there, the budget is spent, or it can't go on; then pack.

    What was collected is packed also when it can't go on, except after Ctrl-C: then the next run does it.

    Args:
        collection: Where to.
        collector: What to ask for.
        limits: What the run may do.
        jobs: Processes for the packing; all cores if None.
        pack_at: Pack when so many images wait.

    Raises:
        CollectError: It can't go on; the same command does later.
    """
    ledger, before = collection.ledger, collection.ledger.totals()
    runner = Runner(collector, ledger, collection.inbox, limits)
    total, done = collector.extent()

    def collect() -> bool:
        nonlocal done
        with progress("Collecting", total, done=done) as show:
            full = runner.run(pack_at, show)
        done += runner.advanced
        return full

    collect_and_pack(collection, collect, jobs=jobs, pack_at=pack_at)
    totals = ledger.totals()
    return CollectionSummary(
        source=collection.source,
        totals=totals,
        collected=totals.images - before.images,
        dataset=collection.folder,
        images=collection.images(),
        budget_spent=runner.budget_spent,
        uncovered={} if collector.quotas is None else collector.quotas.uncovered(),
    )
