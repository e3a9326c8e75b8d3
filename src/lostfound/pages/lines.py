"""Lines on the sphere as a flat map draws them: the way between two places, the circle around one.

Longitudes run on past ±180 where a line crosses the date line, so that neighbours are never a map's width
apart.
"""

from __future__ import annotations

import math

import numpy as np

from lostfound.geo.sphere import EARTH_RADIUS_KM, destination, from_unit_vectors, haversine_km, unit_vectors

Point = tuple[float, float]  # (latitude, longitude), degrees

# So close that a circle looks round, and closest to the north and the south, where it may pass by a pole.
_BEARINGS_DEG = 90 * (1 - np.cos(np.linspace(0, np.pi, 61)))


def great_circle(start: Point, end: Point, *, step_km: float = 300.0) -> list[Point]:
    """Points along the shortest way between two places.

    Args:
        start: (latitude, longitude), degrees.
        end: (latitude, longitude), degrees.
        step_km: Most distance between two points. Closer ones would show the map's rounding to whole pixels.

    Returns:
        The points, both ends included. Antipodes, which every way joins, stand alone.
    """
    length = float(haversine_km(start, end))
    angle = length / EARTH_RADIUS_KM
    if math.pi - angle < 1e-6:
        return _unwrapped([start, end])
    shares = np.linspace(0, 1, max(1, math.ceil(length / step_km)) + 1)[1:-1, None]
    vectors = np.sin((1 - shares) * angle) * unit_vectors(start) + np.sin(shares * angle) * unit_vectors(end)
    return _unwrapped([start, *map(tuple, from_unit_vectors(vectors).tolist()), end])


def circle(centre: Point, radius_km: float) -> list[Point]:
    """The part of a map that lies within a distance of a place.

    Args:
        centre: (latitude, longitude), degrees.
        radius_km: Along great circles; at most half the way round the Earth.

    Returns:
        The corners of its border, from the north over the east; longitudes are within 180° of the centre's.
        A circle that holds a pole spans all of them, and has corners at latitude ±90, where the map ends:
        there is no border of the circle between them and their neighbours.
    """
    latitude, longitude = centre
    radius = math.degrees(radius_km / EARTH_RADIUS_KM)
    half = destination((latitude, 0.0), _BEARINGS_DEG, radius_km)
    # The other half is its mirror image, which is why none of this needs to know of the date line.
    east = [(lat, longitude + abs(lon)) for lat, lon in half.tolist()]
    west = [(lat, longitude - abs(lon)) for lat, lon in half.tolist()]
    border = east
    if radius - latitude > 90:
        border += [(-90.0, longitude + 180), (-90.0, longitude - 180)]
    border += reversed(west)
    if radius + latitude > 90:
        border += [(90.0, longitude - 180), (90.0, longitude + 180)]
    return border


def _unwrapped(points: list[Point]) -> list[Point]:
    """The same points, each longitude within 180° of the one before."""
    result = points[:1]
    for latitude, longitude in points[1:]:
        turns = round((result[-1][1] - longitude) / 360)
        result.append((latitude, longitude + 360 * turns))
    return result
