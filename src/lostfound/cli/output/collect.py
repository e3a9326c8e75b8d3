"""What `lostfound collect` prints: the estimate of a dry run, and what a collection holds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lostfound.cli.common import show

if TYPE_CHECKING:
    from lostfound.collect.browser.run import BrowserSummary
    from lostfound.collect.places import PlacePlan
    from lostfound.collect.run import CollectionSummary
    from lostfound.collect.runner import RunLimits


def print_estimate(
    source: str,
    to: Path,
    limits: RunLimits,
    *,
    as_json: bool,
    places: int,
    images_each: int | None,
    price: float,
) -> None:
    """Say what a collection would ask and cost, without asking."""
    from lostfound.collect.run import estimate_collection

    estimated = estimate_collection(source, to, limits, places=places, images_each=images_each, price=price)
    if as_json:
        _print_json(asdict(estimated))
        return
    images = "all that fit" if estimated.images is None else f"{estimated.images:,}"
    show(f"Dry run, nothing was asked. For the whole collection into {to}:")
    show(f"  {'boxes' if images_each is None else 'places'}: {places:,}, held already: {estimated.done:,}")
    show(f"  images: {images}, held already: {estimated.images_held:,}")
    show(f"  requests still to send: {estimated.requests:,} or more; every miss takes one more")
    if price:
        show(f"  cost still to come: {estimated.cost:,.2f} USD, spent already: {estimated.spent:,.2f} USD")
    if not estimated.within_budget:
        show("  the budget does not reach: it will stop when that is spent")
    hours = estimated.requests / limits.rate / 3600
    show(f"  time at {limits.rate:g} requests a second: {hours:,.1f} h or more")


def print_summary(summary: CollectionSummary, plan: PlacePlan | None, *, as_json: bool) -> None:
    """Say what a collection holds."""
    kinds = {
        "hits": summary.count("hit", "place", "box"),
        "misses": summary.count("miss", "place", "box"),
        "duplicates": summary.count("duplicate", "place", "box"),
        "errors": sum(count for (_, outcome), count in summary.totals.tasks.items() if outcome == "error"),
        "images_gone": summary.count("miss", "view", "image"),
    }
    values: dict[str, Any] = {
        "source": summary.source,
        "dataset": str(summary.dataset),
        "images_collected": summary.totals.images,
        "images_collected_in_this_run": summary.collected,
        "images_in_the_data_set": summary.images,
        **kinds,
        "requests": summary.totals.requests,
        "cost_usd": round(summary.totals.cost, 6),
        "budget_spent": summary.budget_spent,
        "no_coverage": dict(summary.uncovered),
    }
    if as_json:
        _print_json(values)
        return
    rows = [
        ("places with an image (hits)", kinds["hits"]),
        ("places without (misses)", kinds["misses"]),
        ("places held already (duplicates)", kinds["duplicates"]),
        ("errors", kinds["errors"]),
        ("images gone since they were found", kinds["images_gone"]),
        ("images collected", summary.totals.images),
        ("images collected in this run", summary.collected),
        ("images now in the data set", summary.images),
        ("requests", summary.totals.requests),
    ]
    show(f"Collected from {summary.source} into {summary.dataset}, all runs together:\n")
    for name, number in rows:
        show(f"  {name:36} {number:>9,}")
    if summary.totals.cost:
        show(f"  {'cost, at most':36} {summary.totals.cost:>9,.2f} USD")
    names = {} if plan is None else plan.names
    for where, count in summary.uncovered.items():
        show(f"\nNo coverage in {names.get(where, where)}: given up after {count:,} misses in a row.")
    if summary.budget_spent:
        show("\nThe budget is spent. With a larger one the same command goes on.")
    elif kinds["errors"]:
        show("\nThe same command tries once more what failed.")


def print_browser_summary(summary: BrowserSummary, *, as_json: bool) -> None:
    """Say what a browser collection holds."""
    if as_json:
        _print_json(asdict(summary) | {"dataset": str(summary.dataset)})
        return
    show(f"Collected from {summary.source} into {summary.dataset}:\n")
    show(f"  {'':36} {'this run':>9} {'all runs':>9}")
    rows = {
        "rounds": "rounds stored",
        "duplicate games": "games joined or played already",
        "duplicate rounds": "rounds held already",
        "duplicate pictures": "pictures held already",
        "error pictures": "errors shown as a picture",
        "rounds without a picture": "rounds without a picture",
        "errors": "other errors",
        "restarts": "browsers started anew",
    }
    for key, name in rows.items():
        show(f"  {name:36} {summary.this_run.get(key, 0):>9,} {summary.counts.get(key, 0):>9,}")
    show(f"  {'images now in the data set':36} {'':9} {summary.images:>9,}")


def _print_json(values: dict[str, Any]) -> None:
    from lostfound.cli.output.tables import print_json

    print_json(values)
