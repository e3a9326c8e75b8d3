"""Arrays of features: what a network sees before its head, as its graph gives it beside the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mean_axes(shape: Sequence[int]) -> tuple[int, ...]:
    """The axes that go when a network's last features are averaged over the photo.

    Args:
        shape: (n, channels, rows, columns), of some networks (Swin) (n, rows, columns, channels), with always
            more channels than rows; of transformers (n, tokens, channels); or (n, channels).
    """
    if len(shape) == 4:
        return (1, 2) if shape[3] > shape[1] else (2, 3)
    return (1,) if len(shape) == 3 else ()


def channels_first(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """A last feature map with its channels before its rows and columns."""
    return np.moveaxis(features, 3, 1) if mean_axes(features.shape) == (1, 2) else features


def unit_length(features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Features (..., channels) as vectors of length 1; those of length 0 stay."""
    values = np.asarray(features, dtype=np.float64)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))
