"""Arrays of features: what a network sees before its head, as its graph gives it beside the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def channels_first(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """A last feature map with its channels before its rows and columns.

    Some networks (Swin) keep the channels last, of which there are always more than rows.
    """
    if features.ndim == 4 and features.shape[3] > features.shape[1]:
        return np.moveaxis(features, 3, 1)
    return features


def pooled_features(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over the photo, (n, channels).

    Args:
        features: (n, channels, rows, columns), of transformers (n, tokens, channels), or (n, channels).
    """
    axes: dict[int, tuple[int, ...]] = {4: (2, 3), 3: (1,)}
    if features.ndim not in axes:
        return features
    return np.asarray(features.mean(axis=axes[features.ndim]))


def unit_length(features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Features (..., channels) as vectors of length 1; those of length 0 stay."""
    values = np.asarray(features, dtype=np.float64)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))
