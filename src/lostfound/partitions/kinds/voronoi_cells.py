"""The corners of Voronoi cells on the sphere.

The convex hull of the centres, as points in space, is their Delaunay triangulation on the sphere, and the
direction in which a triangle faces is the corner that its three cells share (Brown 1979). For the centres of
one city, which lie almost in a plane, the hull is computed on a stretched copy: stretching keeps hulls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from lostfound.errors import UsageError
from lostfound.geo.sphere import unit_vectors

# A boundary wider than this (radians from its middle) has its centres all around.
_PATCH = 0.8
# Centres far outside bound the outer cells, beyond the boundary: 3 radii are nearer to nothing inside.
_FAR = 3.2
_HELPERS = 12


def cell_corners(
    centres: NDArray[np.float64], bounds: NDArray[np.float64] | None
) -> list[NDArray[np.float64]]:
    """The corners of each centre's cell.

    Args:
        centres: Degrees, (k, 2), all different.
        bounds: Places (m, 2) around the area that matters: beyond it cells may end early. None for cells of
            the whole Earth.

    Returns:
        For each centre unit vectors (c, 3), counter-clockwise as seen from above.

    Raises:
        UsageError: The whole Earth has fewer than four centres.
    """
    vectors = unit_vectors(centres)
    middle = vectors.mean(axis=0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-12)
    reach = np.inf
    if bounds is not None:
        seen = np.concatenate([unit_vectors(bounds), vectors])
        reach = float(2 * np.arcsin(np.linalg.norm(seen - middle, axis=1).max().clip(0, 2) / 2))
    basis = _basis(middle)
    local = (vectors - middle) @ basis.T
    scale = 1.0
    if reach < _PATCH:
        # One spot: any distance will do.
        angle = max(_FAR * reach, 1e-7)
        turn = np.linspace(0, 2 * np.pi, _HELPERS, endpoint=False) + 0.1
        helpers = np.column_stack(
            [
                np.sin(angle) * np.cos(turn),
                np.sin(angle) * np.sin(turn),
                np.full(_HELPERS, -2 * np.sin(angle / 2) ** 2),
            ]
        )
        # Exact for near points, where the difference of two cosines is noise.
        local[:, 2] = -(local**2).sum(axis=1) / 2
        local = np.concatenate([local, helpers])
        scale = 2 * np.sin(angle / 2)
    stretch = np.array([1 / scale, 1 / scale, 1 / scale**2])
    try:
        hull = ConvexHull(local * stretch)
    except (QhullError, ValueError):
        raise UsageError(
            f"{len(centres)} cells are too few to divide the whole Earth: make the spacing smaller"
        ) from None
    faces = hull.equations[:, :3] * stretch
    corners = (faces / np.linalg.norm(faces, axis=1, keepdims=True)) @ basis
    return _in_order(vectors, hull.simplices, corners)


def _in_order(
    vectors: NDArray[np.float64], triangles: NDArray[np.int32], corners: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """The corners around each centre."""
    centre, triangle = triangles.ravel(), np.repeat(np.arange(len(triangles)), 3)
    own = centre < len(vectors)
    centre, triangle = centre[own], triangle[own]
    at = vectors[centre]
    # Two directions across each centre, the second to the left of the first.
    aside = np.where(np.abs(at[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    first = np.cross(aside, at)
    second = np.cross(at, first)
    off = corners[triangle] - at
    angle = np.arctan2((off * second).sum(axis=1), (off * first).sum(axis=1))
    order = np.lexsort((angle, centre))
    ends = np.cumsum(np.bincount(centre, minlength=len(vectors)))[:-1]
    return np.split(corners[triangle[order]], ends)


def _basis(middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows: two directions across the middle, and the middle."""
    aside = np.array([0.0, 0.0, 1.0]) if abs(middle[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    first = np.cross(aside, middle)
    norm = float(np.linalg.norm(first))
    if norm < 1e-9:
        return np.eye(3)
    first /= norm
    return np.stack([first, np.cross(middle, first), middle])
