"""Calibration: probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from lostfound.partitions import OUTSIDE

COLDEST, HOTTEST = 0.05, 20.0


def fit_temperature(logits: NDArray[np.float64], cells: NDArray[np.int64]) -> float:
    """The temperature that makes probabilities mean what they say (Guo et al. 2017).

    Args:
        logits: (n, classes), of images that were not trained on.
        cells: Their true cells, (n,); those outside every cell are left out.

    Returns:
        The temperature in [0.05, 20] with the least negative log-likelihood; 1 without any image.
    """
    known = cells != OUTSIDE
    logits, cells = logits[known], cells[known]
    if not len(cells):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(cells)), cells]))

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
