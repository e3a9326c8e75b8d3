"""Places of the generated world, drawn evenly over the area of each country."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from lostfound.data.world.dice import Dice
from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries

DEFAULT_COUNTRIES = ("AU", "BR", "FR", "IN", "JP", "KE", "MN", "MX", "NO", "TH", "US", "ZA")
"""Countries on six continents with different climates, driving sides and roads."""
_BATCH = 32


@dataclass(frozen=True)
class Place:
    """A spot of the generated world.

    Attributes:
        place_id: Unique within a world, and the same however many places are drawn.
        latitude: Degrees.
        longitude: Degrees, -180 to 180.
        country: ISO 3166-1 alpha-2 code.
    """

    place_id: str
    latitude: float
    longitude: float
    country: str


def sample_places(count: int, *, seed: int = 0, countries: Sequence[str] | None = None) -> list[Place]:
    """Draw places, taking the countries in turn, evenly over each country's land.

    Place i depends on the seed, i and the countries alone: asking for more places keeps the first ones.

    Args:
        count: How many, 0 or more.
        seed: Another seed draws other places.
        countries: ISO 3166-1 alpha-2 codes; `DEFAULT_COUNTRIES` by default.

    Returns:
        The places, `count` long.

    Raises:
        CountryNameError: A code that has no boundary.
        UsageError: A negative count, or an empty list of countries.
    """
    codes = tuple(code.upper() for code in (DEFAULT_COUNTRIES if countries is None else countries))
    if count < 0:
        raise UsageError(f"count is {count}, but the number of places can't be negative")
    if not codes:
        raise UsageError("countries is empty: name at least one, or leave it out for the default ones")
    return [_place(index, codes[index % len(codes)], seed) for index in range(count)]


def country_of(latitude: float, longitude: float) -> str:
    """The country whose polygon holds the point, the nearest one at sea."""
    return str(Boundaries.packed().country_at([[latitude, longitude]], max_distance_km=None)[0])


def _place(index: int, code: str, seed: int) -> Place:
    """Draw candidates evenly within the country's bounds; the first on its land is the place."""
    shape, (west, south, east, north) = _shape(code)
    low, high = math.sin(math.radians(south)), math.sin(math.radians(north))
    dice = Dice("place", seed, index, code)
    while True:
        draws = np.array([dice.random() for _ in range(2 * _BATCH)]).reshape(_BATCH, 2)
        latitudes = np.degrees(np.arcsin(low + (high - low) * draws[:, 0]))
        longitudes = west + (east - west) * draws[:, 1]
        inside = shapely.intersects_xy(shape, longitudes, latitudes)
        if inside.any():
            first = int(np.argmax(inside))
            latitude, longitude = round(float(latitudes[first]), 6), round(float(longitudes[first]), 6)
            return Place(f"w{seed}-{index:06d}", latitude, longitude, code)


@lru_cache(maxsize=512)
def _shape(code: str) -> tuple[BaseGeometry, tuple[float, float, float, float]]:
    shape = Boundaries.packed().geometry(code)
    shapely.prepare(shape)
    return shape, shape.bounds
