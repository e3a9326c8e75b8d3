"""Distributions over the Earth: the point that is best for what one wants, and how far the truth may be.

What a model answers, whatever its kind, is a cloud of weighted points: the cells' training places weighed by
the cells' probabilities, places of a gallery, samples, or one bare point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.sphere import EARTH_RADIUS_KM, SCORE_SCALE_KM, unit_vectors

PointRule = Literal["best", "mean-distance", "median-distance", "score"]
"""Which point answers: that of the most probable cell, or the one with the least expected distance, with the
least radius that holds half of the probability, or with the largest expected GeoGuessr score."""
POINT_RULES: tuple[PointRule, ...] = get_args(PointRule)

HALF_WAY_ROUND_KM = np.pi * EARTH_RADIUS_KM
LARGEST = 256
"""So many of a cloud's points are looked at, those that weigh most."""
_AT_ONCE = 64


@dataclass(frozen=True)
class Distribution:
    """Clouds of weighted points, one for each of n samples.

    Attributes:
        points: Degrees, (n, m, 2).
        weights: Of those points, (n, m); each row sums to 1.
    """

    points: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: NDArray[np.bool_]) -> Distribution:
        """Those of some samples."""
        return Distribution(self.points[rows], self.weights[rows])

    def best_points(self, rule: PointRule) -> NDArray[np.float64]:
        """The point of each cloud that is best by a rule, (n, 2); "best": the one that weighs most."""
        measure = _COSTS[rule]
        if measure is None:
            chosen = np.argmax(self.weights, axis=1)
        else:
            chosen = np.empty(len(self), dtype=np.int64)
            for part in self._parts():
                between = _angles_km(self.points[part], self.points[part])
                chosen[part] = np.argmin(measure(between, self.weights[part]), axis=1)
        return np.take_along_axis(self.points, chosen[:, None, None], axis=1)[:, 0]

    def radius_km(self, points: NDArray[np.float64], share: float) -> NDArray[np.float64]:
        """The distance from each sample's point (n, 2) within which this share of its cloud lies, (n,)."""
        radius = np.empty(len(self))
        for part in self._parts():
            distance = _angles_km(points[part, None], self.points[part])[:, 0]
            radius[part] = _weighted_quantile(distance, self.weights[part], share)
        return radius

    def _parts(self) -> Iterator[slice]:
        """The samples in parts, for the distances between all points of a cloud take memory."""
        return (slice(start, start + _AT_ONCE) for start in range(0, len(self), _AT_ONCE))


def heaviest(weights: NDArray[np.float64], points: NDArray[np.float64]) -> Distribution:
    """The distribution that weights (n, m) of points (m, 2) or (n, m, 2) make, without what hardly weighs."""
    kept = min(LARGEST, weights.shape[1])
    rows = np.argpartition(-weights, kept - 1, axis=1)[:, :kept]
    chosen = np.take_along_axis(weights, rows, axis=1)
    where = points[rows] if points.ndim == 2 else np.take_along_axis(points, rows[..., None], axis=1)
    return Distribution(where, chosen / chosen.sum(axis=1, keepdims=True))


def _angles_km(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Great-circle distances of all pairs, (n, k, m), of points (n, k, 2) and (n, m, 2).

    By the arccosine, which is quick, and right to a metre or so for near points.
    """
    cosines = unit_vectors(a) @ np.swapaxes(unit_vectors(b), 1, 2)
    return np.asarray(EARTH_RADIUS_KM * np.arccos(np.clip(cosines, -1.0, 1.0)))


def _weighted_quantile(
    values: NDArray[np.float64], weights: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """The least value with at least this share of the weight at or below it, along the last axis."""
    order = np.argsort(values, axis=-1)
    summed = np.cumsum(np.take_along_axis(np.broadcast_to(weights, values.shape), order, axis=-1), axis=-1)
    position = np.minimum((summed < share - 1e-9).sum(axis=-1), values.shape[-1] - 1)
    row = np.take_along_axis(order, position[..., None], axis=-1)
    return np.asarray(np.take_along_axis(values, row, axis=-1)[..., 0])


def _expected(between: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((between @ weights[..., None])[..., 0])


def _median(between: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return _weighted_quantile(between, weights[:, None], 0.5)


def _missed(between: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return -_expected(np.exp(-between / SCORE_SCALE_KM), weights)


_COSTS: dict[PointRule, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]] | None] = {
    "best": None,
    "mean-distance": _expected,
    "median-distance": _median,
    "score": _missed,
}
"""What each rule makes least, of distances (n, k, m) to points that weigh (n, m): (n, k)."""
