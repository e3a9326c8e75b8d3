"""The nearest of many places, and the nearest border: right across the date line and at the poles."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from lostfound.geo.sphere import as_points, chord, from_unit_vectors, haversine_km, unit_vectors

_SNAKE_PER_DEGREE = 2
# Borders are straight on the map (longitude, latitude), not on the sphere, so long pieces are cut. At 0.1°
# the two lines are at most 1.2 m apart.
_MAX_STEP_DEG = 0.1
# 6 mm: shorter pieces are the seams that a flat map needs at the poles, and have no direction.
_MIN_LENGTH = 1e-9
# Squared distances this near each other, relatively, are equal.
_EQUAL = 1e-9
# Points are taken in turns of this size, which bounds the memory that their candidates need.
_TURN = 4_000


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


@dataclass(frozen=True)
class Segments:
    """Short straight pieces of borders.

    Attributes:
        starts: Unit vectors (n, 3).
        ends: Unit vectors (n, 3).
        owner: Index of the geometry each piece belongs to, (n,).
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    owner: NDArray[np.intp]

    @classmethod
    def of(cls, geometries: NDArray[np.object_]) -> "Segments":
        """Cut the borders of polygons, which are given as (longitude, latitude) in degrees.

        The pieces keep their rings' direction: the inside is on the left if shells run counter-clockwise.
        """
        parts, part_owner = shapely.get_parts(geometries, return_index=True)
        rings, ring_part = shapely.get_rings(parts, return_index=True)
        xy, line = shapely.get_coordinates(shapely.segmentize(rings, _MAX_STEP_DEG), return_index=True)
        vectors = unit_vectors(xy[:, ::-1])
        joined = (line[1:] == line[:-1]) & (np.linalg.norm(np.diff(vectors, axis=0), axis=1) > _MIN_LENGTH)
        owner = part_owner[ring_part[line[:-1][joined]]]
        return cls(vectors[:-1][joined], vectors[1:][joined], owner)

    def nearest(
        self, points: NDArray[np.float64], max_distance_km: float = math.inf
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """The nearest border of each point, right to a few metres.

        Args:
            points: Shape (n, 2), degrees, finite.
            max_distance_km: How far to look, by great circle.

        Returns:
            Places on the borders (n, 2), and the index of the geometry each belongs to (n,); between equally
            near geometries, the first. NaN and -1 where no border is near enough.
        """
        places = np.full((len(points), 2), np.nan)
        owner = np.full(len(points), -1, dtype=np.intp)
        targets = unit_vectors(points)
        tree, half = self._tree
        # A little more, since the bound itself is excluded.
        reach = (chord(max_distance_km) + half) * (1 + _EQUAL)
        upper = tree.query(targets, distance_upper_bound=reach, workers=-1)[0]
        rows = np.flatnonzero(np.isfinite(upper))
        for turn in np.array_split(rows, 1 + len(rows) // _TURN):
            if turn.size:
                places[turn], owner[turn] = self._nearest_turn(targets[turn], upper[turn] + 2 * half)
        # The search went by the pieces' middles, which may be nearer or farther than the pieces.
        beyond = rows[haversine_km(points[rows], places[rows]) > max_distance_km]
        places[beyond], owner[beyond] = np.nan, -1
        return places, owner

    def _nearest_turn(
        self, targets: NDArray[np.float64], reach: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """The nearest border of unit vectors (n, 3), among pieces whose middles are within ``reach`` (n,)."""
        found = self._tree[0].query_ball_point(targets, reach, return_sorted=True, workers=-1)
        counts = np.fromiter(map(len, found), np.intp, len(found))
        piece = np.fromiter(chain.from_iterable(found), np.intp, counts.sum())
        target = np.repeat(targets, counts, axis=0)
        start = self.starts[piece]
        along = self.ends[piece] - start
        share = ((target - start) * along).sum(axis=1) / (along**2).sum(axis=1)
        on_border = start + np.clip(share, 0.0, 1.0)[:, None] * along
        distance = ((on_border - target) ** 2).sum(axis=1)
        first = np.cumsum(counts) - counts
        # Two countries' border is drawn twice, and rounding must not choose between them.
        least = np.minimum.reduceat(distance, first) * (1 + _EQUAL)
        good = np.flatnonzero(distance <= np.repeat(least, counts))
        best = good[np.searchsorted(good, first)]
        return from_unit_vectors(on_border[best]), self.owner[piece[best]]

    def mean_vector(self) -> NDArray[np.float64]:
        """Sum of the unit vectors over the enclosed surface, (3,): half the sum of r x dr along the border.

        That is the vector area of a spherical region (Stokes' theorem), exact for edges along great circles.
        """
        normal = np.cross(self.starts, self.ends)
        sine = np.linalg.norm(normal, axis=1, keepdims=True)
        cosine = (self.starts * self.ends).sum(axis=1, keepdims=True)
        total: NDArray[np.float64] = (normal * (np.arctan2(sine, cosine) / sine)).sum(axis=0) / 2
        return total

    @cached_property
    def _tree(self) -> tuple[cKDTree, float]:
        """Search tree of the pieces' middles, and half the length of the longest piece."""
        half = float(np.linalg.norm(self.ends - self.starts, axis=1).max()) / 2
        return cKDTree((self.starts + self.ends) / 2), half


def _along_a_snake(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """An order in which each point is near the one before: the search then finds its memory warm."""
    row = ((points[:, 0] + 90) * _SNAKE_PER_DEGREE).astype(np.intp)
    column = ((points[:, 1] + 180) * _SNAKE_PER_DEGREE).astype(np.intp)
    width = 360 * _SNAKE_PER_DEGREE + 1
    return np.argsort(row * width + np.where(row % 2 == 0, column, width - 1 - column), kind="stable")
