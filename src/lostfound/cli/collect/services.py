"""`lostfound collect streetview` and `mapillary`: images from official street-imagery APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lostfound.cli.collect.options import (
    MaxMisses,
    MaxRequests,
    PlaceOptions,
    RunOptions,
    Size,
    To,
    expand_options,
)
from lostfound.cli.common import example
from lostfound.cli.output.collect import print_estimate, print_summary
from lostfound.errors import UsageError

if TYPE_CHECKING:
    from lostfound.collect.collection import Collection
    from lostfound.collect.mapillary_images import Filters
    from lostfound.collect.places import PlacePlan
    from lostfound.collect.runner import Collector, RunLimits

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(
    epilog=example("lostfound collect streetview --to data/sv --country France --places 100 --max-cost 5")
)
@expand_options
def streetview(
    *,
    to: To,
    where: PlaceOptions,
    headings: Annotated[
        int, typer.Option(metavar="N", help="Views of a panorama, evenly around from a random start.")
    ] = 1,
    pixels: Annotated[
        str, typer.Option(metavar="WxH", help="Width and height to ask for, up to 640x640.")
    ] = "640x640",
    fov: Annotated[float, typer.Option(metavar="DEGREES", help="Horizontal field of view.")] = 90.0,
    pitch: Annotated[float, typer.Option(metavar="DEGREES", help="Above the horizon; below if < 0.")] = 0.0,
    search_m: Annotated[
        int, typer.Option(metavar="M", help="How far from a place a panorama may be, in metres.")
    ] = 1000,
    indoor: Annotated[bool, typer.Option("--indoor", help="Also panoramas inside buildings.")] = False,
    size: Size = None,
    max_cost: Annotated[
        float, typer.Option(metavar="USD", help="Budget of money, over all runs.", min=0)
    ] = 10.0,
    max_requests: MaxRequests = None,
    price: Annotated[float, typer.Option(metavar="USD", help="Price of one image.", min=0, max=100)] = 0.007,
    max_misses: MaxMisses = 100,
    run: RunOptions,
) -> None:
    """Collect from Google's Street View Static API.

    The key is read from LOSTFOUND_STREETVIEW_KEY, a signing secret, if there is one, from
    LOSTFOUND_STREETVIEW_SECRET. Places without a panorama cost nothing. A run that was stopped goes on with
    the same command. What may be kept of the images is Google's to say: see docs/collect.md.
    """
    from lostfound.collect.http import import_httpx
    from lostfound.collect.quotas import Quotas
    from lostfound.collect.streetview import SOURCE, StreetView, Views, read_keys, settings_of

    plan = where.plan()
    width, height = _pixels(pixels)
    views = Views(headings, width, height, fov, pitch, search_m, not indoor, where.seed)
    quotas = Quotas(plan, max_misses)
    limits = run.limits(max_requests, max_cost)
    if run.dry_run:
        wanted = quotas.wanted()
        print_estimate(SOURCE, to, limits, as_json=run.json, places=wanted, images_each=headings, price=price)
        return
    import_httpx()  # before anything is made
    read_keys()

    def start(collection: Collection) -> StreetView:
        return StreetView(collection.ledger, quotas, views, price=price, held=collection.held_places())

    settings = {**plan.settings, **settings_of(views)}
    _collect(to, SOURCE, settings, size or min(width, height), start, plan, limits, run)


class Panoramas(StrEnum):
    """Which of Mapillary's images are taken."""

    no = "no"
    only = "only"
    both = "both"


