"""Quadtree cells: boxes of latitude and longitude, split at their midpoints while they hold many images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from lostfound.partitions.base import OUTSIDE, Find, Partition, TrainingPlaces
from lostfound.partitions.build import CandidateCells, build_cells
from lostfound.partitions.kinds.tree import Squares, around, split
from lostfound.partitions.shapes import Pairs, cut_at_date_line, eastward, westmost

if TYPE_CHECKING:
    from lostfound.partitions.settings import QuadtreeSettings

_WORLD = (-90.0, -180.0, 180.0, 360.0)
# Data on one spot still need a box around it, in degrees.
_LEAST = 1e-6


def build(training: TrainingPlaces, settings: QuadtreeSettings) -> Partition:
    """Split the data's bounds, or the world, while a cell holds `split_at` images and is not too deep."""
    places = training.located
    bounds = _WORLD if settings.bounds == "world" else _bounds(places)
    deepest = settings.max_depth
    codes, _ = _codes(places, bounds, deepest)
    cells, _ = split(codes, deepest, 0, deepest, lambda count: count >= settings.split_at)
    numbers = np.full(len(training.places), OUTSIDE, dtype=np.int64)
    numbers[training.known] = cells.find(codes)
    depths = np.minimum(cells.depths, settings.parent_depth)
    candidates = CandidateCells(
        _ids(cells.depths, cells.prefixes),
        numbers,
        shapes=lambda kept: _boxes(cells.depths[kept], cells.prefixes[kept], bounds),
        parents=_ids(depths, cells.ancestors(settings.parent_depth)),
    )
    return build_cells(
        "quadtree", training, candidates, settings, {"bounds": list(bounds), "deepest": deepest}
    )


def finder(partition: Partition) -> Find:
    """Search by ranges of codes."""
    cells, bounds = _cells(partition)

    def find(places: NDArray[np.float64]) -> NDArray[np.int64]:
        codes, inside = _codes(places, bounds, cells.deepest)
        return np.where(inside, cells.find(codes), OUTSIDE)

    return find


def surrounding(partition: Partition) -> Pairs:
    """The smallest squares around each cell, around the world where the bounds do."""
    cells, bounds = _cells(partition)
    column, row = _grid(cells.depths, cells.prefixes)
    size = np.int64(1) << (cells.deepest - cells.depths)
    columns, rows = around(column * size, size, row * size)
    side = 1 << cells.deepest
    if bounds[3] == 360.0:
        columns %= side
    inside = (columns >= 0) & (columns < side) & (rows >= 0) & (rows < side)
    found = cells.find(_interleaved(columns.clip(0, side - 1), rows.clip(0, side - 1), cells.deepest))
    return np.tile(np.arange(len(partition)), len(columns)), np.where(inside, found, OUTSIDE).ravel()


def ancestors(partition: Partition, depth: int) -> tuple[str, ...]:
    """The ids of the squares of a depth that hold the cells; their own where they are no deeper."""
    return tuple(each[: depth + 1] for each in partition.cell_ids)


def _bounds(places: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """South, west, height and width of the data in degrees."""
    south, north = float(places[:, 0].min()), float(places[:, 0].max())
    west, width = westmost(places[:, 1])
    return south, west, max(north - south, _LEAST), max(width, _LEAST)


def _codes(
    places: NDArray[np.float64], bounds: tuple[float, float, float, float], deepest: int
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The whole codes of places, and whether they lie within the bounds."""
    south, west, height, width = bounds
    x, y = (eastward(places[:, 1], west) - west) / width, (places[:, 0] - south) / height
    # The eastern and northern edges belong to the last squares, whatever rounding makes of them.
    inside = (x <= 1.0 + 1e-12) & (y >= 0.0) & (y <= 1.0 + 1e-12)
    side = 1 << deepest
    column, row = ((share * side).astype(np.int64).clip(0, side - 1) for share in (x, y))
    return _interleaved(column, row, deepest), inside


def _interleaved(column: NDArray[np.int64], row: NDArray[np.int64], deepest: int) -> NDArray[np.uint64]:
    codes = np.zeros(column.shape, dtype=np.int64)
    for bit in range(deepest):
        codes |= (column >> bit & 1) << 2 * bit | (row >> bit & 1) << 2 * bit + 1
    return codes.astype(np.uint64)


def _grid(
    depths: NDArray[np.int64], prefixes: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of squares among those of their depth."""
    codes = prefixes.astype(np.int64)
    column, row = np.zeros_like(codes), np.zeros_like(codes)
    for bit in range(int(depths.max(initial=0))):
        column |= (codes >> 2 * bit & 1) << bit
        row |= (codes >> 2 * bit + 1 & 1) << bit
    return column, row


def _ids(depths: NDArray[np.int64], prefixes: NDArray[np.uint64]) -> list[str]:
    """A "q", and a digit for each split: 0 south-west, 1 south-east, 2 north-west, 3 north-east."""
    return [
        "q" + "".join(str(int(prefix) >> 2 * bit & 3) for bit in range(int(depth) - 1, -1, -1))
        for depth, prefix in zip(depths, prefixes, strict=True)
    ]


def _cells(partition: Partition) -> tuple[Squares, tuple[float, float, float, float]]:
    depths = np.array([len(each) - 1 for each in partition.cell_ids], dtype=np.int64)
    prefixes = np.array([int("0" + each[1:], 4) for each in partition.cell_ids], dtype=np.uint64)
    south, west, height, width = partition.rule["bounds"]
    return Squares(depths, prefixes, int(partition.rule["deepest"])), (south, west, height, width)


def _boxes(
    depths: NDArray[np.int64], prefixes: NDArray[np.uint64], bounds: tuple[float, float, float, float]
) -> NDArray[np.object_]:
    south, west, height, width = bounds
    column, row = _grid(depths, prefixes)
    side = 2.0**depths
    return cut_at_date_line(
        shapely.box(
            west + width * column / side,
            south + height * row / side,
            west + width * (column + 1) / side,
            south + height * (row + 1) / side,
        )
    )
