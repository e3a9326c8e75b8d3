"""Several views of one place: what they say together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.predict.belief import Belief
from lostfound.predict.calibration import Calibration
from lostfound.predict.decoders import OutputDecoder


def mean_of_views(
    outputs: NDArray[np.floating[Any]], places: NDArray[np.object_]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The mean outputs of each place's views.

    Args:
        outputs: A network's, (n, width).
        places: The place that each row shows, (n,).

    Returns:
        The means, (p, width), in the order of the places' names; and the first row of each, (p,).
    """
    means, first, _ = grouped_means(np.asarray(outputs, dtype=np.float64), places)
    return means.astype(np.float32), first


def grouped_means(
    values: NDArray[np.float64], groups: NDArray[np.object_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The means of rows (n, width) by group, (g, width), in the order of the groups' names.

    Returns:
        The means; the first row of each group, (g,); and how many it has, (g,).
    """
    _, first, index = np.unique(groups.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(index[order])) + 1])
    counts = np.bincount(index)
    return np.add.reduceat(values[order], starts, axis=0) / counts[:, None], first, counts


def pooled(
    decoder: OutputDecoder,
    calibration: Calibration,
    outputs: NDArray[np.floating[Any]],
    groups: NDArray[np.object_],
    ids: NDArray[np.object_] | None = None,
) -> tuple[Belief, NDArray[np.int64], NDArray[np.int64]]:
    """What the views of each place say together, pooled as calibrating found best.

    Args:
        decoder: The model's.
        calibration: The model's.
        outputs: Of n photos, (n, width).
        groups: The place that each shows, (n,).
        ids: What the photos are called, (n,); a place is called as its first photo. Their groups if None.

    Returns:
        The belief about p places, in the order of their names; the first row of each, (p,); and how many
        views it has, (p,).
    """
    means, first, views = grouped_means(np.asarray(outputs, dtype=np.float64), groups)
    names = (groups if ids is None else ids)[first]
    belief = decoder.believe(means, names, views.astype(np.float64) ** calibration.view_exponent)
    if calibration.pooling == "probabilities" and belief.ranks_cells:
        each, _, _ = grouped_means(decoder.believe(outputs).probabilities, groups)
        belief = replace(belief, probabilities=each)
    return belief, first, views
