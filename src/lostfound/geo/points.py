"""Whether a user's coordinates can be what they claim to be; an error names the first that can't."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostfound.errors import DatasetError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import as_points

# Enough points to tell the sea from the land by.
_SAMPLE = 2000


def check_points(
    points: ArrayLike, source: str, *, unknown: bool = False, boundaries: Boundaries | None = None
) -> NDArray[np.float64]:
    """Check a user's coordinates: their range, and that latitude and longitude are not swapped.

    They count as swapped if most points lie in the sea, farther from land than
    `lostfound.geo.boundaries.DEFAULT_MAX_DISTANCE_KM`, and most would lie on land the other way round.

    Args:
        points: Shape (n, 2), (latitude, longitude) in degrees.
        source: Where they come from, such as the name of a file, for the message.
        unknown: Whether rows with NaN, of places that are not known, are let through.
        boundaries: What counts as land; the packed countries by default.

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
    known = array[~np.isnan(array).any(axis=1)]
    sample = known[:: 1 + len(known) // _SAMPLE]
    at_sea = _share_at_sea(sample, boundaries)
    if at_sea > 0.5 and _could_be_swapped(sample):
        swapped = _share_at_sea(sample[:, ::-1], boundaries)
        if swapped < 0.5:
            raise DatasetError(
                f"{source}: latitude and longitude seem to be swapped: {at_sea:.0%} of the points lie in the "
                f"open sea, and {swapped:.0%} would if they were exchanged. Exchange the two columns."
            )
    return array


def _could_be_swapped(points: ArrayLike) -> bool:
    """Whether the points, exchanged, are all coordinates."""
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        return False
    known = array[~np.isnan(array).any(axis=1)]
    return bool((np.abs(known[:, 1]) <= 90.0).all() and (np.abs(known[:, 0]) <= 180.0).all())


def _share_at_sea(places: NDArray[np.float64], boundaries: Boundaries | None) -> float:
    if not len(places):
        return 0.0
    found = (boundaries or Boundaries.packed()).country_at(places)
    return float(np.mean([code is None for code in found]))
