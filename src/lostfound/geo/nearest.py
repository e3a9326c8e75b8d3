"""The nearest of many places, on the sphere."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from lostfound.geo.points import as_points
from lostfound.geo.sphere import chord, haversine_km, unit_vectors

_SNAKE_PER_DEGREE = 2


class NearestSearch:
    """Searches places for the one nearest to a point.

    Args:
        places: Shape (n, 2), degrees, n >= 1.
    """

    def __init__(self, places: NDArray[np.float64]) -> None:
        self.places = places

    def rows(self, points: ArrayLike, max_distance_km: float | None = None) -> NDArray[np.intp]:
        """The nearest place of each point, by great circle.

        Args:
            points: Shape (n, 2), degrees.
            max_distance_km: How far to look; None for any distance.

        Returns:
            Rows of the places, (n,); -1 for points with NaN, and where no place is near enough.

        Raises:
            ValueError: Not of shape (n, 2), or a value out of range; the message names the row.
        """
        array = as_points(points, unknown=True)
        known = np.flatnonzero(~np.isnan(array).any(axis=1))
        known = known[_along_a_snake(array[known])]
        limit = np.inf if max_distance_km is None else chord(max_distance_km) * (1 + 1e-9)
        found = self._tree.query(unit_vectors(array[known]), distance_upper_bound=limit, workers=-1)[1]
        # The tree answers with the number of places where it finds none.
        found[found == len(self.places)] = -1
        rows = np.full(len(array), -1, dtype=np.intp)
        rows[known] = found
        return rows

    def distances_km(self, points: ArrayLike, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """How far each point is from the place of its row; NaN where the row is -1."""
        return np.where(rows < 0, np.nan, haversine_km(points, self.places[rows]))

    @cached_property
    def _tree(self) -> cKDTree:
        # Splitting space in halves, not the places, is quicker to search for points that lie anywhere.
        return cKDTree(unit_vectors(self.places), balanced_tree=False)


def _along_a_snake(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """An order in which each point is near the one before: the search then finds its memory warm."""
    row = ((points[:, 0] + 90) * _SNAKE_PER_DEGREE).astype(np.intp)
    column = ((points[:, 1] + 180) * _SNAKE_PER_DEGREE).astype(np.intp)
    width = 360 * _SNAKE_PER_DEGREE + 1
    return np.argsort(row * width + np.where(row % 2 == 0, column, width - 1 - column), kind="stable")
