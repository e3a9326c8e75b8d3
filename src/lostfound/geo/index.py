"""Which of many shapes holds each of many points: exact, and as quick as reading an array away from borders.

A raster decides wherever no border is near (`lostfound.geo.raster`); the rest is tested against the shapes,
which are cut into small pieces for it.
"""

from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from lostfound.geo.raster import BORDER, OUTSIDE, build_raster, look_up

# Fewer points are tested one by one: the raster takes as long to build as 100 000 tests, and 20 MB.
_WORTH_A_RASTER = 200_000
# Large polygons are halved until a piece has no more corners than this: a test takes time by corners.
_PIECE_CORNERS = 48
# Points are taken in turns of this size, which bounds the memory that their geometries need.
_TURN = 5_000
_POLYGON = 3  # shapely's type id

Pieces = tuple[NDArray[np.object_], NDArray[np.integer[Any]]]


class ShapeIndex:
    """Searches polygons for the one that holds a point; of several, the first.

    Args:
        geometries: Valid polygons or multipolygons, x the longitude in [-180, 180] and y the latitude, (n,).
        pieces: What `cut_small` makes of them, if it was kept; cut when they are needed otherwise.
    """

    def __init__(self, geometries: NDArray[np.object_], pieces: Pieces | None = None) -> None:
        self._geometries = geometries
        self._kept = pieces
        self._seen = 0

    def holding(self, places: NDArray[np.float64]) -> NDArray[np.intp]:
        """Index of the shape that holds each place; borders belong to their shapes.

        Args:
            places: Shape (n, 2), degrees, latitude in [-90, 90] and longitude in [-180, 180).

        Returns:
            Indices (n,); -1 where no shape holds the place.
        """
        self._seen += len(places)
        if self._seen < _WORTH_A_RASTER:
            return self._test(places).astype(np.intp)
        owner = look_up(self._raster, places).astype(np.intp)
        unsure = np.flatnonzero(owner == BORDER)
        owner[unsure] = self._test(places[unsure])
        return owner

    def _test(self, places: NDArray[np.float64]) -> NDArray[np.int32]:
        """`holding`, by the polygons alone."""
        turns = [self._test_turn(places[begin : begin + _TURN]) for begin in range(0, len(places), _TURN)]
        return np.concatenate([np.empty(0, dtype=np.int32), *turns])

    def _test_turn(self, places: NDArray[np.float64]) -> NDArray[np.int32]:
        pieces, piece_owner, tree = self._pieces
        longitude, latitude = places[:, 1], places[:, 0]
        row, piece = tree.query(shapely.points(longitude, latitude))
        inside = shapely.intersects_xy(pieces[piece], longitude[row], latitude[row])
        none = len(self._geometries)
        owner = np.full(len(places), none, dtype=np.int32)
        np.minimum.at(owner, row[inside], piece_owner[piece[inside]])
        owner[owner == none] = OUTSIDE
        return owner

    @cached_property
    def _pieces(self) -> tuple[NDArray[np.object_], NDArray[np.int32], shapely.STRtree]:
        """Small polygons, the shape of each, and their search tree."""
        pieces, owner = self._kept or cut_small(self._geometries)
        shapely.prepare(pieces)
        return pieces, owner.astype(np.int32), shapely.STRtree(pieces)

    @cached_property
    def _raster(self) -> NDArray[np.int16 | np.int32]:
        return build_raster(self._geometries, self._test)


def cut_small(geometries: NDArray[np.object_]) -> Pieces:
    """Cut polygons by halving until each has few corners; also returns the index each came from."""
    todo, owner = shapely.get_parts(geometries, return_index=True)
    done, done_owner = [todo[:0]], [owner[:0]]
    while len(todo):
        small = shapely.get_num_coordinates(todo) <= _PIECE_CORNERS
        done.append(todo[small])
        done_owner.append(owner[small])
        todo, owner = _halved(todo[~small], owner[~small])
    return np.concatenate(done), np.concatenate(done_owner)


def _halved(
    polygons: NDArray[np.object_], owner: NDArray[np.intp]
) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Cut each polygon across the middle of its longer side."""
    west, south, east, north = shapely.bounds(polygons).T
    wide = east - west > north - south
    middle_x = np.where(wide, (west + east) / 2, east)
    middle_y = np.where(wide, north, (south + north) / 2)
    low = shapely.box(west, south, middle_x, middle_y)
    high = shapely.box(np.where(wide, middle_x, west), np.where(wide, south, middle_y), east, north)
    halves = shapely.intersection(np.concatenate([polygons, polygons]), np.concatenate([low, high]))
    parts, index = shapely.get_parts(halves, return_index=True)
    # Where the cut only touches, lines and points are left.
    areas = shapely.get_type_id(parts) == _POLYGON
    return parts[areas], np.concatenate([owner, owner])[index[areas]]