@dataclass(frozen=True)
class FilterOptions:
    """Which of Mapillary's images are taken."""

    reach_km: Annotated[
        float, typer.Option(metavar="KM", help="How far from a drawn place to search, up to 5.")
    ] = 1.0
    per_box: Annotated[
        int | None,
        typer.Option(metavar="N", help="Images of a box; 1 around a drawn place, all of a --box.", min=1),
    ] = None
    per_sequence: Annotated[
        int, typer.Option(metavar="N", help="Images of one sequence, in all boxes together.", min=1)
    ] = 10
    spacing_m: Annotated[
        float, typer.Option(metavar="M", help="Least distance between images of a sequence.", min=0)
    ] = 100.0
    since: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Captured on this day or later.")
    ] = None
    until: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Captured on this day or earlier.")
    ] = None
    panoramas: Annotated[Panoramas, typer.Option(metavar="WHICH", help="Panoramas: no, only or both.")] = (
        Panoramas.no
    )
    camera_type: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="perspective, fisheye, ...; may be given again; all by default."),
    ] = None

    def filters(self, per_box: int | None, seed: int) -> Filters:
        """What they mean, with so many images of a box."""
        from lostfound.collect.mapillary_images import Filters

        return Filters(
            since=self.since,
            until=self.until,
            panoramas={"no": False, "only": True, "both": None}[self.panoramas],
            camera_types=tuple(self.camera_type or ()),
            per_box=per_box,
            per_sequence=self.per_sequence,
            spacing_m=self.spacing_m,
            reach_km=self.reach_km,
            seed=seed,
        )


@COMMANDS.command(
    epilog=example("lostfound collect mapillary --to data/zagreb --box 45.78,15.93,45.83,16.03 --size 512")
)
@expand_options
def mapillary(
    *,
    to: To,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="S,W,N,E", help="A box to search whole, in degrees; may be given again."),
    ] = None,
    where: PlaceOptions,
    which: FilterOptions,
    size: Annotated[
        int, typer.Option(metavar="PIXELS", help="Shorter side of the stored images.", min=16)
    ] = 512,
    max_requests: MaxRequests = None,
    max_misses: MaxMisses = 100,
    run: RunOptions,
) -> None:
    """Collect from Mapillary's Graph API.

    The access token is read from LOSTFOUND_MAPILLARY_TOKEN. Each record keeps the image's creator, licence
    (CC BY-SA 4.0) and address. A run that was stopped goes on with the same command.
    """
    from lostfound.collect.boxes import Box
    from lostfound.collect.http import import_httpx
    from lostfound.collect.mapillary import SOURCE, Mapillary, read_token, settings_of
    from lostfound.collect.quotas import Quotas

    tiles = [tile for text in box or () for tile in Box.read(text).tiles()]
    plan = None if tiles else where.plan()
    if tiles and where.name_places():
        raise UsageError("give boxes to search whole, or places to draw; not both")
    quotas = None if plan is None else Quotas(plan, max_misses)
    each = which.per_box if tiles else which.per_box or 1
    filters = which.filters(each, where.seed)
    limits = run.limits(max_requests, None)
    if run.dry_run:
        wanted = len(tiles) if quotas is None else quotas.wanted()
        print_estimate(SOURCE, to, limits, as_json=run.json, places=wanted, images_each=each, price=0)
        return
    import_httpx()  # before anything is made
    read_token()

    def start(collection: Collection) -> Mapillary:
        held = collection.held_places()
        return Mapillary(collection.ledger, filters, quotas=quotas, boxes=tiles, held=held)

    settings = {**({"sampler": "boxes"} if plan is None else plan.settings), **settings_of(filters)}
    _collect(to, SOURCE, settings, size, start, plan, limits, run)


def _collect(
    to: Path,
    source: str,
    settings: Mapping[str, Any],
    size: int,
    start: Callable[[Collection], Collector],
    plan: PlacePlan | None,
    limits: RunLimits,
    run: RunOptions,
) -> None:
    """Open a collection, collect with what `start` makes of it, and say what it holds."""
    from lostfound.collect.collection import open_collection
    from lostfound.collect.run import run_collection

    with open_collection(to, source, settings, size=size) as collection:
        summary = run_collection(collection, start(collection), limits, jobs=run.jobs)
    print_summary(summary, plan, as_json=run.json)


def _pixels(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"--pixels {text}: write width and height, such as 640x640")
    return int(width), int(height)
