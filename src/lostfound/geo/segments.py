"""Nearest place on a set of borders, on the sphere: right across the date line and at the poles."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostfound.geo.sphere import from_unit_vectors, unit_vectors

# Borders are straight on the map (longitude, latitude), not on the sphere, so long pieces are cut. At 0.1°
# the two lines are at most 1.2 m apart.
_MAX_STEP_DEG = 0.1
# 6 mm: shorter pieces are the seams that a flat map needs at the poles, and have no direction.
_MIN_LENGTH = 1e-9


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

    def nearest(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """The nearest border of each point, right to a few metres.

        Args:
            points: Shape (n, 2), degrees, finite.

        Returns:
            Places on the borders (n, 2), and the index of the geometry each belongs to (n,); between equally
            near geometries, the first.
        """
        targets = unit_vectors(points)
        tree, half = self._tree
        upper = tree.query(targets)[0] + half
        found = tree.query_ball_point(targets, upper + half, return_sorted=True)
        places = np.empty((len(points), 3))
        owner = np.empty(len(points), dtype=np.intp)
        for row, candidates in enumerate(found):
            start, end = self.starts[candidates], self.ends[candidates]
            along = end - start
            share = ((targets[row] - start) * along).sum(axis=1) / (along**2).sum(axis=1)
            on_border = start + np.clip(share, 0.0, 1.0)[:, None] * along
            best = np.argmin(((on_border - targets[row]) ** 2).sum(axis=1))
            places[row] = on_border[best]
            owner[row] = self.owner[candidates[best]]
        return from_unit_vectors(places), owner

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
