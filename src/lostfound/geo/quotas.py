"""How many places to draw in each country: by the size of its land."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lostfound.errors import UsageError
from lostfound.geo.area import area_km2
from lostfound.geo.boundaries import Boundaries


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
