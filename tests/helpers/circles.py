"""What the page's circles are held against: the same on NumPy, which its own properties check."""

from __future__ import annotations

import math

import numpy as np

from lostfound.geo.sphere import EARTH_RADIUS_KM, destination

Point = tuple[float, float]  # (latitude, longitude), degrees

# So close that a circle looks round, and closest to the north and the south, where it may pass by a pole.
_BEARINGS_DEG = 90 * (1 - np.cos(np.linspace(0, np.pi, 61)))


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
