"""Named places: circles around centres, and boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostfound.errors import UsageError
from lostfound.geo.cities import largest_city, similar_city
from lostfound.geo.sphere import chord, destination, unit_vectors
from lostfound.partitions.base import OUTSIDE, Find, Partition, TrainingPlaces
from lostfound.partitions.build import CandidateCells, build_cells
from lostfound.partitions.shapes import cut_at_date_line, eastward, spherical_polygon

if TYPE_CHECKING:
    from lostfound.partitions.settings import CitiesSettings, CitySettings

_CORNERS = 72


def build(training: TrainingPlaces, settings: CitiesSettings) -> Partition:
    """One cell a city. A point belongs to the nearest centre whose circle holds it, else to the first box.

    Raises:
        UsageError: Two cities have one name, or a name without coordinates is not known.
    """
    names = [city.name for city in settings.cities]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"partition cities: {', '.join(twice)} is named twice; give each its own name")
    rule: dict[str, Any] = {city.name: _resolved(city, settings.radius_km) for city in settings.cities}
    countries = [rule[name].pop("country", None) for name in names]
    numbers = np.full(len(training.places), OUTSIDE, dtype=np.int64)
    numbers[training.known] = _search(rule, dict(zip(names, range(len(names)), strict=True)))(
        training.located
    )

    def shapes(kept: NDArray[np.intp]) -> NDArray[np.object_]:
        drawn = np.empty(len(kept), dtype=object)
        drawn[:] = [_shape(rule[names[row]]) for row in kept]
        return cut_at_date_line(drawn)

    candidates = CandidateCells(names, numbers, shapes, names, None if None in countries else countries)
    return build_cells("cities", training, candidates, settings, rule)


def finder(partition: Partition) -> Find:
    """Search by distance; a city that was dropped keeps its places out of the others."""
    return _search(dict(partition.rule), {each: row for row, each in enumerate(partition.cell_ids)})


def _resolved(city: CitySettings, radius_km: float) -> dict[str, Any]:
    if city.box is not None:
        return {"box": list(city.box)}
    about = {"latitude": city.latitude, "longitude": city.longitude, "radius_km": city.radius_km or radius_km}
    if city.latitude is None:
        about.update(_known(city.name))
    return about


def _known(name: str) -> dict[str, Any]:
    """Where the largest city of a name is, and its country."""
    city = largest_city(name)
    if city is None:
        near = similar_city(name)
        hint = "" if near is None else f"did you mean {near!r}? Else "
        raise UsageError(
            f"partition cities: no city {name!r} is known; {hint}give its latitude and longitude"
        )
    return {"latitude": city.latitude, "longitude": city.longitude, "country": city.country}


def _search(rule: dict[str, Any], numbers: dict[str, int]) -> Find:
    number = np.array([numbers.get(name, OUTSIDE) for name in rule] + [OUTSIDE], dtype=np.int64)
    circles = [row for row, about in enumerate(rule.values()) if "box" not in about]
    boxes = [(row, about["box"]) for row, about in enumerate(rule.values()) if "box" in about]
    radii = np.array([about["radius_km"] for about in rule.values() if "box" not in about])
    centres = np.array(
        [[about["latitude"], about["longitude"]] for about in rule.values() if "box" not in about]
    ).reshape(-1, 2)
    # A search tree for each radius: the nearest centre need not be the one whose circle holds the point.
    trees = [
        (chord(radius), np.array(circles)[radii == radius], cKDTree(unit_vectors(centres[radii == radius])))
        for radius in np.unique(radii)
    ]

    def find(places: NDArray[np.float64]) -> NDArray[np.int64]:
        best = np.full(len(places), np.inf)
        found = np.full(len(places), -1, dtype=np.int64)
        vectors = unit_vectors(places)
        for reach, rows, tree in trees:
            # The bound is exclusive.
            distance, which = tree.query(
                vectors, distance_upper_bound=np.nextafter(reach, np.inf), workers=-1
            )
            nearer = distance < best
            best[nearer] = distance[nearer]
            found[nearer] = rows[which[nearer]]
        for row, (south, west, north, east) in reversed(boxes):
            latitude, longitude = places[:, 0], eastward(places[:, 1], west)
            end = east if east >= west else east + 360.0
            held = (latitude >= south) & (latitude <= north) & (longitude <= end)
            found[held & np.isinf(best)] = row
        return number[found]

    return find


def _shape(about: dict[str, Any]) -> shapely.Geometry:
    if "box" in about:
        south, west, north, east = about["box"]
        return shapely.box(west, south, east if east > west else east + 360.0, north)
    centre = [about["latitude"], about["longitude"]]
    ring = destination(centre, np.linspace(360, 0, _CORNERS, endpoint=False), about["radius_km"])
    return spherical_polygon(unit_vectors(ring))
