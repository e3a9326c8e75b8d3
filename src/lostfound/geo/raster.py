"""A raster over the globe that answers "which shape holds this point" where no border is near.

Every square of the raster either lies wholly inside one shape, or wholly outside all of them, or a border
touches it. Only points in squares of the last kind need a test against polygons, so that looking up many
points costs little more than reading an array, and the answer is still the polygons' own.
"""

from collections.abc import Callable

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
