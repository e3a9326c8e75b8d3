"""Lines on the sphere as a flat map draws them: the way between two places (circles.js has the circles).

Longitudes run on past ±180 where a line crosses the date line, so that neighbours are never a map's width
apart.
"""

from __future__ import annotations

import math

import numpy as np

from lostfound.geo.sphere import EARTH_RADIUS_KM, from_unit_vectors, haversine_km, unit_vectors

Point = tuple[float, float]  # (latitude, longitude), degrees


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


def _unwrapped(points: list[Point]) -> list[Point]:
    """The same points, each longitude within 180° of the one before."""
    result = points[:1]
    for latitude, longitude in points[1:]:
        turns = round((result[-1][1] - longitude) / 360)
        result.append((latitude, longitude + 360 * turns))
    return result
