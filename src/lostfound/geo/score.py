"""The GeoGuessr score, which turns a distance into points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SCORE_SCALE_KM = 1492.7
"""The score on the world map falls to 1/e at this distance."""


def geoguessr_score(distance_km: ArrayLike) -> NDArray[np.float64]:
    """The GeoGuessr score of each guess on the world map, 0 to 5000, not rounded."""
    return np.asarray(5000 * np.exp(-np.asarray(distance_km, dtype=np.float64) / SCORE_SCALE_KM))
