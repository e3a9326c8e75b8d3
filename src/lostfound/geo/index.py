"""Which of many shapes holds each of many points: exact, and as quick as reading an array away from borders.

Every square of a raster over the globe either lies wholly inside one shape, or wholly outside all of them, or
a border touches it. Only points in squares of the last kind need a test against polygons, which are cut into
small pieces for it; so the answer is still the polygons' own.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

OUTSIDE = -1
"""A square that no shape reaches, or a point in none."""

BORDER = -2
"""A square that a border touches."""

# 13 MB, and the packed countries' borders touch 2 % of them.
PER_DEGREE = 10
"""Squares along a degree of longitude, and of latitude."""
_WIDTH, _HEIGHT = 360 * PER_DEGREE, 180 * PER_DEGREE
_ROWS = 100  # looked at together
# 0.1 mm: a border this near a square touches it, so that rounding can't move a point over a border.
_MARGIN = 1e-9 * PER_DEGREE

# Fewer points are tested one by one: the raster takes as long to build as 100 000 tests, and 20 MB.
_WORTH_A_RASTER = 200_000
# Large polygons are halved until a piece has no more corners than this: a test takes time by corners.
_PIECE_CORNERS = 48
# Points are taken in turns of this size, which bounds the memory that their geometries need.
_TURN = 5_000
_POLYGON = 3  # shapely's type id
# Where the polygons' bounds are spread to, a little within the map.
_LOW, _SPAN = np.array([-179.9, -89.9]), np.array([359.8, 179.8])

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


class LocalShapeIndex:
    """`ShapeIndex` for the polygons of a country or a city.

    The polygons' bounds are spread over the whole raster, so that it is as fine for a city as for the world.
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


def build_raster(
    geometries: NDArray[np.object_], holding: Callable[[NDArray[np.float64]], NDArray[np.int32]]
) -> NDArray[np.int16 | np.int32]:
    """Find out what each square lies in.

    Args:
        geometries: Polygons, in longitude and latitude.
        holding: Gives the index of the shape that holds each place (n, 2), or `OUTSIDE`.

    Returns:
        Index of the shape, `OUTSIDE` or `BORDER`: (1800, 3600), rows from south to north, columns from west
        to east.
    """
    touched = border_squares(shapely.get_rings(shapely.get_parts(geometries)))
    squares = np.full(touched.shape, BORDER, dtype=np.int16 if len(geometries) < 2**15 else np.int32)
    # Few rows at a time, so that what it takes to find out takes less memory than the raster.
    for south in range(0, _HEIGHT, _ROWS):
        fresh = ~touched[south : south + _ROWS]
        # Neighbouring squares of a row without a border between them lie in the same shape: a run of them
        # needs one test.
        begins = fresh.copy()
        begins[:, 1:] &= ~fresh[:, :-1]
        row, column = np.nonzero(begins)
        latitude, longitude = (south + row + 0.5) / PER_DEGREE - 90.0, (column + 0.5) / PER_DEGREE - 180.0
        held = holding(np.column_stack([latitude, longitude]))
        squares[south : south + _ROWS][fresh] = held[np.cumsum(begins[fresh]) - 1]
    return squares


def look_up(
    squares: NDArray[np.int16 | np.int32], places: NDArray[np.float64]
) -> NDArray[np.int16 | np.int32]:
    """What the squares of places lie in: (n,) for places (n, 2), latitude and longitude in range."""
    # The North Pole and rounding at 180° belong to the last square.
    row = np.minimum(((places[:, 0] + 90.0) * PER_DEGREE).astype(np.intp), _HEIGHT - 1)
    column = np.minimum(((places[:, 1] + 180.0) * PER_DEGREE).astype(np.intp), _WIDTH - 1)
    found: NDArray[np.int16 | np.int32] = squares[row, column]
    return found


def border_squares(rings: NDArray[np.object_]) -> NDArray[np.bool_]:
    """The squares that lines touch, (1800, 3600); rings are in longitude and latitude."""
    xy, line = shapely.get_coordinates(rings, return_index=True)
    xy = (xy + np.array([180.0, 90.0])) * PER_DEGREE
    joined = line[1:] == line[:-1]
    start, end = xy[:-1][joined], xy[1:][joined]
    touched = np.zeros((_HEIGHT, _WIDTH), dtype=bool)
    # A piece touches the squares around its ends and its crossings of the raster's lines, and no others.
    row, share = _crossings(start, end)
    spots = start[row] + share[:, None] * (end - start)[row]
    for across in (-_MARGIN, _MARGIN):
        for up in (-_MARGIN, _MARGIN):
            column = np.clip(np.floor(spots[:, 0] + across), 0, _WIDTH - 1).astype(np.intp)
            height = np.clip(np.floor(spots[:, 1] + up), 0, _HEIGHT - 1).astype(np.intp)
            touched[height, column] = True
    return touched


def _crossings(
    start: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where pieces begin, end, and cross whole numbers of x or y: piece and share of its length."""
    count = len(start)
    rows = [np.arange(count), np.arange(count)]
    shares = [np.zeros(count), np.ones(count)]
    for axis in (0, 1):
        low = np.ceil(np.minimum(start[:, axis], end[:, axis]))
        high = np.floor(np.maximum(start[:, axis], end[:, axis]))
        crossed = np.maximum(high - low + 1, 0).astype(np.intp)
        row = np.repeat(np.arange(count), crossed)
        step = np.arange(len(row)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
        along = (end - start)[row, axis]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (low[row] + step - start[row, axis]) / along
        # A piece along a line of the raster needs no cut there.
        real = along != 0
        rows.append(row[real])
        shares.append(np.clip(share[real], 0.0, 1.0))
    return np.concatenate(rows), np.concatenate(shares)
