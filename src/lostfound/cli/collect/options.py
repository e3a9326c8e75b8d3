"""What the collectors' commands share: where to look, how much, and how politely."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from lostfound.cli.common import AsJson, Jobs
from lostfound.errors import UsageError

if TYPE_CHECKING:
    from lostfound.collect.places import PlacePlan
    from lostfound.collect.runner import RunLimits


class PlaceSampler(StrEnum):
    """Where places are drawn."""

    towns = "towns"
    land = "land"
    around = "around"


class TownWeight(StrEnum):
    """How towns are drawn."""

    place = "place"
    population = "population"


To = Annotated[Path, typer.Option(metavar="DATASET", help="Folder, new or existing.")]
Size = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", help="Shorter side of the stored images; as it comes by default.", min=16),
]
MaxMisses = Annotated[
    int, typer.Option(metavar="N", help="Give a country up after so many misses in a row.", min=1)
]
MaxRequests = Annotated[
    int | None, typer.Option(metavar="N", help="Budget of requests, over all runs; none by default.", min=1)
]


@dataclass(frozen=True)
class PlaceOptions:
    """Which places to look at."""

    sampler: Annotated[
        PlaceSampler,
        typer.Option(
            metavar="SAMPLER",
            help="towns: near GeoNames towns. land: evenly over countries. around: around --centre.",
        ),
    ] = PlaceSampler.towns
    places: Annotated[
        int | None,
        typer.Option(metavar="N", help="Places wanted in each country or around each centre.", min=1),
    ] = None
    country: Annotated[
        list[str] | None, typer.Option("--country", metavar="NAME", help="A country; may be given again.")
    ] = None
    quota: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=N", help="A country with its own number of places; may be given again."),
    ] = None
    size_classes: Annotated[
        bool, typer.Option("--size-classes", help="123, 369 or 860 places a country, by its size.")
    ] = False
    centre: Annotated[
        list[str] | None,
        typer.Option("--centre", metavar="PLACE", help="A town, or LATITUDE,LONGITUDE; may be given again."),
    ] = None
    radius_km: Annotated[
        float, typer.Option(metavar="KM", help="Of the circles around towns and centres.")
    ] = 10.0
    weight: Annotated[
        TownWeight,
        typer.Option(metavar="WEIGHT", help="Draw towns all alike (place), or by their population."),
    ] = TownWeight.place
    boundaries: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Polygons for --sampler land: GeoJSON or GeoParquet.")
    ] = None
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed draws other places.")] = 0

    def name_places(self) -> bool:
        """Do they say which places are wanted, or how many?"""
        return bool(self.places or self.country or self.quota or self.size_classes or self.centre)

    def plan(self) -> PlacePlan:
        """The places that they ask for."""
        from lostfound.collect.places import make_plan

        return make_plan(
            self.sampler.value,
            places=self.places,
            countries=self.country or (),
            quotas=self.quota or (),
            size_classes=self.size_classes,
            centres=self.centre or (),
            radius_km=self.radius_km,
            weight=self.weight.value,
            boundaries=self.boundaries,
            seed=self.seed,
        )


@dataclass(frozen=True)
class RunOptions:
    """How a service is asked, and what is printed."""

    rate: Annotated[
        float, typer.Option(metavar="N", help="Requests a second, at most.", min=0.01, max=500)
    ] = 10.0
    parallel: Annotated[int, typer.Option(metavar="N", help="Requests under way at once.", min=1, max=64)] = 4
    patience: Annotated[
        float, typer.Option(metavar="S", help="Seconds without any answer before it stops.", min=0)
    ] = 900.0
    timeout: Annotated[float, typer.Option(metavar="S", help="Seconds to wait for one answer.", min=0.1)] = (
        30.0
    )
    jobs: Jobs = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask nothing; estimate requests and cost.")] = (
        False
    )
    json: AsJson = False

    def limits(self, max_requests: int | None, max_cost: float | None) -> RunLimits:
        """What the run may do, with its budget of requests and of dollars."""
        from lostfound.collect.runner import RunLimits

        for number in (max_cost or 0.0, self.rate, self.patience, self.timeout):
            if not math.isfinite(number):
                raise UsageError(f"{number} is no number for --max-cost, --rate, --patience or --timeout")
        return RunLimits(max_requests, max_cost, self.rate, self.parallel, self.patience, self.timeout)


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options: the fields of each dataclass become options, in its place."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            parameters += _parameters(groups[name])
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    @wraps(command)
    def expanded(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{each.name: values.pop(each.name) for each in fields(kind)})
        command(**values)

    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {each.name: each.annotation for each in parameters}
    return expanded


def _parameters(group: Any) -> list[inspect.Parameter]:
    """The fields of a dataclass as keyword parameters."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name]
        )
        for each in fields(group)
    ]
