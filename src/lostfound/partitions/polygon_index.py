"""Which of several polygons holds a point, for many points in a country or a city."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from lostfound.geo.index import ShapeIndex
from lostfound.partitions.base import OUTSIDE

# Where the polygons' bounds are spread to, a little within the map.
_LOW, _SPAN = np.array([-179.9, -89.9]), np.array([359.8, 179.8])


class PolygonIndex:
    """Searches polygons for the first that holds a point; borders belong to their polygons.

    `ShapeIndex` looks points up in a raster over the globe. Here the polygons' bounds are spread over that
    raster, so that it is as fine for a city as it is for the world.
    """

    def __init__(self, polygons: NDArray[np.object_]) -> None:
        """Take valid polygons, x the longitude and y the latitude, which may run on past 180."""
        west, south, east, north = shapely.total_bounds(polygons)
        self._corner = np.array([west, south])
        self._scale = _SPAN / np.maximum([east - west, north - south], 1e-9)
        self._index = ShapeIndex(shapely.transform(polygons, self._spread))

    def find(self, xy: NDArray[np.float64]) -> NDArray[np.int64]:
        """The number of the polygon that holds each point (n, 2), `OUTSIDE` where none does."""
        spread = self._spread(xy)
        near = np.flatnonzero((np.abs(spread) < [180.0, 90.0]).all(axis=1))
        found = np.full(len(xy), OUTSIDE, dtype=np.int64)
        found[near] = self._index.holding(spread[near][:, ::-1])
        return found

    def _spread(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        spread: NDArray[np.float64] = (xy - self._corner) * self._scale + _LOW
        return spread
