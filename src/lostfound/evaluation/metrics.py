"""The metrics: one list that says of each its name, its unit, which way is better, and how it is computed.

Tables, cards, studies, the search for settings and the choice of the best epoch all read it; the numbers come
from predictions that were matched with the truth, whoever made them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lostfound.evaluation.bootstrap import Samples, Statistic
from lostfound.evaluation.matching import Matched
from lostfound.geo.regions import Regions
from lostfound.geo.sphere import KM_PER_DEGREE, pairwise_km, wrap_longitude
from lostfound.predict.predictions import Predictions

TOP = (1, 3, 5)
DISTANCES_KM = {"street": 1, "city": 25, "region": 200, "country": 750, "continent": 2500}

_LEVELS: tuple[Literal["region", "area", "city"], ...] = ("region", "area", "city")

Unit = Literal["share", "km", "degrees", "points", "nats", "fraction"]
Values = tuple[NDArray[Any], NDArray[np.bool_]]
"""A metric's value of each sample, (n,), and where it can be told."""


@dataclass(frozen=True)
class Metric:
    """What a number means and how it is computed.

    Attributes:
        name: As files have it.
        label: As people read it, without the unit.
        unit: share: 0 to 1, written in percent; km; degrees; points (of GeoGuessr, 0 to 5000); nats;
            fraction: 0 to 1, written as it is.
        higher_is_better: Which way is better.
        values: Computes it sample by sample; None of a number that is not made of samples' values.
        statistic: What makes one number of them.
        of_cells: Only models with the same cells share it.
        target: The value it should have, where more is no better than less.
        usual: Is it reported where nothing else is asked for?
    """

    name: str
    label: str
    unit: Unit
    higher_is_better: bool
    values: Callable[[Matched], Values | None] | None
    statistic: Statistic = "mean"
    of_cells: bool = False
    target: float | None = None
    usual: bool = True

    def samples(self, matched: Matched, over: NDArray[np.object_] | None = None) -> Samples | None:
        """Its value of each sample that has one; None where it can't be told of any.

        Args:
            matched: Predictions beside the truth.
            over: A class of each sample, (n,), for the mean over the classes of their means, where the metric
                is a mean.
        """
        if self.values is None or (over is not None and self.statistic != "mean"):
            return None
        found = self.values(matched)
        if found is None or not found[1].any():
            return None
        values, where = found
        if over is not None:
            return Samples(
                matched.truth.places[where], values[where].astype(np.float64), "balanced", over[where]
            )
        classes = matched.classes[where] if self.statistic == "balanced" else None
        confidences = matched.confidence if self.statistic == "risk_coverage" else None
        return Samples(
            matched.truth.places[where],
            values[where].astype(np.float64),
            self.statistic,
            classes,
            None if confidences is None else confidences[where],
        )

    @property
    def heading(self) -> str:
        """Its label with its unit, over a column of `number`."""
        unit = {"share": " (%)", "km": " (km)", "degrees": " (°)"}.get(self.unit, "")
        return self.label + unit

    def number(self, value: float, *, signed: bool = False) -> str:
        """A value as its heading has it, without the unit."""
        sign = "+" if signed else ""
        if self.unit == "share":
            return f"{100 * value:{sign}.1f}"
        size = abs(value)
        digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0  # metres count within a city
        return f"{value:{sign}.{digits}f}"

    def text(self, *values: float) -> str:
        """A value, or an interval of two, with the unit."""
        unit = {"share": " %", "km": " km", "degrees": "°"}.get(self.unit, "")
        return " to ".join(self.number(value) for value in values) + unit


def _top(k: int, matched: Matched) -> Values | None:
    if matched.predictions.cells is None:
        return None
    return np.asarray(matched.hits[:, :k].any(axis=1)), matched.truth.labelled


def _country(matched: Matched) -> Values:
    return matched.predictions.guessed_countries == matched.truth.countries, matched.truth.labelled


def _nearest_place_country(matched: Matched) -> Values:
    """Some systems tell a point's country by the nearest populated place (GeoNames)."""
    places = Regions.nearest_place()
    codes = np.array([*places.countries, None], dtype=object)
    guessed = codes[places.index_at(matched.predictions.points)]
    return guessed == matched.truth.countries, matched.truth.labelled


def _same_place(level: Literal["region", "area", "city"], matched: Matched) -> Values:
    """Is the town nearest to the answer in the region (or area, or is it) of the town nearest to the truth?

    OSV-5M labels its images so, and calls areas sub-regions. A place without an area has none to be missed.
    """
    guessed, true = matched.nearest_guessed, matched.nearest_true
    right = np.asarray(guessed.regions == true.regions, dtype=bool)
    if level != "region":
        right &= np.asarray(guessed.areas == true.areas, dtype=bool)
    if level == "city":
        right &= np.asarray(guessed.names == true.names, dtype=bool)
    known = np.array([area is not None or level != "area" for area in true.areas], dtype=bool)
    return right, matched.located & known


def _distance(matched: Matched) -> Values:
    return matched.distance_km, matched.located


def _points(matched: Matched) -> Values:
    return matched.rules.points(matched.distance_km), matched.located


def _within(limit_km: float, matched: Matched) -> Values:
    return matched.rules.within(matched.distance_km, limit_km), matched.located


def _right(matched: Matched) -> Values:
    """Is the best cell the true one; without cells: is the point in reach of the country (750 km)?"""
    return _top(1, matched) or _within(DISTANCES_KM["country"], matched)


