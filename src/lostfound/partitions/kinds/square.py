"""Square cells of equal area over the data's bounds.

The grid is square on Lambert's cylindrical equal-area map, whose true-scale parallel halves the data's
surface: cells are squares there, wider and lower towards the equator, and narrower and taller towards the
poles.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.sphere import EARTH_RADIUS_KM
from lostfound.partitions.base import OUTSIDE, Find, Partition, TrainingPlaces
from lostfound.partitions.build import CandidateCells, build_cells, size_for_cell_count
from lostfound.partitions.shapes import Pairs, cut_at_date_line, eastward, westmost

if TYPE_CHECKING:
    from lostfound.partitions.settings import SquareSettings

# More cells than this is a mistake in the size.
_MOST = 50_000_000
# Rounding must not cut the last row or column off.
_SLACK = 1e-9


@dataclass(frozen=True)
class Grid:
    """Where the grid lies.

    Attributes:
        west: Longitude of its western edge.
        low: Sine of the latitude of its southern edge.
        width: Of a column, degrees of longitude.
        height: Of a row, in the sine of latitude.
        columns: How many.
        rows: How many.
    """

    west: float
    low: float
    width: float
    height: float
    columns: int
    rows: int

    def cells(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row times columns plus column of places (n, 2), `OUTSIDE` beyond the grid."""
        x = (eastward(places[:, 1], self.west) - self.west) / self.width
        y = (np.sin(np.radians(places[:, 0])) - self.low) / self.height
        column, row = _step(x, self.columns), _step(y, self.rows)
        inside = (column != OUTSIDE) & (row != OUTSIDE)
        return np.where(inside, row * self.columns + column, OUTSIDE)

    def boxes(self, cells: NDArray[np.int64]) -> NDArray[np.object_]:
        """The cells' polygons."""
        row, column = np.divmod(cells, self.columns)
        low, high = (np.clip(self.low + (row + step) * self.height, -1.0, 1.0) for step in (0, 1))
        east = self.west + (column + 1) * self.width
        south, north = np.degrees(np.arcsin(low)), np.degrees(np.arcsin(high))
        return cut_at_date_line(shapely.box(self.west + column * self.width, south, east, north))


def build(training: TrainingPlaces, settings: SquareSettings) -> Partition:
    """Lay a grid over the training images' bounds; cells without training image are dropped."""
    places = training.located
    size_km = settings.cell_km
    if size_km is None:
        assert settings.cells is not None
        size_km = size_for_cell_count(
            settings.cells,
            len(places),
            lambda size: int(np.count_nonzero(_counts(places, size) >= max(1, settings.min_images))),
            math.sqrt(_surface_km2(places) / settings.cells),
        )
    grid = _grid(places, size_km)
    inside = grid.cells(places)
    # Only with min_images 0 the cells without images are wanted.
    numbers_used = np.arange(grid.rows * grid.columns) if settings.min_images == 0 else np.unique(inside)
    numbers = np.full(len(training.places), OUTSIDE, dtype=np.int64)
    numbers[training.known] = np.searchsorted(numbers_used, inside)
    candidates = CandidateCells(
        [f"r{cell // grid.columns}c{cell % grid.columns}" for cell in numbers_used.tolist()],
        numbers,
        shapes=lambda kept: grid.boxes(numbers_used[kept]),
    )
    return build_cells("square", training, candidates, settings, {**asdict(grid), "cell_km": size_km})


def finder(partition: Partition) -> Find:
    """Search by row and column."""
    grid, own = _own(partition)
    order = np.argsort(own)

    def find(places: NDArray[np.float64]) -> NDArray[np.int64]:
        return _among(grid.cells(places), own, order)

    return find


def surrounding(partition: Partition) -> Pairs:
    """The eight cells around each cell."""
    grid, own = _own(partition)
    order = np.argsort(own)
    row, column = np.divmod(own, grid.columns)
    found = []
    for up in (-1, 0, 1):
        for right in (-1, 0, 1):
            across, above = column + right, row + up
            if grid.columns * grid.width >= 360.0 - _SLACK:
                across = across % grid.columns
            inside = (across >= 0) & (across < grid.columns) & (above >= 0) & (above < grid.rows)
            cells = np.where(inside, above * grid.columns + across, OUTSIDE)
            found.append(_among(cells, own, order))
    return np.tile(np.arange(len(own)), 9), np.concatenate(found)


def _grid(places: NDArray[np.float64], size_km: float) -> Grid:
    sines = np.sin(np.radians(places[:, 0]))
    low, high = float(sines.min()), float(sines.max())
    west, span = westmost(places[:, 1])
    # On the parallel that halves the surface a degree of longitude is this long.
    level = math.sqrt(max(1e-6, 1.0 - ((low + high) / 2) ** 2))
    size = size_km / EARTH_RADIUS_KM
    width, height = math.degrees(size / level), size * level
    rows, columns = (
        math.floor((high - low) / height + _SLACK) + 1,
        math.floor(span / width + _SLACK) + 1,
    )
    # Where the cells don't fit on the Earth, rows reach from pole to pole and columns meet; what one side
    # gives way, the other takes up, so that the area stays (but for a grid of the whole Earth).
    if rows * height > 2.0:
        rows = max(1, round(2.0 / height))
        height = 2.0 / rows
        width = math.degrees(size**2 / height)
        columns = math.floor(span / width + _SLACK) + 1
    if columns * width > 360.0:
        columns = max(1, round(360.0 / width))
        width = 360.0 / columns
        if rows * height < 2.0:
            height = min(2.0, size**2 / math.radians(width))
            rows = min(math.floor((high - low) / height + _SLACK) + 1, max(1, math.floor(2.0 / height)))
            height = max(height, (high - low) / rows)
    low = max(-1.0, min(low, 1.0 - rows * height))
    if columns * rows > _MOST:
        raise UsageError(
            f"square cells of {size_km:g} km are {columns * rows:.0e} in the data's bounds: make them larger"
        )
    return Grid(west, low, width, height, columns, rows)


def _step(share: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """The number of the row or column, from how many there are before a place; else `OUTSIDE`."""
    number = np.floor(share.clip(-1.0, count + 1.0)).astype(np.int64)
    # The far edge belongs to the last one, whatever rounding makes of it.
    number = np.where((share >= count) & (share < count + _SLACK), count - 1, number)
    return np.where((number >= 0) & (number < count), number, OUTSIDE)


def _counts(places: NDArray[np.float64], size_km: float) -> NDArray[np.int64]:
    return np.unique(_grid(places, size_km).cells(places), return_counts=True)[1]


def _surface_km2(places: NDArray[np.float64]) -> float:
    sines = np.sin(np.radians(places[:, 0]))
    surface = math.radians(westmost(places[:, 1])[1]) * float(sines.max() - sines.min())
    return max(surface * EARTH_RADIUS_KM**2, 1e-4)


def _own(partition: Partition) -> tuple[Grid, NDArray[np.int64]]:
    grid = Grid(**{name: partition.rule[name] for name in Grid.__dataclass_fields__})
    parts = [each[1:].split("c") for each in partition.cell_ids]
    return grid, np.array([int(row) * grid.columns + int(column) for row, column in parts], dtype=np.int64)


def _among(cells: NDArray[np.int64], own: NDArray[np.int64], order: NDArray[np.intp]) -> NDArray[np.int64]:
    place = order[np.searchsorted(own, cells, sorter=order).clip(0, len(own) - 1)]
    return np.where((own[place] == cells) & (cells != OUTSIDE), place, OUTSIDE)
