"""What a collection would ask and cost, from its plan and its ledger, without asking anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lostfound.collect.ledger import Ledger
from lostfound.collect.run import FOLDER
from lostfound.collect.runner import Limits
from lostfound.collect.tasks import MICRO, Totals


@dataclass(frozen=True)
class Estimate:
    """What is still to come.

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


def estimate(
    source: str, folder: Path, limits: Limits, *, places: int, images_each: int | None, price: float
) -> Estimate:
    """Estimate a collection.

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
    return Estimate(places, done, images, totals.images, requests, cost, totals.cost, within)
