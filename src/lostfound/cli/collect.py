"""`lostfound collect`: images from official street-imagery APIs into a data set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lostfound.cli import collect_browser
from lostfound.cli.collect_options import (
    Centres,
    Countries,
    Draw,
    DryRun,
    MaxMisses,
    MaxRequests,
    Panoramas,
    Parallel,
    Patience,
    Places,
    Polygons,
    Quota,
    RadiusKm,
    Rate,
    Sampler,
    Seed,
    SizeClasses,
    Timeout,
    To,
    Weigh,
    Weight,
)
from lostfound.cli.common import AsJson, Jobs, example
from lostfound.cli.output.collect import print_estimate, print_summary
from lostfound.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from lostfound.collect.places import PlacePlan
    from lostfound.collect.runner import Limits

collect = typer.Typer(
    help="Collect street images from official APIs into a data set.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("lostfound collect streetview -h"),
)
collect.add_typer(collect_browser.COMMANDS)


@collect.command(
    epilog=example("lostfound collect streetview --to data/sv --country France --places 100 --max-cost 5")
)
def streetview(
    to: To,
    sampler: Draw = Sampler.towns,
    places: Places = None,
    country: Countries = None,
    quota: Quota = None,
    size_classes: SizeClasses = False,
    centre: Centres = None,
    radius_km: RadiusKm = 10.0,
    weight: Weigh = Weight.place,
    boundaries: Polygons = None,
    seed: Seed = 0,
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
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="Shorter side of the stored images; as it comes by default.", min=16
        ),
    ] = None,
    max_cost: Annotated[
        float, typer.Option(metavar="USD", help="Budget of money, over all runs.", min=0)
    ] = 10.0,
    max_requests: MaxRequests = None,
    price: Annotated[float, typer.Option(metavar="USD", help="Price of one image.", min=0, max=100)] = 0.007,
    max_misses: MaxMisses = 100,
    rate: Rate = 10.0,
    parallel: Parallel = 4,
    patience: Patience = 900.0,
    timeout: Timeout = 30.0,
    jobs: Jobs = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Collect from Google's Street View Static API.

    The key is read from LOSTFOUND_STREETVIEW_KEY, a signing secret, if there is one, from
    LOSTFOUND_STREETVIEW_SECRET. Places without a panorama cost nothing. A run that was stopped goes on with
    the same command. What may be kept of the images is Google's to say: see docs/collect.md.
    """
    from lostfound.collect.places import Quotas
    from lostfound.collect.streetview import SOURCE, StreetView, Views, read_keys, settings_of

    plan = _plan(sampler, places, country, quota, size_classes, centre, radius_km, weight, boundaries, seed)
    width, height = _pixels(pixels)
    views = Views(headings, width, height, fov, pitch, search_m, not indoor, seed)
    quotas = Quotas(plan, max_misses)
    limits = _limits(max_requests, max_cost, rate, parallel, patience, timeout)
    if dry_run:
        print_estimate(
            SOURCE, to, limits, as_json=json, places=quotas.wanted(), images_each=headings, price=price
        )
        return
    require_collecting()
    read_keys()  # before anything is made
    from lostfound.collect.collection import open_collection
    from lostfound.collect.run import run_collection

    settings = {**plan.settings, **settings_of(views)}
    with open_collection(to, SOURCE, settings, size=size or min(width, height)) as collection:
        collector = StreetView(collection.ledger, quotas, views, price=price, held=collection.held_places())
        total, done = quotas.wanted(), quotas.found()
        summary = run_collection(
            collection, collector, limits, quotas=quotas, total=total, done=done, jobs=jobs
        )
    print_summary(summary, plan, as_json=json)


