"""Voronoi cells on the sphere: every place belongs to its nearest centre, within a boundary.

The convex hull of the centres, as points in space, is their Delaunay triangulation on the sphere, and the
direction in which a triangle faces is the corner that its three cells share (Brown 1979). For the centres of
one city, which lie almost in a plane, the hull is computed on a stretched copy: stretching keeps hulls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree
from shapely.geometry.base import BaseGeometry

from lostfound.errors import UsageError
from lostfound.geo.index import LocalShapeIndex
from lostfound.geo.nearest import Segments
from lostfound.geo.shapes import area_km2, flat_ring, read_features
from lostfound.geo.sphere import unit_vectors
from lostfound.partitions.base import OUTSIDE, Find, Partition, TrainingPlaces
from lostfound.partitions.build import CandidateCells, build_cells, size_for_cell_count
from lostfound.partitions.kinds.polygons import checked_polygon
from lostfound.partitions.poisson_disc import poisson_disc_centres
from lostfound.partitions.shapes import cut_at_date_line, eastward, joined, moved, spherical_polygon, westmost

if TYPE_CHECKING:
    from lostfound.partitions.settings import VoronoiSettings

# Data that reach this far around are taken to be the world's.
_WHOLE = 330.0
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)
# Data on a line still need a box around them, in degrees.
_LEAST = 1e-6
# Of Poisson disc sampling's centres a plane has about so many for each square of the spacing.
_DENSITY = 0.7
# A boundary wider than this (radians from its middle) has its centres all around.
_PATCH = 0.8
# Centres far outside bound the outer cells, beyond the boundary: 3 radii are nearer to nothing inside.
_FAR = 3.2
_HELPERS = 12


@dataclass(frozen=True)
class Boundary:
    """What cells are clipped to.

    Attributes:
        west: Longitudes run on from here, so that the area is not cut at the date line.
        area: The polygon, x in [west, west + 360]; None for the whole Earth.
    """

    west: float
    area: BaseGeometry | None

    def holds(self, places: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether places (n, 2) are inside or on the border."""
        if self.area is None:
            return np.ones(len(places), dtype=bool)
        x, y = eastward(places[:, 1], self.west), places[:, 0]
        if shapely.equals(self.area, shapely.envelope(self.area)):
            _, south, east, north = self.area.bounds
            return np.asarray((x <= east) & (y >= south) & (y <= north))
        return np.asarray(self._index.find(np.column_stack([x, y])) == 0)

    @cached_property
    def _index(self) -> LocalShapeIndex:
        area = np.empty(1, dtype=object)
        area[0] = self.area
        return LocalShapeIndex(area)


def build(training: TrainingPlaces, settings: VoronoiSettings) -> Partition:
    """Draw centres within the boundary, the data's bounds by default.

    Raises:
        UsageError: The spacing fits no cell.
        DatasetError: The boundary is no valid polygon.
    """
    places = training.located
    boundary = _boundary(settings.boundary, places)
    inside = places[boundary.holds(places)]
    if not len(inside):
        raise UsageError(
            "no training image lies in the boundary: is it the right one, (latitude, longitude)?"
        )
    spacing_km, centres = _spaced_centres(boundary, inside, settings)
    rule = {
        "centres": centres.tolist(),
        "west": boundary.west,
        "boundary": None if boundary.area is None else shapely.to_wkb(boundary.area, hex=True),
        "spacing_km": spacing_km,
    }
    numbers = np.full(len(training.places), OUTSIDE, dtype=np.int64)
    numbers[training.known] = _search(centres, boundary)(places)
    candidates = CandidateCells(
        [f"v{number}" for number in range(len(centres))],
        numbers,
        shapes=lambda kept: _polygons(centres, kept, boundary),
    )
    return build_cells("voronoi", training, candidates, settings, rule)


def finder(partition: Partition) -> Find:
    """Search by the nearest of all centres, those of dropped cells too."""
    rule = partition.rule
    area = None if rule["boundary"] is None else shapely.from_wkb(rule["boundary"])
    centres = np.array(rule["centres"])
    number = np.full(len(centres) + 1, OUTSIDE, dtype=np.int64)
    number[[int(each[1:]) for each in partition.cell_ids]] = np.arange(len(partition))
    search = _search(centres, Boundary(rule["west"], area))
    return lambda places: number[search(places)]


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
        local, scale = _with_helpers(local, reach)
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


