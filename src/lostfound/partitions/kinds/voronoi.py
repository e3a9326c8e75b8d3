"""Voronoi cells on the sphere: every place belongs to its nearest centre, within a boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from lostfound.errors import UsageError
from lostfound.geo.index import LocalShapeIndex
from lostfound.geo.nearest import Segments
from lostfound.geo.shapes import area_km2, flat_ring, read_features
from lostfound.geo.sphere import unit_vectors
from lostfound.partitions.base import OUTSIDE, Find, Partition
from lostfound.partitions.build_cells import CandidateCells, TrainingPlaces, build_cells
from lostfound.partitions.cell_size import size_for_cell_count
from lostfound.partitions.kinds.polygons import checked_polygon
from lostfound.partitions.kinds.voronoi_cells import cell_corners
from lostfound.partitions.poisson_disc import poisson_disc_centres
from lostfound.partitions.shapes import cut_at_date_line, eastward, joined, moved, spherical_polygon, westmost

if TYPE_CHECKING:
    from lostfound.partitions.settings import VoronoiSettings

# Data that reach this far around are taken to be the world's.
_WHOLE = 330.0
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)
# Data on a line still need a box around them, in degrees.
_LEAST = 1e-6
# Of the centres that dart throwing leaves, a plane has about so many for each square of the spacing.
_DENSITY = 0.7


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
    """Throw centres within the boundary, the data's bounds by default.

    Raises:
        UsageError: The spacing fits no cell.
        DatasetError: The boundary is no valid polygon.
    """
    places = training.located
    boundary = _boundary(settings.boundary, places)
    area = _WORLD if boundary.area is None else boundary.area
    border = None if boundary.area is None else Segments.of(np.array([area], dtype=object))
    inside = places[boundary.holds(places)]
    if not len(inside):
        raise UsageError(
            "no training image lies in the boundary: is it the right one, (latitude, longitude)?"
        )
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
    centres = poisson_disc_centres(area, border, spacing_km, settings)
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


def _search(centres: NDArray[np.float64], boundary: Boundary) -> Find:
    tree = cKDTree(unit_vectors(centres))

    def find(places: NDArray[np.float64]) -> NDArray[np.int64]:
        found = np.full(len(places), OUTSIDE, dtype=np.int64)
        inside = boundary.holds(places)
        found[inside] = tree.query(unit_vectors(places[inside]), workers=-1)[1]
        return found

    return find


def _boundary(given: str | tuple[tuple[float, float], ...] | None, places: NDArray[np.float64]) -> Boundary:
    if given is None:
        west, width = westmost(places[:, 1])
        if width > _WHOLE:
            return Boundary(-180.0, None)
        south, north = float(places[:, 0].min()), float(places[:, 0].max())
        return Boundary(west, shapely.box(west, south, west + max(width, _LEAST), max(north, south + _LEAST)))
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
