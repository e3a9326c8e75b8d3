"""Photos unlike those that a model learnt from: how far their features are from the training images'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.predict.features import unit_length

FEWEST = 30
"""Training images from which on it can be told what is strange."""


@dataclass(frozen=True)
class Outliers:
    """Measures how strange photos are.

    The Mahalanobis distance in the principal components of the training images' features of unit length, with
    what lies outside of those components measured by its own deviation (Lee et al. 2018; the residual as in
    Wang et al. 2022, ViM).

    Attributes:
        mean: Of the training images' features of unit length, (channels,).
        components: The principal ones, (channels, k), each divided by its standard deviation.
        residual: The deviation of a feature outside of them.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    residual: float

    @classmethod
    def of(cls, statistics: Mapping[str, NDArray[Any]]) -> Outliers | None:
        """Read what `as_arrays` gave; None where it was not given."""
        if "feature_mean" not in statistics:
            return None
        mean, components, residual = (
            statistics[f"feature_{name}"] for name in ("mean", "components", "residual")
        )
        return cls(mean.astype(np.float32), components.astype(np.float32), float(residual))

    @classmethod
    def fit(cls, features: NDArray[np.floating[Any]], components: int = 64) -> Outliers:
        """Learn from the features of training images, (n, channels).

        Raises:
            ValueError: There are fewer than three images.
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

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """What `of` reads, small."""
        return {
            "feature_mean": self.mean,
            "feature_components": self.components.astype(np.float16),
            "feature_residual": np.array(self.residual),
        }

    @cached_property
    def _axes(self) -> NDArray[np.float64]:
        return np.ascontiguousarray(self.components.T, dtype=np.float64)

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(self._axes, axis=1))

    def strangeness(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """How far photos are from the training images, (n,), about 1 for one like them.

        Args:
            features: Of n photos, (n, channels).
        """
        off = unit_length(features) - self.mean
        # Not by the matrix library: its threads would wait for the cores that the network's have
        inside = np.einsum("ij,kj->ik", off, self._axes)
        along = inside / self._lengths  # parts of it, along orthogonal components
        outside = np.maximum((off**2).sum(axis=1) - (along**2).sum(axis=1), 0) / self.residual**2
        return np.asarray(np.sqrt(((inside**2).sum(axis=1) + outside) / off.shape[1]))
