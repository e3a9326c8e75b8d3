"""Whether a user's coordinates can be what they claim to be; an error names the first that can't."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostfound.errors import DatasetError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.cities import city_table
from lostfound.geo.nearest import NearestSearch
from lostfound.geo.sphere import as_points, haversine_km

# Enough points to tell the sea from the land by.
_SAMPLE = 2000
_SAME_PLACE_KM = 25.0
_MIN_COUNTRIES = 3
_CELL_DEG = 0.1
"""Places of one cell count once: many photos of one village say no more than one."""
_MIN_CELLS, _MIN_PLACES = 5, 3
# Of the mean logarithm of the distance to a town. Of 131 countries, towns themselves that are exchanged lie
# above 0.64, right ones below -0.64; places some 60 km off towns that are right lie below 0.14.
_CLEARLY, _CLEARLY_OF_FEW, _UNCLEAR = 0.6, 1.0, -0.1
_TOWN_KM, _FAR_KM = 5.0, 500.0


class _Verdict(NamedTuple):
    """Whether columns are exchanged (None where it can't be told), and why."""

    exchanged: bool | None
    why: str = ""


def check_points(
    points: ArrayLike,
    source: str,
    *,
    unknown: bool = False,
    boundaries: Boundaries | None = None,
    countries: Sequence[str | None] | None = None,
    own: ArrayLike | None = None,
    towns: bool = True,
    guess: bool = True,
    warn: Callable[[str], None] | None = None,
) -> NDArray[np.float64]:
    """Check a user's coordinates: their range, and that latitude and longitude are not swapped.

    What tells is asked in turn, and the first that can tell decides: the places that files have of their own,
    the countries that are stated, whether most points lie in the sea (farther from land than
    `lostfound.geo.boundaries.DEFAULT_MAX_DISTANCE_KM`) but would lie on land the other way round, and whether
    they lie much nearer to towns the other way round.

    Args:
        points: Shape (n, 2), (latitude, longitude) in degrees.
        source: Where they come from, such as the name of a file, for the message.
        unknown: Whether rows with NaN, of places that are not known, are let through.
        boundaries: What counts as land; the packed countries by default.
        countries: The country that is stated of each point, ISO 3166-1 alpha-2, None where none is.
        own: The place that the point's file has of its own, (n, 2), NaN where it has none.
        towns: Whether the distance to towns may tell.
        guess: Whether sea and towns may tell at all: of few points they tell little.
        warn: Is told what can't be told.

    Returns:
        The points, float64 (n, 2).

    Raises:
        DatasetError: A value is out of range, NaN or infinite, or the columns are swapped.
    """
    try:
        array = as_points(points, unknown=unknown)
    except ValueError as error:
        hint = ""
        if _could_be_swapped(points):
            hint = " All values fit the other way round: are latitude and longitude swapped?"
        raise DatasetError(
            f"{source}: {error}.{hint} Coordinates are decimal degrees, latitude first."
        ) from None
    known = np.flatnonzero(~np.isnan(array).any(axis=1))
    known = known[:: 1 + len(known) // _SAMPLE]
    sample = array[known]
    if not len(sample) or not _could_be_swapped(sample):
        return array
    own_points = None if own is None else np.asarray(own, dtype=np.float64)[known]
    stated = [None] * len(known) if countries is None else [countries[row] for row in known.tolist()]
    verdict = _by_statements(sample, boundaries, stated, own_points)
    if verdict is None and guess:
        verdict = _by_land(sample, boundaries) or (_by_towns(sample) if towns else None)
    if verdict is None:
        return array
    if verdict.exchanged:
        raise DatasetError(
            f"{source}: latitude and longitude seem to be swapped: {verdict.why}. Exchange the two columns."
        )
    if verdict.exchanged is None and warn is not None:
        warn(f"{source}: whether latitude and longitude are swapped can't be told: {verdict.why}")
    return array


def _by_statements(
    points: NDArray[np.float64],
    boundaries: Boundaries | None,
    countries: Sequence[str | None],
    own: NDArray[np.float64] | None,
) -> _Verdict | None:
    """What files and tables say besides: None where they say nothing, or as much for both ways round."""
    other = points[:, ::-1]
    if own is not None:
        as_is, turned = (haversine_km(each, own) < _SAME_PLACE_KM for each in (points, other))
        right, wrong = int((as_is & ~turned).sum()), int((turned & ~as_is).sum())
        if right != wrong:
            return _Verdict(wrong > right, f"of {_files(wrong)} the GPS is there when they are exchanged")
    if not any(countries):
        return None
    land = boundaries or Boundaries.packed()
    here, there = land.country_at(points), land.country_at(other)
    stated = np.array(countries, dtype=object)
    right = int(((here == stated) & (there != stated) & (stated != None)).sum())  # noqa: E711  # each element
    wrong = int(((there == stated) & (here != stated) & (stated != None)).sum())  # noqa: E711
    if max(right, wrong) >= _MIN_COUNTRIES and max(right, wrong) >= 2 * min(right, wrong):
        return _Verdict(
            wrong > right, f"{wrong} of the points lie in the stated country when they are exchanged"
        )
    return None


def _by_land(points: NDArray[np.float64], boundaries: Boundaries | None) -> _Verdict | None:
    at_sea, other_at_sea = (_share_at_sea(each, boundaries) for each in (points, points[:, ::-1]))
    if at_sea > 0.5 > other_at_sea:
        return _Verdict(
            exchanged=True,
            why=f"{at_sea:.0%} of the points lie in the open sea, and {other_at_sea:.0%} would if they were "
            "exchanged",
        )
    return None


def _share_at_sea(points: NDArray[np.float64], boundaries: Boundaries | None) -> float:
    found = (boundaries or Boundaries.packed()).country_at(points)
    return float(np.mean([code is None for code in found]))


def _by_towns(points: NDArray[np.float64]) -> _Verdict:
    """Photos are taken where people are: which way round do the points lie nearer to towns?"""
    cells = np.unique(np.floor(points / _CELL_DEG), axis=0, return_index=True)[1]
    spread = points[np.sort(cells)]
    here, there = (_km_to_town(each) for each in (spread, spread[:, ::-1]))
    nearer = float(np.mean(_nearness(here) - _nearness(there)))
    why = (
        f"the nearest town is {np.median(here):.0f} km from a point (the middle of all), and would be "
        f"{np.median(there):.0f} km from it if they were exchanged"
    )
    if nearer > (_CLEARLY if len(spread) >= _MIN_CELLS else _CLEARLY_OF_FEW):
        return _Verdict(True, f"{why}; if they are right, state the country of each in a column 'country'")
    if nearer > _UNCLEAR and len(points) >= _MIN_PLACES:
        return _Verdict(None, f"{why}; look at some of them on a map")
    return _Verdict(exchanged=False)


def _nearness(km: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log10(1 + np.minimum(km, _FAR_KM) / _TOWN_KM)


def _km_to_town(points: NDArray[np.float64]) -> NDArray[np.float64]:
    towns = _towns()
    return towns.distances_km(points, towns.rows(points))


@cache
def _towns() -> NearestSearch:
    table = city_table()
    return NearestSearch(
        np.column_stack([table[name].to_numpy() for name in ("latitude", "longitude")]).astype(np.float64)
    )


def _files(number: int) -> str:
    return f"{number} file" + "s" * (number != 1)


def _could_be_swapped(points: ArrayLike) -> bool:
    """Whether the points, exchanged, are all coordinates."""
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        return False
    known = array[~np.isnan(array).any(axis=1)]
    return bool((np.abs(known[:, 1]) <= 90.0).all() and (np.abs(known[:, 0]) <= 180.0).all())
