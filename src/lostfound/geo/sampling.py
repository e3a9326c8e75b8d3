"""Drawing places: evenly inside polygons, around centres, near towns, and by a number for each country.

The same seed draws the same places on every machine and with every version of NumPy, and asking for more
keeps the first ones.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.cities import city_table
from lostfound.geo.shapes import area_km2
from lostfound.geo.sphere import EARTH_RADIUS_KM, destination, is_coordinate, wrap_longitude

HALF_ROUND_KM = float(np.pi * EARTH_RADIUS_KM)
"""The farthest two places can be apart: a circle of this radius is the whole Earth."""

Weight = Literal["place", "population"]
"""What a town's chance goes by: all alike, or by how many live there."""

# A shape that fills less than this share of its bounds would be drawn at for minutes.
_LEAST_FILLED = 1e-5


@dataclass(frozen=True)
class SizeClass:
    """Countries of about one size, of which equally many places are wanted.

    Attributes:
        name: What to call it.
        below_km2: The surface that its countries stay below.
        places: How many places of each.
    """

    name: str
    below_km2: float
    places: int


EUGUESS_CLASSES = (
    SizeClass("small", 47_000.0, 123),
    SizeClass("medium", 180_000.0, 369),
    SizeClass("large", np.inf, 860),
)
"""EUGuess's numbers. Its limits are not published; these give its 14 258 places for its 32 countries, and
each country of its table its number."""


@dataclass(frozen=True)
class NearTowns:
    """Places drawn near towns.

    Attributes:
        points: Degrees, (n, 2).
        towns: The town of each, as a row of `lostfound.geo.cities.city_table`, (n,). Its country need not be
            the point's: borders and coasts may be nearer than the radius.
    """

    points: NDArray[np.float64]
    towns: NDArray[np.int64]


