"""Where a JSON object says that something is: as games, GeoJSON, Google Takeout and ExifTool write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lostfound.data.tables import (
    COUNTRY_COLUMNS,
    LATITUDE_COLUMNS,
    LONGITUDE_COLUMNS,
    parse_degrees,
    parse_number,
    parse_text,
)
from lostfound.geo.sphere import location_problem

_NESTED = (
    *("coordinates", "location", "position", "gps", "latlng"),
    *("geometry", "geojson", "geom", "point", "properties"),
    *("geodata", "geodataexif"),  # Google Takeout: as shown there, and as the camera said
)
_LONGITUDE_FIRST = ("lnglat", "lonlat")
_GEOJSON = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)

Place = tuple[float | None, float | None]


def coordinates(content: Any) -> Place:
    """(latitude, longitude) as a JSON value states them, None where it does not.

    A pair is latitude first, but longitude first in a GeoJSON geometry (RFC 7946), which its `type` shows. Of
    several places the first that can be one counts: Takeout writes (0, 0) where it knows none.

    Args:
        content: An object, or a list with one.

    Raises:
        ValueError, TypeError, AttributeError: It is something else, or a number is none.
    """
    places = list(_places(_only(content)))
    valid = (place for place in places if location_problem(*place) is None)
    stated = (place for place in places if place != (None, None))
    return next(valid, None) or next(stated, None) or (None, None)


def country(content: Any) -> str | None:
    """The name of the country that a JSON value states, its own or that of its `properties`."""
    own = _lower(_only(content))
    names = (parse_text(own.get(key)) for key in COUNTRY_COLUMNS)
    return next(filter(None, names), None) or (country(own["properties"]) if own.get("properties") else None)


def _only(content: Any) -> Any:
    """The object itself, also where it is the only one of a list, as in ExifTool's and GeoJSON's."""
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content["features"]
    if isinstance(content, list):
        (content,) = content
    return content


def _lower(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in content.items()}


def _places(content: Mapping[str, Any]) -> Iterator[Place]:
    own = _lower(content)
    if own.get("type") in _GEOJSON:
        position = own.get("coordinates")
        if own["type"] == "MultiPoint":
            (position,) = position or [None]
        if own["type"] in ("Point", "MultiPoint") and position:
            yield parse_number(position[1]), parse_number(position[0])
        return
    for key in _NESTED:
        nested = own.get(key)
        if isinstance(nested, list) and len(nested) == 2:
            yield parse_number(nested[0]), parse_number(nested[1])
        if isinstance(nested, dict):
            yield from _places(nested)
    for key in _LONGITUDE_FIRST:
        if isinstance(own.get(key), list) and len(own[key]) == 2:
            yield parse_number(own[key][1]), parse_number(own[key][0])
    yield (
        _number(own, LATITUDE_COLUMNS, "NS"),
        _number(own, LONGITUDE_COLUMNS, "EW"),
    )


def _number(content: Mapping[str, Any], keys: tuple[str, ...], directions: str) -> float | None:
    key = next((key for key in keys if key in content), None)
    return None if key is None else parse_degrees(content[key], directions, content.get(f"{key}ref"))