def _spaced_centres(
    boundary: Boundary, inside: NDArray[np.float64], settings: VoronoiSettings
) -> tuple[float, NDArray[np.float64]]:
    """The spacing in km, which is searched for where the settings give a number of cells, and the centres.

    Args:
        boundary: Where.
        inside: The training images within, (n, 2) degrees.
        settings: Of the partition.
    """
    area = _WORLD if boundary.area is None else boundary.area
    border = None if boundary.area is None else Segments.of(np.array([area], dtype=object))
    spacing_km = settings.spacing_km
    if spacing_km is None:
        assert settings.cells is not None
        vectors = unit_vectors(inside)

        def cells(size: float) -> int:
            try:
                centres = poisson_disc_centres(area, border, size, settings)
            except UsageError:
                return 0
            counts = np.bincount(cKDTree(unit_vectors(centres)).query(vectors)[1])
            return int(np.count_nonzero(counts >= max(1, settings.min_images)))

        guess = math.sqrt(_DENSITY * float(area_km2([area])[0]) / settings.cells)
        spacing_km = size_for_cell_count(settings.cells, len(inside), cells, guess)
    return spacing_km, poisson_disc_centres(area, border, spacing_km, settings)


def _search(centres: NDArray[np.float64], boundary: Boundary) -> Find:
    tree = cKDTree(unit_vectors(centres))

    def find(places: NDArray[np.float64]) -> NDArray[np.int64]:
        found = np.full(len(places), OUTSIDE, dtype=np.int64)
        inside = boundary.holds(places)
        found[inside] = tree.query(unit_vectors(places[inside]), workers=-1)[1]
        return found

    return find


def _boundary(given: str | tuple[tuple[float, float], ...] | None, places: NDArray[np.float64]) -> Boundary:
    """The boundary as the settings give it, or the bounds of the places."""
    if given is None:
        return _data_bounds(places)
    if isinstance(given, str):
        shapes = [checked_polygon(shape, given) for shape in read_features(Path(given))[1]]
        flat = shapely.union_all(shapes)
    else:
        ring = np.array([*given, given[0]], dtype=np.float64)[:, ::-1]
        if len(given) < 3 or not ((np.abs(ring) <= [180.0, 90.0]).all()):
            raise UsageError("boundary must be three or more corners (latitude, longitude) in degrees")
        flat = flat_ring(ring)
        checked_polygon(flat, "boundary")
    parts = shapely.get_parts(flat)
    west_ends, _, east_ends, _ = shapely.bounds(parts).T
    west, width = westmost(west_ends, east_ends - west_ends)
    if width >= 360.0:
        return Boundary(-180.0, flat)
    turned = [
        moved(part, 360.0 if start < west else 0.0) for part, start in zip(parts, west_ends, strict=True)
    ]
    return Boundary(west, joined(turned))


def _data_bounds(places: NDArray[np.float64]) -> Boundary:
    west, width = westmost(places[:, 1])
    if width > _WHOLE:
        return Boundary(-180.0, None)
    south, north = float(places[:, 0].min()), float(places[:, 0].max())
    return Boundary(west, shapely.box(west, south, west + max(width, _LEAST), max(north, south + _LEAST)))


def _polygons(
    centres: NDArray[np.float64], kept: NDArray[np.intp], boundary: Boundary
) -> NDArray[np.object_]:
    """The cells' shapes, clipped."""
    corners = cell_corners(centres, None if boundary.area is None else _around(boundary.area))
    shapes = np.empty(len(kept), dtype=object)
    shapes[:] = [spherical_polygon(corners[row]) for row in kept]
    if boundary.area is None:
        return cut_at_date_line(shapes)
    shapely.prepare(boundary.area)
    west, _, east, _ = boundary.area.bounds
    for row, shape in enumerate(shapes):
        pieces = []
        for turn in (-360.0, 0.0, 360.0):
            left, _, right, _ = shape.bounds
            if left + turn <= east and right + turn >= west:
                pieces.append(shapely.intersection(moved(shape, turn), boundary.area))
        shapes[row] = joined(pieces)
    return cut_at_date_line(shapes)


def _around(area: BaseGeometry) -> NDArray[np.float64]:
    """Corners of the area's bounds, (4, 2) as (latitude, longitude)."""
    west, south, east, north = area.bounds
    return np.array([[south, west], [south, east], [north, west], [north, east]])


def _with_helpers(local: NDArray[np.float64], reach: float) -> tuple[NDArray[np.float64], float]:
    """Centres of a small patch, with more around them, which bound the outer cells beyond the boundary.

    Args:
        local: The centres (k, 3) from the patch's middle, along its tangent plane and upwards.
        reach: The patch's radius, radians.

    Returns:
        The centres and those around them, and how wide they lie.
    """
    # One spot: any distance will do.
    angle = max(_FAR * reach, 1e-7)
    turn = np.linspace(0, 2 * np.pi, _HELPERS, endpoint=False) + 0.1
    depth = np.full(_HELPERS, -2 * np.sin(angle / 2) ** 2)
    helpers = np.column_stack([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), depth])
    # Exact for near points, where the difference of two cosines is noise.
    up = -(local**2).sum(axis=1) / 2
    return np.concatenate([np.column_stack([local[:, :2], up]), helpers]), float(2 * np.sin(angle / 2))


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