@collect.command(
    epilog=example("lostfound collect mapillary --to data/zagreb --box 45.78,15.93,45.83,16.03 --size 512")
)
def mapillary(
    to: To,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="S,W,N,E", help="A box to search whole, in degrees; may be given again."),
    ] = None,
    sampler: Draw = Sampler.towns,
    places: Places = None,
    country: Countries = None,
    quota: Quota = None,
    size_classes: SizeClasses = False,
    centre: Centres = None,
    radius_km: RadiusKm = 10.0,
    weight: Weigh = Weight.place,
    boundaries: Polygons = None,
    seed: Seed = 0,
    reach_km: Annotated[
        float, typer.Option(metavar="KM", help="How far from a drawn place to search, up to 5.")
    ] = 1.0,
    per_box: Annotated[
        int | None,
        typer.Option(metavar="N", help="Images of a box; 1 around a drawn place, all of a --box.", min=1),
    ] = None,
    per_sequence: Annotated[
        int, typer.Option(metavar="N", help="Images of one sequence, in all boxes together.", min=1)
    ] = 10,
    spacing_m: Annotated[
        float, typer.Option(metavar="M", help="Least distance between images of a sequence.", min=0)
    ] = 100.0,
    since: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Captured on this day or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Captured on this day or earlier.")
    ] = None,
    panoramas: Annotated[
        Panoramas, typer.Option(metavar="WHICH", help="Panoramas: no, only or both.")
    ] = Panoramas.no,
    camera_type: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="perspective, fisheye, ...; may be given again; all by default."),
    ] = None,
    size: Annotated[
        int, typer.Option(metavar="PIXELS", help="Shorter side of the stored images.", min=16)
    ] = 512,
    max_requests: MaxRequests = None,
    max_misses: MaxMisses = 100,
    rate: Rate = 10.0,
    parallel: Parallel = 4,
    patience: Patience = 900.0,
    timeout: Timeout = 30.0,
    jobs: Jobs = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Collect from Mapillary's Graph API.

    The access token is read from LOSTFOUND_MAPILLARY_TOKEN. Each record keeps the image's creator, licence
    (CC BY-SA 4.0) and address. A run that was stopped goes on with the same command.
    """
    from lostfound.collect.boxes import Box
    from lostfound.collect.mapillary import SOURCE, Mapillary, read_token, settings_of
    from lostfound.collect.mapillary_images import Filters
    from lostfound.collect.places import Quotas

    tiles = [tile for text in box or () for tile in Box.read(text).tiles()]
    plan = quotas = None
    if not tiles:
        plan = _plan(
            sampler, places, country, quota, size_classes, centre, radius_km, weight, boundaries, seed
        )
        quotas = Quotas(plan, max_misses)
    elif places or country or quota or size_classes or centre:
        raise UsageError("give boxes to search whole, or places to draw; not both")
    each = per_box if tiles else per_box or 1
    filters = Filters(
        since,
        until,
        {"no": False, "only": True, "both": None}[panoramas],
        tuple(camera_type or ()),
        each,
        per_sequence,
        spacing_m,
        reach_km,
        seed,
    )
    limits = _limits(max_requests, None, rate, parallel, patience, timeout)
    if dry_run:
        wanted = len(tiles) if quotas is None else quotas.wanted()
        print_estimate(SOURCE, to, limits, as_json=json, places=wanted, images_each=each, price=0)
        return
    require_collecting()
    read_token()  # before anything is made
    from lostfound.collect.collection import open_collection
    from lostfound.collect.run import run_collection

    begun = {"sampler": "boxes"} if plan is None else plan.settings
    settings = {**begun, **settings_of(filters)}
    with open_collection(to, SOURCE, settings, size=size) as collection:
        collector = Mapillary(
            collection.ledger, filters, quotas=quotas, boxes=tiles, held=collection.held_places()
        )
        total, done = collector.extent()
        summary = run_collection(
            collection, collector, limits, quotas=quotas, total=total, done=done, jobs=jobs
        )
    print_summary(summary, plan, as_json=json)


def require_collecting() -> None:
    """Say how to install what collecting needs, where it is missing."""
    if find_spec("httpx2") is None:
        raise MissingExtraError(
            "collecting asks web services, and that needs the extra 'collect' (not installed: httpx2): "
            "pip install 'lostfound[collect]'"
        )


def _plan(
    sampler: Sampler,
    places: int | None,
    country: Sequence[str] | None,
    quota: Sequence[str] | None,
    size_classes: bool,
    centre: Sequence[str] | None,
    radius_km: float,
    weight: Weight,
    boundaries: Path | None,
    seed: int,
) -> PlacePlan:
    from lostfound.collect.places import make_plan

    return make_plan(
        sampler.value,
        places=places,
        countries=country or (),
        quotas=quota or (),
        size_classes=size_classes,
        centres=centre or (),
        radius_km=radius_km,
        weight=weight.value,
        boundaries=boundaries,
        seed=seed,
    )


def _limits(
    max_requests: int | None,
    max_cost: float | None,
    rate: float,
    parallel: int,
    patience: float,
    timeout: float,
) -> Limits:
    from lostfound.collect.runner import Limits

    for number in (max_cost or 0.0, rate, patience, timeout):
        if not math.isfinite(number):
            raise UsageError(f"{number} is no number for --max-cost, --rate, --patience or --timeout")
    return Limits(max_requests, max_cost, rate, parallel, patience, timeout)


def _pixels(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"--pixels {text}: write width and height, such as 640x640")
    return int(width), int(height)
