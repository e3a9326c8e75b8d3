"""What makes a model's answers mean what they say: read from its folder, and the sums that fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lostfound.partitions import OUTSIDE
from lostfound.predict.distribution import POINT_RULES, PointRule

Pooling = Literal["logits", "probabilities"]
"""What of several views is averaged."""
Answers = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]
"""Logits of n photos, (n, classes), the photos' strangeness, (n,), and whether the first is right, (n,)."""
SHARES = (0.5, 0.9)
"""The shares of truths that the two radii are to hold."""

COLDEST, HOTTEST = 0.05, 20.0
LEAST_STRANGE = 0.5
"""A photo that is more like those of training makes a model no surer."""
STEEPEST = 8.0
"""The largest power of strangeness."""


@dataclass(frozen=True)
class Calibration:
    """What `calibration.json` says; a model that was never calibrated on places has the temperature alone.

    Attributes:
        temperature: What the logits are divided by.
        strangeness_power: ... after the photo's strangeness to this power; 0 takes no notice of it.
        pooling: What of several views is averaged.
        view_exponent: The mean logits of v views are multiplied by v to this power: 0 is the mean, 1 the
            product of the views' probabilities.
        prior: The cells' shares that the probabilities presume, those of training, (cells,); None if unknown.
        spread_km: How far a photo is off the points that stand for its cell; None if unknown.
        radius_factors: What the distribution's own radii are multiplied by, for "one" view and "several", by
            point rule: for 50 % and 90 %.
        doubtful_below: The model says that it doesn't know where the best candidate's probability is less.
        strange_above: ... and where a photo is farther than this from what it was trained on.
        about: What it was fitted on, and what it reached there.
    """

    temperature: float = 1.0
    pooling: Pooling = "logits"
    view_exponent: float = 0.0
    prior: tuple[float, ...] | None = None
    spread_km: float | None = None
    radius_factors: Mapping[str, Mapping[PointRule, tuple[float, float]]] = field(default_factory=dict)
    doubtful_below: float | None = None
    strange_above: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    strangeness_power: float = 0.0

    def weighed(
        self, outputs: NDArray[np.floating[Any]], strangeness: NDArray[np.float64] | None, cells: int
    ) -> NDArray[np.float64]:
        """A network's outputs, whose logits are smaller the stranger the photo is.

        So a model is less sure of what is unlike what it learnt from (density-aware calibration: Tomani et
        al. 2023, who take distances to neighbours).

        Args:
            outputs: (n, width); the logits come first.
            strangeness: Of each photo, (n,), about 1 for one like those of training; None if unknown.
            cells: How many logits there are.
        """
        found = np.array(outputs, dtype=np.float64)
        if self.strangeness_power and strangeness is not None:
            found[:, :cells] /= (np.maximum(strangeness, LEAST_STRANGE) ** self.strangeness_power)[:, None]
        return found

    def as_dict(self) -> dict[str, Any]:
        """What `from_dict` reads, as plain JSON values; what is unknown is left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], cells: int | None) -> Calibration:
        """Read what `as_dict` gave.

        Args:
            values: Plain JSON values; the temperature at least.
            cells: How many the model tells apart.

        Raises:
            ValueError: A value is none that it can have.
        """
        numbers = {
            name: None if values.get(name) is None else float(values[name])
            for name in ("spread_km", "doubtful_below", "strange_above")
        }
        prior = values.get("prior")
        found = cls(
            float(values["temperature"]),
            values.get("pooling", "logits"),
            float(values.get("view_exponent", 0.0)),
            None if prior is None else tuple(float(share) for share in prior),
            radius_factors={
                views: {rule: (float(half), float(most)) for rule, (half, most) in rules.items()}
                for views, rules in values.get("radius_factors", {}).items()
            },
            about=dict(values.get("about", {})),
            strangeness_power=float(values.get("strangeness_power", 0.0)),
            **numbers,
        )
        if not 0 <= found.strangeness_power <= STEEPEST:
            raise ValueError(f"a power of strangeness of {found.strangeness_power}")
        rules = [rule for each in found.radius_factors.values() for rule in each]
        factors = [each for of in found.radius_factors.values() for pair in of.values() for each in pair]
        positive = [found.temperature, *factors, 1.0 if found.spread_km is None else found.spread_km]
        if not all(0 < number < np.inf for number in positive) or not 0 <= found.view_exponent <= 1:
            raise ValueError("a number that must be more than 0, and is not")
        if {*rules} - {*POINT_RULES} or found.pooling not in get_args(Pooling):
            raise ValueError(f"there is no rule for one of {rules} or {found.pooling!r}")
        shares = found.prior
        if shares is not None and (len(shares) != cells or not all(0 < share <= 1 for share in shares)):
            raise ValueError(f"a prior that is not of the {cells} cells")
        return found


def fit_temperature(logits: NDArray[np.float64], cells: NDArray[np.int64]) -> float:
    """The temperature that makes probabilities mean what they say (Guo et al. 2017).

    Args:
        logits: (n, classes), of images that were not trained on.
        cells: Their true cells, (n,); those outside every cell are left out.

    Returns:
        The temperature in [0.05, 20] with the least negative log-likelihood; 1 without any image.
    """
    from scipy.optimize import minimize_scalar  # here, for answering needs neither
    from scipy.special import logsumexp

    known = cells != OUTSIDE
    logits, cells = logits[known], cells[known]
    if not len(cells):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(cells)), cells]))

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def fit_strangeness(samples: Sequence[Answers]) -> tuple[float, float]:
    """The temperature and the power of strangeness with which first answers are as sure as they are right.

    Args:
        samples: Answers to photos of several origins; each origin counts as much as another.

    Returns:
        The temperature in [0.05, 20] and the power in [0, 8] with the least log-loss of "the first answer is
        right", on average over the origins.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    def loss(parameters: NDArray[np.float64]) -> float:
        heat, power = np.exp(parameters[0]), parameters[1]
        losses = []
        for logits, strangeness, right in samples:
            scaled = logits / (heat * np.maximum(strangeness, LEAST_STRANGE) ** power)[:, None]
            sure = np.clip(np.exp(scaled.max(axis=1) - logsumexp(scaled, axis=1)), 1e-6, 1 - 1e-6)
            losses.append(-np.where(right, np.log(sure), np.log1p(-sure)).mean())
        return float(np.mean(losses))

    bounds = [(np.log(COLDEST), np.log(HOTTEST)), (0.0, STEEPEST)]
    found = minimize(loss, np.array([0.0, 1.0]), method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(found[0])), float(found[1])


