"""Groups of rows, from pairs of rows that belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Rows = NDArray[np.int64]


def components(n: int, pairs: Rows) -> Rows:
    """The group of each of n rows, (n,), numbered from 0: what pairs (m, 2) connect is one group."""
    left, right = pairs.T
    graph = coo_array((np.ones(len(pairs), dtype=bool), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def star_pairs(group: Rows) -> Rows:
    """Fewer than n pairs (m, 2) that connect each group: every row (n,) with the first of its group."""
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    leader, row = first[which], np.arange(len(group))
    return np.stack([leader[leader != row], row[leader != row]], axis=1)
