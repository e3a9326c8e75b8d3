"""The size of cells that gives about so many of them."""

from __future__ import annotations

import math
from collections.abc import Callable

from lostfound.errors import UsageError

_TRIES = 12
# A number this near to the one asked for will do.
_CLOSE = 0.01


def size_for_cell_count(wanted: int, images: int, cells: Callable[[float], int], guess_km: float) -> float:
    """Search for a size.

    Args:
        wanted: The number of cells asked for.
        images: How many training images there are.
        cells: How many cells a size gives, 0 where it fits none.
        guess_km: Where to begin.

    Returns:
        Of the sizes tried, the first that comes nearest.

    Raises:
        UsageError: There are fewer images than cells, or no size tried gives a third of the cells asked for.
    """
    if images < wanted:
        raise UsageError(
            f"{images} training images can't fill {wanted} cells: ask for fewer cells, or import more"
        )
    best_km, best, size_km = guess_km, 0, guess_km
    shrunk, before = False, 0
    for _ in range(_TRIES):
        found = cells(size_km)
        if abs(found - wanted) < abs(best - wanted):
            best_km, best = size_km, found
        if abs(found - wanted) <= _CLOSE * wanted:
            break
        if found < 0.9 * wanted and shrunk and found < 1.05 * before:
            # Smaller cells find no more images.
            break
        # Cells grow with the square of the size, where images are everywhere; too few steps less far.
        factor = min(2.0, max(0.5, math.sqrt(max(found, 0.25) / wanted)))
        size_km *= factor
        shrunk, before = factor < 0.95, max(found, 1)
    if best < wanted / 3:
        raise UsageError(
            f"the training images are too few or too close together for {wanted} cells (the most found is "
            f"{best}): ask for fewer cells, or import more"
        )
    return best_km
