"""Polygons on the flat map (longitude, latitude) of cells that live on the sphere, and which cells touch."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import from_unit_vectors, unit_vectors, wrap_longitude

# Great circles are cut into pieces this long: flat edges are then at most 15 m off times tan(latitude).
_STEP = np.radians(0.25)
_AT_POLE = 1e-12
_POLYGON = 3  # shapely's type id
# Slivers that rounding leaves on the far side of the date line, as a share of the whole.
_SLIVER = 1e-9
# Polygons this narrow (degrees) are flat enough for the plane's centroid.
_FLAT = 0.5
# Corners that should be one place may be this far apart, in degrees: 0.1 mm.
_TOUCH = 1e-9

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Numbers of cells (n,), and for each that of a cell next to it (n,), negative for none."""


def spherical_polygon(corners: NDArray[np.float64]) -> BaseGeometry:
    """The flat polygon of a convex cell whose edges are great circles.

    Args:
        corners: Unit vectors (m, 3) in order around the cell, m >= 3; a cell may hold a pole, have it as a
            corner, or cross the date line.

    Returns:
        A polygon around the first corner's meridian; its longitudes may lie beyond 180: see
        `cut_at_date_line`.
    """
    vectors = _subdivided(corners)
    points = from_unit_vectors(vectors)
    latitude, longitude = points[:, 0], points[:, 1]
    polar = np.hypot(vectors[:, 0], vectors[:, 1]) < _AT_POLE
    if polar.any():
        latitude, longitude = _spread_poles(latitude, longitude, polar)
    steps = wrap_longitude(np.diff(longitude, append=longitude[0]))
    # Rounding must not open the ring: it ends where it began, or once around.
    turns = 360.0 * np.round(steps.sum() / 360.0)
    xs = longitude[0] + np.concatenate([[0.0], np.cumsum(steps[:-1]), [turns]])
    ys = np.append(latitude, latitude[0])
    if turns:
        # The ring goes around a pole: the flat map needs the pole's edge.
        pole = np.copysign(90.0, vectors[:, 2].sum())
        xs, ys = np.append(xs, [xs[-1], xs[0]]), np.append(ys, [pole, pole])
    return shapely.Polygon(np.column_stack([xs, ys]))


