"""Squares that split into four, again and again: what S2 cells and quadtrees have in common.

A place has a code of two bits for each depth, below any bits for the roots. The code of a square is the
first part of the codes of all places in it, so a square is a range of codes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lostfound.partitions.base import OUTSIDE


@dataclass(frozen=True)
class Squares:
    """Squares of several sizes, none inside another.

    Attributes:
        depths: How often each was split off, (m,).
        prefixes: The codes, (m,), uint64.
        deepest: The depth of a place's whole code.
    """

    depths: NDArray[np.int64]
    prefixes: NDArray[np.uint64]
    deepest: int

    def find(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The numbers of the squares that hold places' whole codes (n,), or `OUTSIDE`."""
        order, starts, ends = self._ranges
        found = np.searchsorted(starts, codes, side="right") - 1
        # Before the first range the last one is looked at, whose start is not below the code.
        inside = (found >= 0) & (codes < ends[found])
        return np.where(inside, order[found], OUTSIDE)

    def ancestors(self, depth: int) -> NDArray[np.uint64]:
        """The codes of the squares of a depth that hold these, (m,); their own where they are no deeper."""
        above = np.maximum(self.depths - depth, 0).astype(np.uint64)
        return self.prefixes >> (np.uint64(2) * above)

    @cached_property
    def _ranges(self) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
        below = np.uint64(2) * (self.deepest - self.depths).astype(np.uint64)
        starts = self.prefixes << below
        order = np.argsort(starts)
        return order, starts[order], ((self.prefixes + np.uint64(1)) << below)[order]


def split(
    codes: NDArray[np.uint64],
    deepest: int,
    start: int,
    limit: int,
    crowded: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
) -> tuple[Squares, NDArray[np.int64]]:
    """Split squares that hold too many places.

    Args:
        codes: The places' whole codes, (n,).
        deepest: Their depth.
        start: The depth of the largest squares.
        limit: The depth of the smallest squares.
        crowded: Which of the squares split, from the places in each.

    Returns:
        The squares that hold any place, in the order of their codes, and how many places each holds.
    """
    depths, prefixes, counts = [], [], []
    left = np.sort(codes)
    for depth in range(start, limit + 1):
        own = left >> np.uint64(2 * (deepest - depth))
        squares, inverse, places = np.unique(own, return_inverse=True, return_counts=True)
        on = crowded(places) & (depth < limit)
        depths.append(np.full((~on).sum(), depth))
        prefixes.append(squares[~on])
        counts.append(places[~on])
        left = left[on[inverse]]
        if not len(left):
            break
    found = Squares(np.concatenate(depths), np.concatenate(prefixes), deepest)
    order = found._ranges[0]
    ordered = Squares(found.depths[order], found.prefixes[order], deepest)
    return ordered, np.concatenate(counts)[order]


def around(
    low: NDArray[np.int64], size: NDArray[np.int64], low_y: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Grid places just outside squares: at the middle of each side and at each corner.

    Args:
        low: The squares' first columns, (m,).
        size: Their widths, (m,).
        low_y: Their first rows, (m,).

    Returns:
        Columns and rows, (8, m) each.
    """
    before, middle, after = low - 1, low + size // 2, low + size
    before_y, middle_y, after_y = low_y - 1, low_y + size // 2, low_y + size
    columns = [before, before, before, middle, middle, after, after, after]
    rows = [before_y, middle_y, after_y, before_y, after_y, before_y, middle_y, after_y]
    return np.array(columns), np.array(rows)
