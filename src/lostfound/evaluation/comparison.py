"""Several models judged on the same places: means over seeds, paired differences, and their p-values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostfound.evaluation.bootstrap import CHUNK, Samples

RESAMPLES = 5000  # p-values need more than an interval does
_ZERO = 1e-9  # what summing in another order leaves of no difference


@dataclass(frozen=True)
class Estimate:
    """A metric of several trainings that differ in their seed.

    Attributes:
        value: The mean over the seeds.
        low: Lower end of its 95 % bootstrap interval by place.
        high: Upper end.
        by_seed: The metric of each seed.
        spread: Standard deviation over the seeds; None of one seed.
        n: Images (or places, where they are answered as one) that each seed was judged on.
        places: Places it is over, which are what is resampled.
    """

    value: float
    low: float
    high: float
    by_seed: list[float]
    spread: float | None
    n: int
    places: int


@dataclass(frozen=True)
class Difference:
    """How far one model is from another on the places that both were judged on.

    Attributes:
        value: The mean over the one's seeds, less the mean over the other's.
        low: Lower end of its 95 % bootstrap interval by place.
        high: Upper end.
        p: Two-sided: twice the share of resamples on the rarer side of no difference.
        places: Places it is over.
    """

    value: float
    low: float
    high: float
    p: float
    places: int


def estimate(runs: Sequence[Samples], *, seed: int = 0) -> Estimate | None:
    """The mean over seeds with its interval; None if the seeds have no place in common.

    The interval is of the places (which others might have been drawn), with these seeds as they are: the
    metric of each seed is computed on each resample of the places, and averaged over the seeds.

    Args:
        runs: One a seed.
        seed: Of the resamples.
    """
    places = _common(runs)
    if not len(places):
        return None
    values, resampled = _statistics(runs, places, seed)
    low, high = np.percentile(resampled.mean(axis=0), [2.5, 97.5])
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    images = int(np.isin(runs[0].places.astype(str), places).sum())
    return Estimate(
        float(values.mean()), float(low), float(high), values.tolist(), spread, images, len(places)
    )


def difference(runs: Sequence[Samples], baseline: Sequence[Samples], *, seed: int = 0) -> Difference | None:
    """The paired difference of two models; None if they have no place in common.

    Both are resampled with the same places (the paired bootstrap: Efron and Tibshirani 1993, chapters 13 and
    15), so what makes a place hard for both cancels. They need not have the same seeds, nor as many, nor as
    many images of a place.

    Args:
        runs: Of the one model, one a seed.
        baseline: Of the other.
        seed: Of the resamples.
    """
    places = _common([*runs, *baseline])
    if not len(places):
        return None
    values, resampled = _statistics([*runs, *baseline], places, seed)
    ours = len(runs)
    value = float(values[:ours].mean() - values[ours:].mean())
    differences = resampled[:ours].mean(axis=0) - resampled[ours:].mean(axis=0)
    differences[np.abs(differences) < _ZERO] = 0.0
    low, high = np.percentile(differences, [2.5, 97.5])
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p = min(1.0, 2 * (rarer + 1) / (len(differences) + 1))
    return Difference(0.0 if abs(value) < _ZERO else value, float(low), float(high), p, len(places))


def p_text(p: float) -> str:
    """A p-value as tables have it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def holm(p: Sequence[float]) -> list[float]:
    """P-values of a family of comparisons, corrected for their number (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted, largest = [1.0] * len(p), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = largest
    return adjusted


def _common(runs: Sequence[Samples]) -> NDArray[np.str_]:
    """The places that all of them have scores of, sorted."""
    common = np.unique(runs[0].places.astype(str))
    for run in runs[1:]:
        common = np.intersect1d(common, run.places.astype(str))
    return common


def _statistics(
    runs: Sequence[Samples], places: NDArray[np.str_], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each run's number on these places, (runs,), and on the same resamples of them, (runs, RESAMPLES)."""
    prepared = [run.on(places) for run in runs]
    once = np.ones((1, len(places)))
    values = np.array([statistic(once)[0] for statistic in prepared])
    generator = np.random.default_rng(seed)
    widest = max(len(places), *(len(run.values) for run in runs))
    step = max(1, CHUNK // widest)
    chunks = []
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        drawn = generator.integers(len(places), size=(rows, len(places)))
        drawn += np.arange(rows)[:, None] * len(places)
        times = np.bincount(drawn.ravel(), minlength=rows * len(places)).reshape(rows, -1).astype(np.float64)
        chunks.append(np.stack([statistic(times) for statistic in prepared]))
    return values, np.concatenate(chunks, axis=1)
