"""Calibrating a finished model: on its own validation places, or on photos of another origin."""

from __future__ import annotations

import numpy as np

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.errors import DatasetError, ModelError
from lostfound.evaluation.evaluate import by_place, part_outputs
from lostfound.predict.calibration import fit_temperature
from lostfound.predict.locator import Locator


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
    outputs = part_outputs(locator, part)
    if locator.model.views > 1:
        part, outputs = by_place(part, outputs)
    cells = partition.assign(coordinates(part.records), strings(part.records, "country"))
    return fit_temperature(outputs[:, : len(partition)].astype(np.float64), cells)
