"""Areas of polygons on the Earth taken as a sphere."""

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from lostfound.geo.sphere import EARTH_RADIUS_KM


def area_km2(shapes: ArrayLike) -> NDArray[np.float64]:
    """Surface of polygons whose edges are straight on the map of longitude and latitude.

    Exact for such edges: the surface between an edge and the equator is the integral of sin(latitude) over
    longitude, and sin's mean along the edge has a closed form (Archimedes' map keeps areas).

    Args:
        shapes: Polygons or multipolygons, shape (n,), valid, x the longitude and y the latitude in degrees;
            one that crosses the date line may be cut there or run on past 180.

    Returns:
        Square kilometres, shape (n,); 0 for an empty shape.
    """
    geometries = np.atleast_1d(np.asarray(shapes, dtype=object))
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    degrees, corner_ring = shapely.get_coordinates(rings, return_index=True)
    xy = np.radians(degrees)
    step, middle = np.diff(xy, axis=0), (xy[1:] + xy[:-1]) / 2
    # The mean of sin over [a, b] is sin((a + b) / 2) * sinc((b - a) / 2); NumPy's sinc takes halves of pi.
    under = step[:, 0] * np.sin(middle[:, 1]) * np.sinc(step[:, 1] / (2 * np.pi))
    same = corner_ring[1:] == corner_ring[:-1]
    ring_area = np.abs(np.bincount(corner_ring[:-1][same], under[same], minlength=len(rings)))
    # The first ring of each part is its shell, the others are holes.
    shell = np.diff(ring_part, prepend=-1) != 0
    signed = np.where(shell, ring_area, -ring_area)
    total = np.bincount(part_owner[ring_part], signed, minlength=len(geometries))
    return np.asarray(total * EARTH_RADIUS_KM**2, dtype=np.float64)