def sample_inside(shape: BaseGeometry, count: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Draw places inside a polygon, evenly over its surface on the sphere.

    Candidates within the bounds of the shape's parts, even in longitude and in the sine of latitude; those
    inside are kept. (EUGuess drew evenly in degrees, which crowds the places towards the pole.)

    Args:
        shape: A valid polygon or multipolygon, x the longitude and y the latitude in degrees; where it
            crosses the date line it may be cut or run on past 180.
        count: How many, 0 or more.
        seed: Another seed draws other places.

    Returns:
        Points in degrees, (count, 2).

    Raises:
        UsageError: A negative count, or a shape that nothing can be drawn from.
    """
    return _inside(shape, count, _Stream(seed))


def sample_countries(
    targets: Mapping[str, int], *, seed: int = 0, boundaries: Boundaries | None = None
) -> dict[str, NDArray[np.float64]]:
    """Draw a number of places in each country, evenly over its land.

    A country's places depend on the seed and the country alone, never on the other countries.

    Args:
        targets: How many places for each code, such as those of `size_class_targets`.
        seed: Another seed draws other places.
        boundaries: The shapes; the packed ones by default.

    Returns:
        For each code, in the order given, points in degrees, (targets[code], 2).

    Raises:
        CountryNameError: A code that has no boundary.
        UsageError: A negative number.
    """
    shapes = boundaries or Boundaries.packed()
    return {
        code: _inside(shapes.geometry(code), count, _Stream(seed, str(code)))
        for code, count in targets.items()
    }


def size_class_targets(
    codes: Iterable[str],
    classes: Sequence[SizeClass] = EUGUESS_CLASSES,
    *,
    boundaries: Boundaries | None = None,
) -> dict[str, int]:
    """How many places of each country, by the size of its land.

    Args:
        codes: ISO 3166-1 alpha-2 codes.
        classes: From the smallest to the largest; a country belongs to the first whose limit it stays below.
        boundaries: The shapes; the packed ones by default.

    Returns:
        The number for each code, in the order given.

    Raises:
        CountryNameError: A code that has no boundary.
        UsageError: The classes don't grow, or a country is too large for all of them.
    """
    limits = [each.below_km2 for each in classes]
    if not limits or limits != sorted(set(limits)):
        raise UsageError(f"size classes need growing limits, got {limits} km²")
    shapes = boundaries or Boundaries.packed()
    names = tuple(codes)
    areas = area_km2([shapes.geometry(code) for code in names])
    chosen = np.searchsorted(limits, areas, side="right")
    for code, area, number in zip(names, areas, chosen, strict=True):
        if number == len(classes):
            raise UsageError(
                f"{code} has {area:.0f} km², but the largest class ends at {limits[-1]:.0f}: raise its limit"
            )
    return {code: classes[number].places for code, number in zip(names, chosen, strict=True)}


def sample_around(centres: ArrayLike, count: int, *, radius_km: float, seed: int = 0) -> NDArray[np.float64]:
    """Draw places in a circle around each centre, evenly over the surface.

    The places of a centre depend on the seed and the centre alone.

    Args:
        centres: Degrees, (m, 2).
        count: How many around each, 0 or more.
        radius_km: Great-circle distance, above 0 and at most `HALF_ROUND_KM`.
        seed: Another seed draws other places.

    Returns:
        Points in degrees, (m, count, 2).

    Raises:
        UsageError: A centre that is no coordinate, a negative count, or a radius out of range.
    """
    array = np.asarray(centres, dtype=np.float64).reshape(-1, 2)
    wrong = ~is_coordinate(array[:, 0], wrap_longitude(array[:, 1]))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UsageError(
            f"centre {row} is no coordinate: latitude {array[row, 0]}, longitude {array[row, 1]}"
        )
    _check(count, radius_km)
    draws = [_Stream(seed, latitude, longitude).draw(count, 2) for latitude, longitude in array.tolist()]
    return _in_circle(array[:, None], radius_km, np.array(draws).reshape(len(array), count, 2))


def sample_near_towns(
    count: int,
    *,
    radius_km: float,
    countries: Iterable[str] | None = None,
    weight: Weight = "place",
    seed: int = 0,
) -> NearTowns:
    """Draw places near towns, where there are roads (GeoTrainr's way).

    First a town is drawn (GeoNames, more than 15 000 people), then a place in the circle around it, evenly
    over the surface.

    Args:
        count: How many, 0 or more.
        radius_km: The circle's, above 0 and at most `HALF_ROUND_KM`.
        countries: Only towns of these, ISO 3166-1 alpha-2; of the whole world by default.
        weight: "place", every town alike, as GeoTrainr did; or "population".
        seed: Another seed draws other places.

    Raises:
        UsageError: A negative count, a radius out of range, another weight, or countries without a town.
    """
    _check(count, radius_km)
    if weight not in get_args(Weight):
        raise UsageError(f"no weight {weight!r}: choose one of {', '.join(get_args(Weight))}")
    table = city_table()
    rows = np.arange(table.num_rows)
    if countries is not None:
        wanted = sorted(set(countries))
        rows = np.flatnonzero(np.isin(table["country"].to_numpy().astype(str), wanted))
        if not len(rows):
            raise UsageError(f"no town is known in {', '.join(wanted) or 'no country'}: name other countries")
    share = table["population"].to_numpy()[rows] if weight == "population" else np.ones(len(rows))
    draws = _Stream(seed).draw(count, 3)
    towns = rows[_pick(share, draws[:, 0])]
    centres = np.column_stack([table["latitude"].to_numpy()[towns], table["longitude"].to_numpy()[towns]])
    return NearTowns(_in_circle(centres, radius_km, draws[:, 1:]), towns)


class _Stream:
    """Uniform draws that depend on a key alone.

    NumPy promises the raw bits of a generator for ever, but not what `Generator.random` makes of them.
    """

    def __init__(self, seed: int, *key: str | float) -> None:
        digest = hashlib.blake2b(repr((int(seed), *key)).encode(), digest_size=16).digest()
        self._bits = np.random.PCG64(np.random.SeedSequence(int.from_bytes(digest, "big")))

    def draw(self, rows: int, columns: int) -> NDArray[np.float64]:
        """The next rows of draws in [0, 1), (rows, columns)."""
        raw = np.asarray(self._bits.random_raw(rows * columns), dtype=np.uint64).reshape(rows, columns)
        return np.asarray((raw >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def _inside(shape: BaseGeometry, count: int, stream: _Stream) -> NDArray[np.float64]:
    _check(count)
    _check_shape(shape)
    parts = shapely.get_parts(shape)
    shapely.prepare(parts)
    west, south, east, north = shapely.bounds(parts).T
    low, high = np.sin(np.radians(south)), np.sin(np.radians(north))
    room = (east - west) * (high - low)
    filled = float(area_km2([shape])[0] / (np.radians(room.sum()) * EARTH_RADIUS_KM**2))
    if filled < _LEAST_FILLED:
        raise UsageError(
            f"the polygon fills only {filled:.1g} of its bounds, too thin to draw places from: widen it"
        )
    found = [np.empty((0, 2))]
    missing = count
    while missing > 0:
        # How many are tried at once changes nothing but the speed: every candidate takes three draws.
        draws = stream.draw(int(1.1 * missing / filled) + 16, 3)
        part = _pick(room, draws[:, 0])
        longitude = west[part] + (east - west)[part] * draws[:, 1]
        latitude = np.degrees(np.arcsin(np.clip(low[part] + (high - low)[part] * draws[:, 2], -1.0, 1.0)))
        inside = np.flatnonzero(shapely.intersects_xy(parts[part], longitude, latitude))[:missing]
        found.append(np.column_stack([latitude[inside], wrap_longitude(longitude[inside])]))
        missing -= len(inside)
    return np.concatenate(found)


def _in_circle(
    centres: NDArray[np.float64], radius_km: float, draws: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn pairs of draws (..., 2) into places around centres (..., 2).

    The surface within an angle is as the squared sine of its half, which stays exact for small circles.
    """
    widest = np.sin(radius_km / EARTH_RADIUS_KM / 2)
    angle = 2 * np.arcsin(np.sqrt(draws[..., 0]) * widest)
    return destination(centres, 360 * draws[..., 1], angle * EARTH_RADIUS_KM)


def _pick(weights: NDArray[np.float64], draws: NDArray[np.float64]) -> NDArray[np.intp]:
    """Turn draws in [0, 1) into indices, by weights."""
    limits = np.cumsum(weights)
    chosen = np.searchsorted(limits, draws * limits[-1], side="right")
    # Rounding can lift a draw to the last limit itself.
    last: NDArray[np.intp] = np.minimum(chosen, np.flatnonzero(weights)[-1])
    return last


def _check(count: int, radius_km: float | None = None) -> None:
    if count < 0:
        raise UsageError(f"count is {count}, but the number of places can't be negative")
    if radius_km is not None and not 0 < radius_km <= HALF_ROUND_KM:
        raise UsageError(f"the radius is {radius_km} km; it must lie above 0 and up to {HALF_ROUND_KM:.0f}")


def _check_shape(shape: BaseGeometry) -> None:
    if shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        found = "an empty shape" if shape.is_empty else f"a {shape.geom_type}"
        raise UsageError(f"places are drawn inside a polygon or multipolygon, not {found}")
    west, south, east, north = shape.bounds
    if south < -90 or north > 90 or east - west > 360:
        raise UsageError(
            f"the polygon reaches from latitude {south} to {north} and longitude {west} to {east}, off the "
            "Earth: its x must be the longitude and its y the latitude, in degrees"
        )
    if not shape.is_valid:
        raise UsageError(
            f"the polygon is invalid ({shapely.is_valid_reason(shape)}): mend it, such as with "
            "shapely.make_valid"
        )
