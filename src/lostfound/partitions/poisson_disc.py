"""Poisson disc sampling: centres at random, none closer to another, or to the border, than a spacing.

By dart throwing (Cook 1986, "Stochastic sampling in computer graphics"): places are drawn evenly, one after
the other, and one that lies too close to what is there is rejected, until too many in a row are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from lostfound.errors import UsageError
from lostfound.geo.nearest import Segments
from lostfound.geo.sampling import sample_inside
from lostfound.geo.shapes import area_km2
from lostfound.geo.sphere import chord, haversine_km, unit_vectors

if TYPE_CHECKING:
    from lostfound.partitions.settings import VoronoiSettings

_BATCH = 2048
# Discs of half the spacing fill at most this share of the plane (hexagons).
_DENSEST = math.pi / math.sqrt(12)
# More centres than this is a mistake in the spacing.
_MOST = 500_000


def poisson_disc_centres(
    area: BaseGeometry, border: Segments | None, spacing_km: float, settings: VoronoiSettings
) -> NDArray[np.float64]:
    """Draw centres inside an area by Poisson disc sampling.

    Args:
        area: Where, x the longitude and y the latitude; may run on past 180.
        border: What to keep away from; None for an area without border.
        spacing_km: The least distance between two centres.
        settings: The distance to the border, when to stop, and the seed.

    Returns:
        Centres in degrees, (k, 2), in the order drawn.

    Raises:
        UsageError: The spacing fits no centre, or is so small that there would be too many.
    """
    fits = float(area_km2([area])[0]) * _DENSEST / (math.pi * (spacing_km / 2) ** 2)
    if fits > _MOST:
        raise UsageError(f"a spacing of {spacing_km:g} km gives up to {fits:.0e} cells: make it larger")
    least = chord(spacing_km)
    vectors, found = np.empty((0, 3)), [np.empty((0, 2))]
    misses, batch = 0, 0
    while misses < settings.misses:
        drawn = sample_inside(area, _BATCH, seed=settings.seed * 1_000_003 + batch)
        candidates = unit_vectors(drawn)
        near = cKDTree(vectors).query(candidates)[0] if len(vectors) else np.full(_BATCH, np.inf)
        off_border = np.zeros(_BATCH)
        apart = np.flatnonzero(near >= least)
        off_border[apart] = _off_border(drawn[apart], border, settings) / spacing_km
        taken, misses = _accepted(candidates, near, off_border, least, misses, settings)
        found.append(drawn[taken])
        vectors = np.concatenate([vectors, candidates[taken]])
        batch += 1
    centres = np.concatenate(found)
    if not len(centres):
        raise UsageError(
            f"a spacing of {spacing_km:g} km fits no cell in the boundary: make it smaller, or the distance "
            f"to the border (border, now {settings.border:g} spacings)"
        )
    return centres


def _accepted(
    candidates: NDArray[np.float64],
    near: NDArray[np.float64],
    off_border: NDArray[np.float64],
    least: float,
    misses: int,
    settings: VoronoiSettings,
) -> tuple[list[int], int]:
    """Which draws of a batch become centres.

    Args:
        candidates: The draws, unit vectors (n, 3).
        near: How far each is from the nearest centre of earlier batches, as chords (n,).
        off_border: How far it is from the border, in spacings (n,); 0 where it is not known.
        least: The spacing, as a chord.
        misses: How many draws in a row were rejected before.
        settings: When to stop.

    Returns:
        Rows of the draws, and how many draws in a row are rejected at the end of the batch.
    """
    taken: list[int] = []
    # Where the last draw was kept, counted from this batch's first.
    last = -1 - misses
    for row in np.flatnonzero((near >= least) & (off_border >= 1.0)).tolist():
        if row - last > settings.misses:
            break
        nearest = near[row]
        if taken:
            squares = ((candidates[taken] - candidates[row]) ** 2).sum(axis=1)
            nearest = min(nearest, math.sqrt(squares.min()))
        if nearest >= least and _reached(nearest / least, off_border[row], settings):
            taken.append(row)
            last = row
    return taken, len(candidates) - 1 - last


def _off_border(
    places: NDArray[np.float64], border: Segments | None, settings: VoronoiSettings
) -> NDArray[np.float64]:
    """Distances to the border in km, as if it had to be a whole spacing off."""
    if border is None or settings.border == 0.0:
        return np.full(len(places), np.inf)
    return haversine_km(places, border.nearest(places)[0]) / settings.border


def _reached(nearest: float, off_border: float, settings: VoronoiSettings) -> bool:
    """Whether a draw is near enough to what is there: cells grow in from the border and from each other."""
    closest = min(nearest, off_border)
    return settings.reach is None or math.isinf(closest) or closest <= settings.reach
