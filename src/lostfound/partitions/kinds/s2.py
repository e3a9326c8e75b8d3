"""Adaptive S2 cells: split while they hold too many images (PlaNet, Weyand et al. 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.sphere import from_unit_vectors, unit_vectors
from lostfound.partitions.base import Find, Partition
from lostfound.partitions.build_cells import CandidateCells, TrainingPlaces, build_cells
from lostfound.partitions.kinds.s2cells import (
    DEEPEST,
    from_tokens,
    grid_vectors,
    leaf_ids,
    levels,
    squares,
    tokens,
)
from lostfound.partitions.kinds.tree import Probes, Squares, around, split
from lostfound.partitions.shapes import cut_at_date_line, spherical_polygon

if TYPE_CHECKING:
    from lostfound.partitions.settings import S2Settings


def build(training: TrainingPlaces, settings: S2Settings) -> Partition:
    """Split from the start level down; a cell with `min_images` or fewer is dropped."""
    codes = leaf_ids(unit_vectors(training.located)) >> np.uint64(1)
    cells, _ = split(
        codes, DEEPEST, settings.start_level, settings.max_level, lambda count: count > settings.max_images
    )
    ids = _ids(cells)
    numbers = np.full(len(training.places), -1, dtype=np.int64)
    numbers[training.known] = cells.find(codes)
    candidates = CandidateCells(
        tokens(ids),
        numbers,
        shapes=lambda kept: _polygons(ids[kept]),
        parents=ancestors(ids, settings.parent_level or settings.start_level),
        middles=lambda which: _middles(ids[which]),
    )
    return build_cells("s2", training, candidates, settings, {}, settings.min_images + 1)


def finder(partition: Partition) -> Find:
    """Search by ranges of leaf cells."""
    cells = _squares(from_tokens(partition.cell_ids))
    return lambda places: cells.find(leaf_ids(unit_vectors(places)) >> np.uint64(1))


def ancestors(ids: NDArray[np.uint64], level: int) -> tuple[str, ...]:
    """The tokens of the cells of a level that hold cells; their own where they are larger."""
    cells = _squares(ids)
    own = Squares(np.minimum(cells.depths, level), cells.ancestors(level), DEEPEST)
    return tuple(tokens(_ids(own)))


def probes(partition: Partition) -> Probes:
    """The leaf cells around each cell, on the next face too."""
    ids = from_tokens(partition.cell_ids)
    (face, i, j), width = squares(ids)
    columns, rows = around(i, width, j)
    vectors = grid_vectors(np.broadcast_to(face, columns.shape), columns + 0.5, rows + 0.5).reshape(-1, 3)
    found = _squares(ids).find(leaf_ids(vectors) >> np.uint64(1))
    return np.tile(np.arange(len(ids)), len(columns)), found


def _ids(cells: Squares) -> NDArray[np.uint64]:
    below = np.uint64(2) * (DEEPEST - cells.depths).astype(np.uint64)
    return (cells.prefixes << np.uint64(1) | np.uint64(1)) << below


def _squares(ids: NDArray[np.uint64]) -> Squares:
    depths = levels(ids)
    below = np.uint64(2) * (DEEPEST - depths).astype(np.uint64)
    return Squares(depths, ids >> below >> np.uint64(1), DEEPEST)


def _polygons(ids: NDArray[np.uint64]) -> NDArray[np.object_]:
    (face, i, j), width = squares(ids)
    columns = np.stack([i, i + width, i + width, i], axis=1).astype(np.float64)
    rows = np.stack([j, j, j + width, j + width], axis=1).astype(np.float64)
    corners = grid_vectors(np.broadcast_to(face[:, None], columns.shape), columns, rows)
    shapes = np.empty(len(ids), dtype=object)
    shapes[:] = [spherical_polygon(ring) for ring in corners]
    return cut_at_date_line(shapes)


def _middles(ids: NDArray[np.uint64]) -> NDArray[np.float64]:
    (face, i, j), width = squares(ids)
    return from_unit_vectors(grid_vectors(face, i + width / 2, j + width / 2))