def cut_at_date_line(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Bring polygons whose longitudes run past ±180 (not past ±540) into [-180, 180], in parts."""
    west, _, east, _ = shapely.bounds(polygons).T
    done = polygons.copy()
    for row in np.flatnonzero((west < -180.0) | (east > 180.0)):
        shifted = [
            shapely.intersection(moved(polygons[row], turn), shapely.box(-180.0, -90.0, 180.0, 90.0))
            for turn in (-360.0, 0.0, 360.0)
        ]
        done[row] = joined(shifted)
    return done


def moved(shape: BaseGeometry, degrees: float) -> BaseGeometry:
    """The shape, that many degrees further east."""
    return shape if degrees == 0.0 else shapely.transform(shape, lambda xy: xy + np.array([degrees, 0.0]))


def joined(shapes: list[BaseGeometry]) -> BaseGeometry:
    """One polygon or multipolygon of the areas in shapes, without lines, points and slivers."""
    parts = shapely.get_parts(shapely.get_parts(np.array(shapes, dtype=object)))
    areas = np.where(shapely.get_type_id(parts) == _POLYGON, shapely.area(parts), 0.0)
    return shapely.union_all(parts[areas > _SLIVER * areas.sum()])


def geometric_centroid(shape: BaseGeometry | None) -> tuple[float, float]:
    """Middle of a polygon's surface on the sphere, or the nearest place inside where that falls outside.

    Returns:
        Latitude and longitude; NaN for None or an empty shape.
    """
    if shape is None or shape.is_empty:
        return float("nan"), float("nan")
    west, south, east, north = shape.bounds
    if max(east - west, north - south) < _FLAT:
        middle = shape.centroid
        if not shapely.intersects(shape, middle):
            middle = shape.representative_point()
        return float(middle.y), float(middle.x)
    # Boundaries wants shells that run counter-clockwise.
    turned = shapely.MultiPolygon([orient(part) for part in shapely.get_parts(shape)])
    return Boundaries(["cell"], [turned]).centroid("cell")


def westmost(
    longitudes: NDArray[np.float64], widths: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Where the smallest arc begins that holds all longitudes, and how long it is.

    Args:
        longitudes: Where places or intervals begin, degrees, (n,), n >= 1.
        widths: How far east each interval reaches, degrees; 0 by default.

    Returns:
        The arc's western end in [-180, 180), and its length in degrees, at most 360.
    """
    starts = wrap_longitude(longitudes)
    order = np.argsort(starts, kind="stable")
    starts = starts[order]
    ends = starts + (np.zeros(len(starts)) if widths is None else widths[order])
    # How far everything up to each interval reaches; what runs past 180 comes round from the west.
    reach = np.maximum(np.maximum.accumulate(ends), ends.max() - 360.0)
    gaps = np.append(starts[1:], starts[0] + 360.0) - reach
    widest = int(np.argmax(gaps))
    if gaps[widest] <= 0.0:
        return -180.0, 360.0
    return float(starts[(widest + 1) % len(starts)]), float(360.0 - gaps[widest])


def eastward(longitudes: NDArray[np.float64], west: float) -> NDArray[np.float64]:
    """Longitudes as they run on from a western end, in [west, west + 360)."""
    return np.where(longitudes >= west, longitudes, longitudes + 360.0)


def touching_pairs(polygons: NDArray[np.object_]) -> Pairs:
    """Pairs of polygons that touch or overlap, across the date line too."""
    tree = shapely.STRtree(polygons)
    one, other = tree.query(polygons, predicate="dwithin", distance=_TOUCH)
    western = np.flatnonzero(shapely.bounds(polygons)[:, 0] <= -180.0 + _TOUCH)
    if len(western):
        turned = np.empty(len(western), dtype=object)
        turned[:] = [moved(polygons[row], 360.0) for row in western]
        row, across = tree.query(turned, predicate="dwithin", distance=_TOUCH)
        one, other = np.append(one, western[row]), np.append(other, across)
    return one, other


def delaunay_pairs(centroids: NDArray[np.float64]) -> Pairs:
    """Pairs of centroids whose Voronoi cells on the sphere touch: the edges of their convex hull."""
    try:
        triangles = ConvexHull(unit_vectors(centroids)).simplices
    except (QhullError, ValueError):
        # Fewer than four, or all on a circle: each is next to all.
        one, other = np.nonzero(np.ones((len(centroids), len(centroids)), dtype=bool))
        return one, other
    return np.roll(triangles, 1, axis=1).ravel().astype(np.int64), triangles.ravel().astype(np.int64)


def neighbour_lists(pairs: Pairs, count: int) -> list[NDArray[np.int64]]:
    """The neighbours of each of so many cells, in order, from pairs of cells that are next to each other.

    Args:
        pairs: One way round or both ways, with repeats; a cell with itself and with a negative number (no
            cell) are left out.
        count: How many cells there are.
    """
    one, other = pairs
    real = (other >= 0) & (one != other)
    one, other = one[real], other[real]
    # Of two cells of different size, only the smaller one's places around it find the other.
    both = np.unique(np.stack([np.append(one, other), np.append(other, one)], axis=1), axis=0)
    ends = np.cumsum(np.bincount(both[:, 0], minlength=count))[:-1]
    return [np.asarray(each, dtype=np.int64) for each in np.split(both[:, 1], ends)]


def _subdivided(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add places on long edges."""
    ahead = np.roll(corners, -1, axis=0)
    sine = np.linalg.norm(np.cross(corners, ahead), axis=1)
    angles = np.arctan2(sine, (corners * ahead).sum(axis=1))
    pieces = np.maximum(1, np.ceil(angles / _STEP)).astype(int)
    if (pieces == 1).all():
        return corners
    edges = []
    for start, end, angle, count in zip(corners, ahead, angles, pieces, strict=True):
        share = np.arange(count)[:, None] / count
        edges.append(
            start[None]
            if count == 1
            else (np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)
        )
    return np.concatenate(edges)


def _spread_poles(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64], polar: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a corner at a pole, which has no longitude, that of the corners before and after."""
    ys, xs = [], []
    for row in range(len(latitude)):
        if polar[row]:
            pole = float(np.copysign(90.0, latitude[row]))
            ys += [pole, pole]
            xs += [float(longitude[row - 1]), float(longitude[(row + 1) % len(longitude)])]
        else:
            ys.append(float(latitude[row]))
            xs.append(float(longitude[row]))
    return np.array(ys), np.array(xs)
