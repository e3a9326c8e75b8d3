"""Statistics with intervals: the bootstrap by place, since views of one place are not independent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
CHUNK = 2_000_000
"""Resampled values held at once."""

Statistic = Literal["mean", "median", "balanced", "risk_coverage"]

Resampled = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From how often each place is drawn, (resamples, places), to the statistic of each resample."""


@dataclass(frozen=True)
class Samples:
    """The values of one metric, sample by sample.

    Attributes:
        places: The place of each sample, (n,).
        values: Its value, (n,): 0 or 1 where the metric is a share, kilometres where it is a distance.
        statistic: What makes one number of them; "balanced" is the mean over the classes of their means,
            "risk_coverage" the area under the curve of risk and coverage.
        classes: The true class of each, (n,), for "balanced".
        confidences: How sure each answer was, (n,), for "risk_coverage".
    """

    places: NDArray[np.object_]
    values: NDArray[np.float64]
    statistic: Statistic = "mean"
    classes: NDArray[np.object_] | None = None
    confidences: NDArray[np.float64] | None = None

    def on(self, places: NDArray[np.str_]) -> Resampled:
        """The statistic over some places (sorted), as a function of how often each is drawn."""
        names = self.places.astype(str)
        kept = np.isin(names, places)
        place = np.searchsorted(places, names[kept])
        values = np.asarray(self.values, dtype=np.float64)[kept]
        if self.statistic == "median":
            return _median(values, place)
        if self.statistic == "mean":
            return _mean(values, place)
        if self.statistic == "risk_coverage":
            assert self.confidences is not None
            return _risk_coverage(values, place, self.confidences[kept])
        assert self.classes is not None
        return _balanced(values, place, self.classes[kept], len(places))

    @property
    def value(self) -> float:
        """The statistic of the samples themselves."""
        if self.statistic in ("balanced", "risk_coverage"):
            everywhere = replace(self, places=np.full(len(self.values), "all", dtype=object))
            return float(everywhere.on(np.array(["all"]))(np.ones((1, 1)))[0])
        return float(np.median(self.values) if self.statistic == "median" else np.mean(self.values))


@dataclass(frozen=True)
class Score:
    """A number with its uncertainty.

    Attributes:
        value: The statistic on the data itself.
        low: Lower end of the 95 % bootstrap interval by place.
        high: Upper end.
        n: Samples it is over: images, or places that are answered as one.
        places: Places it is over, which are what is resampled.
    """

    value: float
    low: float
    high: float
    n: int
    places: int


def bootstrap(samples: Samples, *, seed: int = 0) -> Score:
    """The statistic of samples and its 95 % interval (Efron 1979), places drawn with replacement.

    Args:
        samples: One at least.
        seed: Of the draws.
    """
    places = np.unique(samples.places.astype(str))
    statistic = samples.on(places)
    generator, count = np.random.default_rng(seed), len(places)
    step = max(1, CHUNK // max(count, len(samples.values)))
    even = np.full(count, 1 / count)
    resampled = [
        statistic(generator.multinomial(count, even, size=min(step, RESAMPLES - start)).astype(np.float64))
        for start in range(0, RESAMPLES, step)
    ]
    low, high = np.percentile(np.concatenate(resampled), [2.5, 97.5])
    return Score(samples.value, float(low), float(high), len(samples.values), count)


def mean_intervals(
    places: NDArray[np.object_], values: NDArray[np.float64], *, seed: int = 0
) -> NDArray[np.float64]:
    """The 95 % bootstrap intervals by place of several means, on the same resamples.

    Args:
        places: The place of each sample, (n,).
        values: Its values, (n, k).
        seed: Of the draws.

    Returns:
        Lower and upper ends, (k, 2).
    """
    names, place = np.unique(places.astype(str), return_inverse=True)
    sums = np.stack([np.bincount(place, column) for column in values.T], axis=1)
    sizes = np.bincount(place).astype(np.float64)
    generator, count = np.random.default_rng(seed), len(names)
    step = max(1, CHUNK // count)
    resampled = []
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        times = generator.multinomial(count, np.full(count, 1 / count), size=rows).astype(np.float64)
        resampled.append((times @ sums) / (times @ sizes)[:, None])
    ends: NDArray[np.float64] = np.percentile(np.concatenate(resampled), [2.5, 97.5], axis=0).T
    return ends


def _mean(values: NDArray[np.float64], place: NDArray[np.int64]) -> Resampled:
    sums, sizes = np.bincount(place, values), np.bincount(place).astype(np.float64)
    return lambda times: (times @ sums) / (times @ sizes)


def _median(values: NDArray[np.float64], place: NDArray[np.int64]) -> Resampled:
    order = np.argsort(values, kind="stable")
    values, place = values[order], place[order]

    def median(times: NDArray[np.float64]) -> NDArray[np.float64]:
        weight = np.cumsum(times[:, place], axis=1)
        half = weight[:, -1:] / 2
        lower, upper = (weight < half).sum(axis=1), (weight <= half).sum(axis=1)
        found: NDArray[np.float64] = (values[lower] + values[upper]) / 2
        return found

    return median


def _balanced(
    values: NDArray[np.float64], place: NDArray[np.int64], classes: NDArray[np.object_], places: int
) -> Resampled:
    """Classes that a resample misses are left out of its mean."""
    _, label = np.unique(classes.astype(str), return_inverse=True)
    count = int(label.max()) + 1
    cells = place * count + label
    sums = np.bincount(cells, values, places * count).reshape(places, count)
    sizes = np.bincount(cells, minlength=places * count).reshape(places, count).astype(np.float64)

    def balanced(times: NDArray[np.float64]) -> NDArray[np.float64]:
        size = times @ sizes
        means = np.divide(times @ sums, size, out=np.full(size.shape, np.nan), where=size > 0)
        found: NDArray[np.float64] = np.nanmean(means, axis=1)
        return found

    return balanced


def _risk_coverage(
    values: NDArray[np.float64], place: NDArray[np.int64], confidences: NDArray[np.float64]
) -> Resampled:
    """The mean over the answers of the risk among those that are at least as sure (Geifman et al. 2019)."""
    order = np.argsort(-confidences, kind="stable")
    values, place = values[order], place[order]
    as_sure = np.searchsorted(-confidences[order], -confidences[order], side="right") - 1

    def area(times: NDArray[np.float64]) -> NDArray[np.float64]:
        weight = times[:, place]
        answered = np.cumsum(weight, axis=1)[:, as_sure]
        wrong = np.cumsum(weight * values, axis=1)[:, as_sure]
        risk = np.divide(wrong, answered, out=np.zeros_like(wrong), where=answered > 0)
        found: NDArray[np.float64] = (weight * risk).sum(axis=1) / weight.sum(axis=1)
        return found

    return area
