"""Places of the generated world, drawn evenly over the area of each country."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sampling import sample_countries

DEFAULT_COUNTRIES = ("AU", "BR", "FR", "IN", "JP", "KE", "MN", "MX", "NO", "TH", "US", "ZA")
"""Countries on six continents with different climates, driving sides and roads."""


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
    turns = [codes[index % len(codes)] for index in range(count)]
    drawn = sample_countries(Counter(turns), seed=seed)
    points = {code: iter(own.round(6).tolist()) for code, own in drawn.items()}
    places = []
    for index, code in enumerate(turns):
        latitude, longitude = next(points[code])
        places.append(Place(f"w{seed}-{index:06d}", latitude, longitude, code))
    return places


def country_of(latitude: float, longitude: float) -> str:
    """The country whose polygon holds the point, the nearest one at sea."""
    return str(Boundaries.packed().country_at([[latitude, longitude]], max_distance_km=None)[0])