def wrong_answers(matched: Matched) -> Values | None:
    """Which answers are wrong, of those that say how sure they are: what risk is the share of."""
    if matched.confidence is None:
        return None
    right, where = _right(matched)
    return ~right, where & np.isfinite(matched.confidence)


def _answered(matched: Matched) -> Values | None:
    abstained = matched.abstained
    return None if abstained is None else (~abstained, np.ones(len(abstained), dtype=bool))


def _answered_right(matched: Matched) -> Values | None:
    if matched.abstained is None:
        return None
    right, where = _right(matched)
    return right, where & ~matched.abstained


def _covered(radius: str, matched: Matched) -> Values | None:
    """Is the truth within the radius that the answer states?"""
    stated: NDArray[np.float64] | None = getattr(matched.predictions, radius)
    if stated is None:
        return None
    return matched.distance_km <= stated, matched.located & np.isfinite(stated)


def _degrees(matched: Matched) -> Values:
    """The Euclidean error in degrees of latitude and longitude, as GeoTrainr has it.

    A degree of longitude counts as much at the poles as at the equator: only for comparison with that system.
    """
    off = matched.truth.points - matched.predictions.points
    return np.hypot(off[:, 0], wrap_longitude(off[:, 1])), matched.located


def _within_degrees(limit: float, matched: Matched) -> Values:
    degrees, where = _degrees(matched)
    return degrees <= limit, where


def _anchor_error(matched: Matched) -> Values | None:
    """How far predicted distances to anchors are off on average, in degrees of 111 km (GeoTrainr)."""
    predictions = matched.predictions
    if predictions.anchor_degrees is None or predictions.partition is None:
        if "anchor_error_degrees" not in matched.truth.records.column_names:
            return None
        kept = matched.truth.records[
            "anchor_error_degrees"
        ]  # a report of lostfound 0.1 kept the errors themselves
        errors = kept.to_numpy(zero_copy_only=False).astype(np.float64)
        return errors, np.isfinite(errors)
    where = matched.located
    errors = np.full(len(predictions), np.nan)
    truth = pairwise_km(matched.truth.points[where], predictions.partition.centroids) / KM_PER_DEGREE
    truth = np.minimum(truth, predictions.clip_degrees or np.inf)
    errors[where] = np.abs(predictions.anchor_degrees[where].astype(np.float64) - truth).mean(axis=1)
    return errors, where


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        *(
            Metric(f"top_{k}_accuracy", f"top-{k} accuracy", "share", True, partial(_top, k), of_cells=True)
            for k in TOP
        ),
        Metric(
            "balanced_accuracy",
            "balanced accuracy",
            "share",
            True,
            partial(_top, 1),
            "balanced",
            of_cells=True,
        ),
        Metric("country_accuracy", "country accuracy", "share", True, _country),
        Metric(
            "country_accuracy_nearest_place",
            "country accuracy nearest place",
            "share",
            True,
            _nearest_place_country,
        ),
        *(
            Metric(
                f"{level}_accuracy_nearest_place",
                f"{level} accuracy nearest place",
                "share",
                True,
                partial(_same_place, level),
                usual=False,
            )
            for level in _LEVELS
        ),
        Metric("mean_distance_km", "mean distance", "km", False, _distance),
        Metric("median_distance_km", "median distance", "km", False, _distance, "median"),
        Metric("geoguessr_score", "GeoGuessr score", "points", True, _points),
        *(
            Metric(
                f"within_{limit}_km_{name}",
                f"within {limit} km {name}",
                "share",
                True,
                partial(_within, limit),
            )
            for name, limit in DISTANCES_KM.items()
        ),
        *(
            Metric(
                f"radius_{share}_coverage",
                f"within the {share} % radius",
                "share",
                True,
                partial(_covered, f"radius_{share}_km"),
                target=share / 100,
            )
            for share in (50, 90)
        ),
        Metric(
            "area_under_risk_coverage",
            "area under risk-coverage",
            "fraction",
            False,
            wrong_answers,
            "risk_coverage",
            of_cells=True,
        ),
        Metric("answered_share", "answered", "share", True, _answered),
        Metric("answered_accuracy", "accuracy where answered", "share", True, _answered_right, of_cells=True),
        Metric("mean_error_degrees", "mean error", "degrees", False, _degrees, usual=False),
        Metric(
            "within_5_degrees", "within 5 degrees", "share", True, partial(_within_degrees, 5), usual=False
        ),
        Metric("anchor_error_degrees", "anchor error", "degrees", False, _anchor_error),
        Metric(
            "expected_calibration_error", "expected calibration error", "points", False, None, usual=False
        ),
        Metric("loss", "loss", "nats", False, None, usual=False),
    )
}
"""All metrics by name, in the order of tables."""

SAMPLED = tuple(name for name, metric in METRICS.items() if metric.values is not None)
"""The metrics that predictions and their truth give."""

GEOTRAINR = ("mean_error_degrees", "within_5_degrees")
"""Reported only where a recipe follows that system."""

_FORMER = {"accuracy": "top_1_accuracy", "mean_km": "mean_distance_km", "median_km": "median_distance_km"}


def metric_name(name: str) -> str:
    """The name that a metric has now; training called three `accuracy`, `mean_km` and `median_km`."""
    return _FORMER.get(name, name)


def usual_metrics(predictions: Predictions) -> list[str]:
    """What is reported of predictions where nothing else is asked for.

    The accuracy by country is left out where it is that of the first rank.
    """
    partition = predictions.partition
    of_countries = predictions.cells is not None and (partition is None or partition.kind == "countries")
    return [
        name
        for name, metric in METRICS.items()
        if metric.usual and not (of_countries and name == "country_accuracy")
    ]


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
