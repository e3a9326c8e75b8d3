"""Photos unlike those that a model learnt from: far off in features, or known for pictures of no place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.predict.features import unit_length

FEWEST = 30
"""Training images from which on it can be told what is strange; and as many pictures of no place."""
PENALTY = 0.1
"""Of the squared weights that tell places from pictures of none, in features of deviation 1."""


@dataclass(frozen=True)
class Outliers:
    """Measures how strange photos are.

    The Mahalanobis distance in the principal components of the training images' features of unit length, with
    what lies outside of those components measured by its own deviation (Lee et al. 2018; the residual as in
    Wang et al. 2022, ViM). Rooms and plates of food are no farther than streets are; where a model was shown
    pictures of no place (outlier exposure, Hendrycks et al. 2019), what a logistic regression takes for one
    is the stranger, the surer that is of it: up to twice as strange as it is far.

    Attributes:
        mean: Of the training images' features of unit length, (channels,).
        components: The principal ones, (channels, k), each divided by its standard deviation.
        residual: The deviation of a feature outside of them.
        placeless: The regression's weights and, last, its constant, (channels + 1,); its score is above 0
            for what is rather a picture of no place. None of a model that was shown none.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    residual: float
    placeless: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, statistics: Mapping[str, NDArray[Any]]) -> Outliers | None:
        """Read what `as_arrays` gave; None where it was not given."""
        if "feature_mean" not in statistics:
            return None
        mean, components, residual = (
            statistics[f"feature_{name}"] for name in ("mean", "components", "residual")
        )
        placeless = statistics.get("feature_placeless")
        return cls(
            mean.astype(np.float32),
            components.astype(np.float32),
            float(residual),
            None if placeless is None else placeless.astype(np.float32),
        )

    @classmethod
    def fit(cls, features: NDArray[np.floating[Any]], components: int = 64) -> Outliers:
        """Learn from the features of training images, (n, channels).

        Raises:
            ValueError: There are fewer than thirty images.
        """
        n, channels = features.shape
        if n < FEWEST:
            raise ValueError(f"{n} images say little about what is strange: {FEWEST} or more are needed")
        values = unit_length(features)
        mean = values.mean(axis=0)
        _, deviations, axes = np.linalg.svd(values - mean, full_matrices=False)
        k = min(components, n // 2, max(channels // 2, 1))
        scale = np.maximum(deviations[:k] / np.sqrt(n), 1e-9)
        rest = max(channels - k, 1)
        left = np.sqrt(np.sum(deviations[k:] ** 2) / (n * rest))
        return cls(
            mean.astype(np.float32),
            (axes[:k].T / scale).astype(np.float32),
            float(max(left, 1e-9)),
        )

    def shown(self, places: NDArray[np.floating[Any]], placeless: NDArray[np.floating[Any]]) -> Outliers:
        """The same, having learnt to tell pictures of no place: a logistic regression with a penalty.

        Both kinds count as much, however many there are; photos of more kinds make fewer false alarms.

        Args:
            places: Features of photos of places, (n, channels).
            placeless: And of pictures of none, (m, channels).

        Raises:
            ValueError: There are fewer than thirty of either.
        """
        from scipy.optimize import minimize  # here, for it takes longer to load than a photo to locate
        from scipy.special import expit

        for kind in (places, placeless):
            if len(kind) < FEWEST:
                raise ValueError(
                    f"{len(kind)} pictures of a kind say little of it: {FEWEST} or more are needed"
                )
        values = (unit_length(np.concatenate([places, placeless])) - self.mean).astype(np.float32)
        scale = max(float(values[: len(places)].std()), 1e-9)
        values /= scale
        n, m = len(places), len(placeless)
        sides, shares = np.repeat([-1.0, 1.0], [n, m]), np.repeat([0.5 / n, 0.5 / m], [n, m])

        def loss(found: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weights = found[:-1]
            score = sides * (values @ weights.astype(np.float32) + found[-1])
            slope = -shares * sides * expit(-score)
            return (
                float(shares @ np.logaddexp(0, -score) + PENALTY * weights @ weights),
                np.append(slope.astype(np.float32) @ values + 2 * PENALTY * weights, slope.sum()),
            )

        found = minimize(loss, np.zeros(values.shape[1] + 1), jac=True, method="L-BFGS-B").x
        return replace(self, placeless=np.append(found[:-1] / scale, found[-1]).astype(np.float32))

    def as_shown(self, before: Outliers) -> Outliers:
        """The same, knowing the pictures of no place that it was shown before, of the same network."""
        assert before.placeless is not None
        weights, constant = before.placeless[:-1], before.placeless[-1]
        moved = constant + weights @ (self.mean - before.mean)
        return replace(self, placeless=np.append(weights, moved).astype(np.float32))

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """What `of` reads, small."""
        return {
            "feature_mean": self.mean,
            "feature_components": self.components.astype(np.float16),
            "feature_residual": np.array(self.residual),
            **({} if self.placeless is None else {"feature_placeless": self.placeless.astype(np.float16)}),
        }

    @cached_property
    def _axes(self) -> NDArray[np.float64]:
        return np.ascontiguousarray(self.components.T, dtype=np.float64)

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(self._axes, axis=1))

    def strangeness(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """How unlike the training images photos are, (n,), about 1 for one like them.

        Args:
            features: Of n photos, (n, channels).
        """
        distance = self.distance(features)
        if self.placeless is None:
            return distance
        off = unit_length(features) - self.mean
        score = np.einsum("ij,j->i", off, self.placeless[:-1]) + self.placeless[-1]
        return np.asarray(distance * (1 + np.tanh(np.maximum(score, 0))))

    def distance(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """How far photos are from the training images, (n,), about 1 for one like them."""
        off = unit_length(features) - self.mean
        # Not by the matrix library: its threads would wait for the cores that the network's have
        inside = np.einsum("ij,kj->ik", off, self._axes)
        along = inside / self._lengths  # parts of it, along orthogonal components
        outside = np.maximum((off**2).sum(axis=1) - (along**2).sum(axis=1), 0) / self.residual**2
        return np.asarray(np.sqrt(((inside**2).sum(axis=1) + outside) / off.shape[1]))
