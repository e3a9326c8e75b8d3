"""What the collectors' commands share: where to look, how much, and how politely."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Sampler(StrEnum):
    """Where places are drawn."""

    towns = "towns"
    land = "land"
    around = "around"


class Weight(StrEnum):
    """How towns are drawn."""

    place = "place"
    population = "population"


class Panoramas(StrEnum):
    """Which of Mapillary's images are taken."""

    no = "no"
    only = "only"
    both = "both"


To = Annotated[Path, typer.Option(metavar="DATASET", help="Folder, new or existing.")]
Draw = Annotated[
    Sampler,
    typer.Option(
        metavar="SAMPLER",
        help="towns: near GeoNames towns. land: evenly over countries. around: around --centre.",
    ),
]
Places = Annotated[
    int | None, typer.Option(metavar="N", help="Places wanted in each country or around each centre.", min=1)
]
Countries = Annotated[
    list[str] | None, typer.Option("--country", metavar="NAME", help="A country; may be given again.")
]
Quota = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=N", help="A country with its own number of places; may be given again."),
]
SizeClasses = Annotated[
    bool, typer.Option("--size-classes", help="123, 369 or 860 places a country, by its size.")
]
Centres = Annotated[
    list[str] | None,
    typer.Option("--centre", metavar="PLACE", help="A town, or LATITUDE,LONGITUDE; may be given again."),
]
RadiusKm = Annotated[float, typer.Option(metavar="KM", help="Of the circles around towns and centres.")]
Weigh = Annotated[
    Weight, typer.Option(metavar="WEIGHT", help="Draw towns all alike (place), or by their population.")
]
Polygons = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Polygons for --sampler land: GeoJSON or GeoParquet."),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Another seed draws other places.")]
MaxMisses = Annotated[
    int, typer.Option(metavar="N", help="Give a country up after so many misses in a row.", min=1)
]
MaxRequests = Annotated[
    int | None, typer.Option(metavar="N", help="Budget of requests, over all runs; none by default.", min=1)
]
Rate = Annotated[float, typer.Option(metavar="N", help="Requests a second, at most.", min=0.01, max=500)]
Parallel = Annotated[int, typer.Option(metavar="N", help="Requests under way at once.", min=1, max=64)]
Patience = Annotated[
    float, typer.Option(metavar="S", help="Seconds without any answer before it stops.", min=0)
]
Timeout = Annotated[float, typer.Option(metavar="S", help="Seconds to wait for one answer.", min=0.1)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Ask nothing; estimate requests and cost.")]
