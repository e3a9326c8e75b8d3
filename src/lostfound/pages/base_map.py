"""The map that needs no network: borders, names of countries and cities, of the tables in the package."""

from __future__ import annotations

import json
import math
from typing import Any

import shapely
from shapely.geometry import shape

from lostfound.geo.boundaries import outlines
from lostfound.geo.cities import city_table
from lostfound.pages.frame import asset

LARGE_TOWN = 100_000
"""People from which a city is named on the map."""
_LABEL_FINENESS_DEG = 0.1


def world() -> bytes:
    """Coarse borders (1:110m) of the larger countries, for the map of the whole Earth; see `countries`."""
    return _json(countries(outlines()))


def borders() -> bytes:
    """Finer borders (1:50m) of all countries, for closer looks; see `countries`."""
    return _json(countries(outlines(fine=True)))


def cities() -> bytes:
    """The cities that are named on the map, JSON; see `named_cities`."""
    return _json(named_cities(LARGE_TOWN))


def ground(*, names: bool = False) -> dict[str, Any]:
    """Finer borders (1:50m) of all countries as they stand within a page, in a fifth of GeoJSON's room.

    Args:
        names: Whether names of countries and of the larger cities are to stand on the map.

    Returns:
        `shapes`: [code, name, borders], where the polygons are parted by commas and their rings by spaces; a
        ring is an encoded polyline (Google's algorithm) of (latitude, longitude) with two decimals. With
        `names` also `labels` as of `countries`, and `cities` as of `named_cities`.
    """
    found: dict[str, Any] = json.loads(asset("ground.json"))  # made by scripts/build_ground.py
    return found if names else {"shapes": found["shapes"]}


def named_cities(least: int) -> list[tuple[str, float, float, int]]:
    """Cities of so many people and more, the largest first: (name, latitude, longitude, people)."""
    table = (
        city_table()
        .select(["name", "latitude", "longitude", "population"])
        .sort_by([("population", "descending"), ("name", "ascending")])
    )
    rows = zip(*(column.to_pylist() for column in table.itercolumns()), strict=True)
    return [
        (name, round(latitude, 3), round(longitude, 3), people)
        for name, latitude, longitude, people in rows
        if people >= least
    ]


def countries(shapes: dict[str, Any]) -> dict[str, Any]:
    """Countries and where their names stand.

    Args:
        shapes: A FeatureCollection as `outlines` gives it.

    Returns:
        `shapes`, as they were, and `labels`: [name, latitude, longitude, width], the largest country first.
        The place is the middle of the largest circle inside the country's largest part; the width is that
        part's, in degrees of longitude.
    """
    parts = [(each["properties"]["name"], _largest_part(each["geometry"])) for each in shapes["features"]]
    parts.sort(key=lambda each: -_extent(each[1]))
    return {"shapes": shapes, "labels": [[name, *_place(part)] for name, part in parts]}


def _largest_part(geometry: dict[str, Any]) -> shapely.Polygon:
    return max(shapely.get_parts(shape(geometry)), key=_extent)


def _extent(part: shapely.Polygon) -> float:
    """About the size on the sphere: square degrees at the equator."""
    return float(part.area * math.cos(math.radians(part.centroid.y)))


def _place(part: shapely.Polygon) -> tuple[float, float, float]:
    west, _, east, _ = part.bounds
    fineness = max(min(_LABEL_FINENESS_DEG, (east - west) / 10), 1e-3)
    middle = shapely.get_point(shapely.maximum_inscribed_circle(part, tolerance=fineness), 0)
    return round(middle.y, 2), round(middle.x, 2), round(east - west, 2)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