def log_loss(probabilities: NDArray[np.float64], cells: NDArray[np.int64]) -> float:
    """The mean negative log-likelihood, nats, of true cells (n,) by probabilities (n, classes)."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(cells)), cells], 1e-12)).mean())


def fit_view_exponent(
    logits: NDArray[np.float64], cells: NDArray[np.int64], views: NDArray[np.int64]
) -> float:
    """The power of the number of views that the mean logits of several views are to be multiplied by.

    0 leaves the mean; 1 is the product of the views' probabilities, right if they were independent.

    Args:
        logits: Mean log-probabilities or scaled logits of places, (n, classes).
        cells: Their true cells, (n,).
        views: How many views of each, (n,).

    Returns:
        The exponent in [0, 1] with the least negative log-likelihood.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    def loss(exponent: float) -> float:
        scaled = logits * (views**exponent)[:, None]
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(cells)), cells]))

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)


def places_needed(share: float) -> int:
    """The least number of places from which split conformal prediction can promise a coverage."""
    return int(np.ceil(share / (1 - share) - 1e-9))


def conformal_factor(scores: NDArray[np.float64], places: NDArray[np.object_], share: float) -> float:
    """What radii are to be multiplied by so that they hold this share of new places' truths.

    Args:
        scores: The distance from answer to truth over the model's own radius, (n,).
        places: The place of each, (n,); all of a place weigh as much as another place.
        share: 0 to 1.

    Returns:
        The quantile of the scores at (p + 1) * share / p, p the number of places (Vovk et al. 2005).
    """
    _, index, counts = np.unique(places.astype(str), return_inverse=True, return_counts=True)
    level = min((len(counts) + 1) * share / len(counts), 1.0)
    order = np.argsort(scores, kind="stable")
    weight = np.cumsum((1.0 / counts[index])[order]) / len(counts)
    row = order[min(int(np.sum(weight < level - 1e-9)), len(order) - 1)]
    return float(max(scores[row], 1e-6))


def threshold_for(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    accuracy: float,
    fewest: int = 30,
    weights: NDArray[np.float64] | None = None,
) -> tuple[float, float, float]:
    """The confidence from which on answers are right so often.

    Args:
        confidence: Of each answer, (n,), 0 to 1.
        right: Whether it is right, (n,).
        accuracy: The share that is to be right of what is answered.
        fewest: So many answers at least must stay for an accuracy to count, or all there are.
        weights: How much each counts, (n,); alike if None.

    Returns:
        The least threshold that reaches it, else the one that comes nearest; the accuracy that it reaches,
        and the share that it answers.
    """
    order = np.argsort(-confidence, kind="stable")
    weight = np.ones(len(order)) if weights is None else weights[order]
    answered = np.cumsum(weight)
    reached = np.cumsum(right[order] * weight) / answered
    # a threshold lies between two different confidences
    last = np.append(np.diff(confidence[order]) != 0, True)
    usable = np.flatnonzero(last & (np.arange(1, len(order) + 1) >= min(fewest, len(order))))
    good = usable[reached[usable] >= accuracy]
    row = int(good[-1]) if len(good) else int(usable[np.argmax(reached[usable])])
    threshold = 0.0 if row == len(order) - 1 else float(confidence[order[row]])
    return threshold, float(reached[row]), float(answered[row] / answered[-1])
