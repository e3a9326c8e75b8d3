"""The countries of answers: of the best cell, or of the point where a cell has no single one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.boundaries import Boundaries
from lostfound.geo.regions import Regions
from lostfound.partitions import OUTSIDE, Partition
from lostfound.predict.decoders import Ranked


def guessed_countries(ranked: Ranked, partition: Partition | None) -> NDArray[np.object_]:
    """The country of each sample's best answer, (n,): ISO alpha-2, or None far out at sea."""
    cells, points = ranked.cells[:, 0], ranked.points[:, 0]
    countries = np.full(len(cells), None, dtype=object)
    if partition is not None:
        named = np.array([*partition.countries, None], dtype=object)  # the last is OUTSIDE's
        countries = named[np.where(cells == OUTSIDE, len(partition), cells)]
    unknown = np.array([code is None for code in countries], dtype=bool) & np.isfinite(points).all(axis=1)
    if unknown.any():
        countries[unknown] = Boundaries.packed().country_at(points[unknown])
    return countries


def nearest_place_countries(points: NDArray[np.float64]) -> NDArray[np.object_]:
    """The countries (n,) of the populated places nearest to points (n, 2), as some systems tell countries."""
    places = Regions.nearest_place()
    countries = np.array([*places.countries, None], dtype=object)
    return np.asarray(countries[places.index_at(points)], dtype=object)
