"""Several views of one place: their outputs are averaged before they are decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    _, first, index = np.unique(places.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(index[order])) + 1])
    sums = np.add.reduceat(np.asarray(outputs, dtype=np.float64)[order], starts, axis=0)
    return (sums / np.bincount(index)[:, None]).astype(np.float32), first
