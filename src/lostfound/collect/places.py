"""Where to look: places drawn near towns, over countries' land or around centres."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import CountryNameError, UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.cities import city_table, largest_city
from lostfound.geo.countries import country_name, parse_country
from lostfound.geo.sampling import (
    Weight,
    sample_around,
    sample_countries,
    sample_near_towns,
    size_class_targets,
)

SAMPLERS = ("towns", "land", "around")

Draw = Callable[[str, int], tuple[NDArray[np.float64], list[str]]]
"""The first n places of an area: degrees (n, 2), and where each lies (what misses are counted by)."""

WORLD = "the world"


@dataclass(frozen=True)
class PlacePlan:
    """Which places to look at.

    Attributes:
        targets: How many places with an image are wanted in each area.
        draw: Draws them; asking for more keeps the first ones.
        settings: What else the places depend on; the same settings give the same places.
        names: What to call each area.
    """

    targets: Mapping[str, int]
    draw: Draw
    settings: Mapping[str, Any]
    names: Mapping[str, str]


def make_plan(
    sampler: str,
    *,
    places: int | None = None,
    countries: Sequence[str] = (),
    quotas: Sequence[str] = (),
    size_classes: bool = False,
    centres: Sequence[str] = (),
    radius_km: float = 10.0,
    weight: Weight = "place",
    boundaries: Path | None = None,
    seed: int = 0,
) -> PlacePlan:
    """Make a plan from what a user says.

    Args:
        sampler: "towns" (in circles around GeoNames towns), "land" (evenly over countries' polygons) or
            "around" (in circles around centres).
        places: How many in each country or around each centre.
        countries: Names or codes.
        quotas: Countries with their own number, as "FR=200".
        size_classes: Each country's number by its size, as EUGuess: 123, 369 or 860.
        centres: Cities' names, or coordinates as "45.81,15.98".
        radius_km: Of the circles, for "towns" and "around".
        weight: How towns are drawn: all alike ("place") or by "population".
        boundaries: The polygons for "land", in place of the packed countries.
        seed: Another seed draws other places.

    Raises:
        UsageError: Options that don't go together, or that name nothing.
        CountryNameError: A country that can't be told.
    """
    if sampler not in SAMPLERS:
        raise UsageError(f"no sampler {sampler!r}: choose one of {', '.join(SAMPLERS)}")
    settings = {"sampler": sampler, "seed": seed}
    if sampler == "around":
        return _around(centres, places, radius_km, settings)
    if centres:
        raise UsageError(f"centres go with the sampler 'around', not {sampler!r}")
    shapes = None if boundaries is None else Boundaries.read(boundaries)
    codes = [_code(text, shapes) for text in countries]
    targets = _targets(codes, quotas, places, size_classes, shapes)
    if sampler == "land":
        return _on_land(targets, shapes, boundaries, settings)
    if shapes is not None:
        raise UsageError("boundaries go with the sampler 'land': it draws inside their polygons")
    if not targets:
        if places is None:
            raise UsageError("say how many places are wanted: --places 100")
        targets = {WORLD: places}
    return _near_towns(targets, radius_km, weight, settings)


def _on_land(
    targets: Mapping[str, int], shapes: Boundaries | None, file: Path | None, settings: Mapping[str, Any]
) -> PlacePlan:
    """Places evenly over countries' polygons."""
    if not targets:
        raise UsageError("the sampler 'land' needs countries: name them with --country")
    seed = settings["seed"]

    def draw(area: str, count: int) -> tuple[NDArray[np.float64], list[str]]:
        return sample_countries({area: count}, seed=seed, boundaries=shapes)[area], [area] * count

    own = {"boundaries": None if file is None else file.name}
    return PlacePlan(targets, draw, {**settings, **own}, {code: _named(code) for code in targets})


def _near_towns(
    targets: Mapping[str, int], radius_km: float, weight: Weight, settings: Mapping[str, Any]
) -> PlacePlan:
    """Places in circles around GeoNames towns."""
    seed = settings["seed"]

    def draw(area: str, count: int) -> tuple[NDArray[np.float64], list[str]]:
        only = None if area == WORLD else [area]
        found = sample_near_towns(count, radius_km=radius_km, countries=only, weight=weight, seed=seed)
        return found.points, city_table()["country"].take(found.towns).to_pylist()

    for code in targets:
        draw(code, 0)  # a country without towns is an error now, not in a week
    own = {"radius_km": radius_km, "weight": weight}
    return PlacePlan(targets, draw, {**settings, **own}, {code: _named(code) for code in targets})


def _around(
    centres: Sequence[str], places: int | None, radius_km: float, settings: Mapping[str, Any]
) -> PlacePlan:
    """Places in circles around centres."""
    if not centres:
        raise UsageError("the sampler 'around' needs centres: --centre Zagreb, or --centre 45.81,15.98")
    if places is None:
        raise UsageError("say how many places are wanted around each centre: --places 100")
    points = {text: _centre(text) for text in centres}
    sample_around(list(points.values()), 0, radius_km=radius_km)  # checks them

    def draw(area: str, count: int) -> tuple[NDArray[np.float64], list[str]]:
        drawn = sample_around([points[area]], count, radius_km=radius_km, seed=settings["seed"])[0]
        return drawn, [area] * count

    return PlacePlan(
        dict.fromkeys(points, places),
        draw,
        {**settings, "radius_km": radius_km},
        {text: text for text in points},
    )


def _targets(
    codes: list[str],
    quotas: Sequence[str],
    places: int | None,
    size_classes: bool,
    shapes: Boundaries | None,
) -> dict[str, int]:
    if size_classes and places is not None:
        raise UsageError("give a number of places or --size-classes, not both")
    if size_classes:
        if not codes:
            raise UsageError("--size-classes needs countries: name them with --country")
        targets = size_class_targets(codes, boundaries=shapes)
    elif codes and places is None:
        raise UsageError("say how many places are wanted in each country: --places 100, or --size-classes")
    else:
        targets = dict.fromkeys(codes, places or 0)
    for text in quotas:
        name, equals, number = text.rpartition("=")
        if not equals or not number.strip().isdigit():
            raise UsageError(f"{text!r} is no quota: write the country and its number, such as FR=200")
        targets[_code(name, shapes)] = int(number)
    return targets


def _code(text: str, shapes: Boundaries | None) -> str:
    if shapes is not None and text in shapes.codes:
        return text
    return parse_country(text, guess=False)  # a week's collection is no place to find out


def _named(code: str) -> str:
    try:
        return f"{country_name(code)} ({code})"
    except CountryNameError:  # codes of a user's own boundaries are names already
        return code


def _centre(text: str) -> tuple[float, float]:
    """Coordinates, or the largest town of a name."""
    first, comma, second = text.partition(",")
    if comma:
        try:
            return float(first), float(second)
        except ValueError:
            pass
    name, _, country = text.partition(",")
    town = largest_city(name, parse_country(country, guess=False) if country.strip() else None)
    if town is None:
        raise UsageError(
            f"no town {text!r} is known: write its name as GeoNames does, or its coordinates, "
            "such as 45.81,15.98"
        )
    return town.latitude, town.longitude


def uniform(*key: object) -> float:
    """A number in [0, 1) that depends on a key alone."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
