"""The numbers: each as `definitions` has it, with n and a 95 % bootstrap interval by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostfound.geo.sphere import KM_PER_DEGREE, pairwise_km, wrap_longitude

RESAMPLES = 1000
DISTANCES_KM = {"street": 1, "city": 25, "region": 200, "country": 750, "continent": 2500}
_CHUNK = 2_000_000  # resampled values held at once


@dataclass(frozen=True)
class Metric:
    """A number with its uncertainty.

    Attributes:
        value: The statistic on the data itself.
        low: Lower end of the 95 % bootstrap interval by place.
        high: Upper end.
        n: Images it is over.
        places: Places it is over, which are what is resampled.
    """

    value: float
    low: float
    high: float
    n: int
    places: int


class Bootstrap:
    """Draws of places with replacement, shared by all numbers of an evaluation (Efron 1979).

    Args:
        places: The place of each image, (n,).
        seed: Of the draws.
    """

    def __init__(self, places: NDArray[np.object_], seed: int = 0) -> None:
        _, self.place = np.unique(places.astype(str), return_inverse=True)
        self.count = int(self.place.max(initial=-1)) + 1
        self.seed = seed

    def _draws(
        self, place: NDArray[np.int64], columns: int
    ) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
        """Renumbered places of a subset, and chunks of how often each is drawn, (resamples, places)."""
        used, renumbered = np.unique(place, return_inverse=True)
        generator = np.random.default_rng(self.seed)
        step = max(1, _CHUNK // max(len(used), columns, 1))
        even = np.full(len(used), 1 / max(len(used), 1))
        sizes = [min(step, RESAMPLES - start) for start in range(0, RESAMPLES, step)]
        draws = [generator.multinomial(len(used), even, size=size) for size in sizes]
        return renumbered, [draw.astype(np.float64) for draw in draws]  # products of floats are fast

    def mean(self, values: ArrayLike, where: NDArray[np.bool_] | None = None) -> Metric | None:
        """The mean of a value an image, over the images chosen; None if there are none."""
        values = np.asarray(values, dtype=np.float64)
        where = np.ones(len(values), dtype=bool) if where is None else where
        values, place = values[where], self.place[where]
        if not len(values):
            return None
        place, draws = self._draws(place, 1)
        sums, sizes = np.bincount(place, values), np.bincount(place).astype(np.float64)
        means = np.concatenate([(draw @ sums) / (draw @ sizes) for draw in draws])
        return self._metric(float(values.mean()), means, place)

    def median(self, values: ArrayLike, where: NDArray[np.bool_] | None = None) -> Metric | None:
        """The median of a value an image, over the images chosen; None if there are none."""
        values = np.asarray(values, dtype=np.float64)
        where = np.ones(len(values), dtype=bool) if where is None else where
        values, place = values[where], self.place[where]
        if not len(values):
            return None
        order = np.argsort(values, kind="stable")
        place, draws = self._draws(place, len(values))
        medians = []
        for draw in draws:
            weight = np.cumsum(draw[:, place[order]], axis=1)
            half = weight[:, -1:] / 2
            lower, upper = (weight < half).sum(axis=1), (weight <= half).sum(axis=1)
            medians.append((values[order][lower] + values[order][upper]) / 2)
        return self._metric(float(np.median(values)), np.concatenate(medians), place)

    def balanced(
        self, correct: NDArray[np.bool_], truth: NDArray[np.object_], where: NDArray[np.bool_] | None = None
    ) -> Metric | None:
        """Balanced accuracy: the mean recall over the classes present in the truth, of the images chosen.

        Classes that a resample misses are left out of its mean.
        """
        where = np.ones(len(correct), dtype=bool) if where is None else where
        correct, truth = correct[where], truth[where]
        if not len(correct):
            return None
        _, label = np.unique(truth.astype(str), return_inverse=True)
        classes = int(label.max()) + 1
        place, draws = self._draws(self.place[where], classes)
        cells = place * classes + label
        shape = (int(place.max()) + 1, classes)
        right = np.bincount(cells, correct.astype(np.float64), shape[0] * classes).reshape(shape)
        total = np.bincount(cells, minlength=shape[0] * classes).reshape(shape).astype(np.float64)
        means = []
        for draw in draws:
            size = draw @ total
            recall = np.divide(draw @ right, size, out=np.full(size.shape, np.nan), where=size > 0)
            means.append(np.nanmean(recall, axis=1))
        value = float((right.sum(axis=0) / total.sum(axis=0)).mean())
        return self._metric(value, np.concatenate(means), place)

    def _metric(self, value: float, resampled: NDArray[np.float64], place: NDArray[np.int64]) -> Metric:
        low, high = np.percentile(resampled, [2.5, 97.5])
        return Metric(value, float(low), float(high), len(place), int(place.max()) + 1)


def degrees_apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Euclidean error in degrees of latitude and longitude of points (n, 2), (n,), as GeoTrainr has it.

    A degree of longitude counts as much at the poles as at the equator: only for comparison with that system.
    """
    off = a - b
    return np.asarray(np.hypot(off[:, 0], wrap_longitude(off[:, 1])))


def anchor_errors(
    outputs: NDArray[np.floating[Any]],
    points: NDArray[np.float64],
    anchors: NDArray[np.float64],
    clip_degrees: float,
) -> NDArray[np.float64]:
    """How far predicted distances to anchors are off, in degrees of 111 km (GeoTrainr).

    Args:
        outputs: Minus the predicted degrees, (n, k).
        points: Where the images are, (n, 2).
        anchors: Where the anchors are, (k, 2).
        clip_degrees: True distances beyond count as this.

    Returns:
        The mean error over the anchors, (n,); NaN for images without coordinates.
    """
    errors = np.full(len(points), np.nan)
    known = np.isfinite(points).all(axis=1)
    truth = np.minimum(pairwise_km(points[known], anchors) / KM_PER_DEGREE, clip_degrees)
    errors[known] = np.abs(-outputs[known] - truth).mean(axis=1)
    return errors


def expected_calibration_error(
    probability: NDArray[np.float64], correct: NDArray[np.bool_], bins: int = 15
) -> float:
    """Expected calibration error over bins of equal mass.

    Args:
        probability: Of the best candidate, (n,), 0 to 1.
        correct: Was it right, (n,).
        bins: How many bins of (almost) equally many images.

    Returns:
        The mean over images of |accuracy - confidence| of their bin; NaN without images.
    """
    if not len(probability):
        return float("nan")
    order = np.argsort(probability, kind="stable")
    groups = np.array_split(order, min(bins, len(order)))
    gaps = [len(group) * abs(correct[group].mean() - probability[group].mean()) for group in groups]
    return float(sum(gaps) / len(order))
