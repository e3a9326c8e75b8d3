"""Calibration: probabilities that mean what they say, on validation places or on other photos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.errors import DatasetError, ModelError
from lostfound.partitions import OUTSIDE
from lostfound.predict.locator import Locator

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


def fitted_temperature(locator: Locator, part: Dataset) -> float:
    """The temperature with which a model's probabilities fit some labelled images best.

    A model of several views is judged by places, as it was trained.

    Args:
        locator: A model with cells.
        part: Images that it was not trained on; those outside its cells are left out.

    Raises:
        ModelError: The model has no cells.
        DatasetError: There are no images, or one can't be read.
    """
    partition = locator.model.partition
    if partition is None:
        raise ModelError(f"{locator.model.path} gives no probabilities: there is nothing to calibrate")
    if not len(part):
        raise DatasetError(
            f"{part.folder} has no images to calibrate on: use a data set with a validation split"
        )
    outputs, rows = locator.dataset_outputs(part)
    cells = partition.assign(coordinates(part.records)[rows], strings(part.records, "country")[rows])
    return fit_temperature(outputs[:, : len(partition)].astype(np.float64), cells)
