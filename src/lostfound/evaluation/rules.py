"""The rules by which others score the same answers: their Earth, their limits, their rounding.

Read from the code that printed the published numbers; the numbers of one answer differ by up to half a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.sphere import EARTH_RADIUS_KM, geoguessr_score, haversine_km


@dataclass(frozen=True)
class Rules:
    """How distances are measured and counted.

    Attributes:
        name: As the command line has it.
        earth_km: The radius of the sphere; None: geodesics on the ellipsoid WGS84.
        inclusive: Whether a distance that equals a limit is within it.
        whole_points: Whether each sample's GeoGuessr score is rounded to a whole number.
        metrics: What is reported beside the usual, of `lostfound.evaluation.metrics.METRICS`.
    """

    name: str
    earth_km: float | None
    inclusive: bool
    whole_points: bool = False
    metrics: tuple[str, ...] = ()

    def distance_km(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """The distances between points (n, 2), degrees, one to one, (n,)."""
        if self.earth_km is None:
            return _geodesic_km(a, b)
        return haversine_km(a, b) * (self.earth_km / EARTH_RADIUS_KM)

    def within(self, distance_km: NDArray[np.float64], limit_km: float) -> NDArray[np.bool_]:
        """Which distances lie within a limit."""
        return np.asarray(distance_km <= limit_km if self.inclusive else distance_km < limit_km)

    def points(self, distance_km: NDArray[np.float64]) -> NDArray[np.float64]:
        """The GeoGuessr score of each distance, 0 to 5000."""
        found = geoguessr_score(distance_km)
        return np.round(found) if self.whole_points else found


OURS = Rules("ours", EARTH_RADIUS_KM, inclusive=True)

RULES: Mapping[str, Rules] = {
    rules.name: rules
    for rules in (
        OURS,
        Rules(
            "osv5m",
            6371.0,
            inclusive=False,
            metrics=tuple(
                f"{level}_accuracy_nearest_place" for level in ("country", "region", "area", "city")
            ),
        ),
        Rules("geoestimation", 6371.0, inclusive=True),
        Rules("geoclip", None, inclusive=True),
        Rules("pigeon", 6378.137, inclusive=False, whole_points=True),
    )
}
"""By name: ours; OSV-5M and PLONK (metrics/utils.py); GeoEstimation (utils.py); GeoCLIP (train/eval.py, by
geopy's geodesic); PIGEON (evaluation/)."""


def rules_of(name: str) -> Rules:
    """The rules of that name.

    Raises:
        UsageError: There are none.
    """
    if name not in RULES:
        raise UsageError(f"no rules {name!r}: choose of {', '.join(RULES)}")
    return RULES[name]


def _geodesic_km(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    from geographiclib.geodesic import Geodesic  # what geopy computes with too

    earth = Geodesic.WGS84
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    return np.array(
        [earth.Inverse(*start, *end, Geodesic.DISTANCE)["s12"] / 1000 for start, end in pairs], dtype=float
    )
