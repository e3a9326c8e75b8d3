"""Adaptive S2 cells: split while they hold too many images (PlaNet, Weyand et al. 2016).

The globe is projected on the six faces of a cube, each face is a square of 2^30 by 2^30 leaf cells, numbered
along a Hilbert curve (Google's S2 library: quadratic projection, the same ids bit for bit). Ids are computed
for many places at once, in NumPy.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.sphere import from_unit_vectors, unit_vectors
from lostfound.partitions.base import Find, Partition, TrainingPlaces
from lostfound.partitions.build import CandidateCells, build_cells
from lostfound.partitions.kinds.tree import Squares, around, split
from lostfound.partitions.shapes import Pairs, cut_at_date_line, spherical_polygon

if TYPE_CHECKING:
    from lostfound.partitions.settings import S2Settings

DEEPEST = 30
_SIZE = 1 << DEEPEST
_SWAP, _INVERT = 1, 2
_POSITION_TO_IJ = ((0, 1, 3, 2), (0, 2, 3, 1), (3, 2, 0, 1), (3, 1, 0, 2))
_POSITION_TO_TURN = (_SWAP, 0, 0, _INVERT | _SWAP)
# Four steps down the curve are looked up at once.
_NIBBLE = 4

Faces = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


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
        parents=_ancestors(ids, settings.parent_level or settings.start_level),
        middles=lambda which: _middles(ids[which]),
    )
    return build_cells("s2", training, candidates, settings, {}, settings.min_images + 1)


def finder(partition: Partition) -> Find:
    """Search by ranges of leaf cells."""
    cells = _squares(from_tokens(partition.cell_ids))
    return lambda places: cells.find(leaf_ids(unit_vectors(places)) >> np.uint64(1))


def ancestors(partition: Partition, level: int) -> tuple[str, ...]:
    """The tokens of the cells of a level that hold the cells; their own where they are larger."""
    return _ancestors(from_tokens(partition.cell_ids), level)


def _ancestors(ids: NDArray[np.uint64], level: int) -> tuple[str, ...]:
    cells = _squares(ids)
    own = Squares(np.minimum(cells.depths, level), cells.ancestors(level), DEEPEST)
    return tuple(tokens(_ids(own)))


def surrounding(partition: Partition) -> Pairs:
    """The leaf cells around each cell, on the next face too."""
    ids = from_tokens(partition.cell_ids)
    (face, i, j), width = squares(ids)
    columns, rows = around(i, width, j)
    vectors = grid_vectors(np.broadcast_to(face, columns.shape), columns + 0.5, rows + 0.5).reshape(-1, 3)
    found = _squares(ids).find(leaf_ids(vectors) >> np.uint64(1))
    return np.tile(np.arange(len(ids)), len(columns)), found


def leaf_ids(vectors: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The ids of the leaf cells that hold places, from unit vectors (n, 3)."""
    face, i, j = _face_ij(vectors)
    return _join(face, i, j)


def levels(ids: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The levels of cells, (n,): 0 for a face, 30 for a leaf."""
    lowest = ids & (~ids + np.uint64(1))
    return DEEPEST - (np.log2(lowest.astype(np.float64)).astype(np.int64) >> 1)


def tokens(ids: NDArray[np.uint64]) -> list[str]:
    """The ids as S2 writes them: hexadecimal without the zeros at the end."""
    return [f"{number:016x}".rstrip("0") for number in ids.tolist()]


def from_tokens(names: tuple[str, ...]) -> NDArray[np.uint64]:
    """The ids of tokens."""
    return np.array([int(name.ljust(16, "0"), 16) for name in names], dtype=np.uint64)


def squares(ids: NDArray[np.uint64]) -> tuple[Faces, NDArray[np.int64]]:
    """The face, first column and first row of cells, and how many leaf cells wide they are."""
    face = (ids >> np.uint64(61)).astype(np.int64)
    _, _, to_i, to_j, to_turn = _curve()
    turn = face & _SWAP
    i, j = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.int64)
    for nibble in range(7, -1, -1):
        # The first of eight nibbles holds the two steps that are left of thirty.
        mask = np.uint64(15 if nibble == 7 else 255)
        bits = ((ids >> np.uint64(8 * nibble + 1)) & mask).astype(np.int64)
        key = bits << 2 | turn
        i, j, turn = i << _NIBBLE | to_i[key], j << _NIBBLE | to_j[key], to_turn[key]
    width = np.int64(1) << (DEEPEST - levels(ids))
    return (face, i & -width, j & -width), width


def grid_vectors(
    face: NDArray[np.int64], i: NDArray[np.floating], j: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Unit vectors (..., 3) of places on the faces' grids; columns and rows may be fractions."""
    u, v = _st_to_uv(i / _SIZE), _st_to_uv(j / _SIZE)
    one = np.ones_like(u)
    xyz: NDArray[np.float64] = np.choose(
        face[..., None],
        [
            np.stack(axes, axis=-1)
            for axes in (
                (one, u, v), (-u, one, v), (-u, -v, one), (-one, -v, -u), (v, -one, -u), (v, u, -one),
            )
        ],
    )  # fmt: skip
    vectors: NDArray[np.float64] = xyz / np.linalg.norm(xyz, axis=-1, keepdims=True)
    return vectors


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


def _face_ij(vectors: NDArray[np.float64]) -> Faces:
    x, y, z = vectors.T
    ax, ay, az = np.abs(vectors).T
    axis = np.where(ax > ay, np.where(ax > az, 0, 2), np.where(ay > az, 1, 2))
    along = np.where(axis == 0, x, np.where(axis == 1, y, z))
    face = axis + 3 * (along < 0)
    first = np.choose(face, [y, -x, -x, z, z, -y])
    second = np.choose(face, [z, z, -y, y, -x, -x])
    return face, _index(first / along), _index(second / along)


def _index(u: NDArray[np.float64]) -> NDArray[np.int64]:
    s = np.where(u >= 0, 0.5 * np.sqrt(1 + 3 * np.maximum(u, 0)), 1 - 0.5 * np.sqrt(1 - 3 * np.minimum(u, 0)))
    return np.asarray(np.clip(np.floor(s * _SIZE), 0, _SIZE - 1), dtype=np.int64)


def _st_to_uv(s: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.where(s >= 0.5, (4 * s * s - 1) / 3, (1 - 4 * (1 - s) ** 2) / 3)


def _join(face: NDArray[np.int64], i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.uint64]:
    to_position, to_turn, _, _, _ = _curve()
    turn = face & _SWAP
    position = face.copy()
    for nibble in range(7, -1, -1):
        shift = _NIBBLE * nibble
        key = ((i >> shift & 15) << 6) | ((j >> shift & 15) << 2) | turn
        # The first nibble's two leading steps are zeros, which leave the turn as it was.
        position = (position << (4 if nibble == 7 else 8)) | to_position[key]
        turn = to_turn[key]
    return position.astype(np.uint64) << np.uint64(1) | np.uint64(1)


@cache
def _curve() -> tuple[NDArray[np.int64], ...]:
    """Four steps of the curve: (i, j, turn) to position and turn, (position, turn) to i, j and turn."""
    tables = np.zeros((5, 1024), dtype=np.int64)
    for turn in range(4):
        for position in range(256):
            i = j = 0
            now = turn
            for shift in (6, 4, 2, 0):
                step = position >> shift & 3
                ij = _POSITION_TO_IJ[now][step]
                i, j = i << 1 | ij >> 1, j << 1 | ij & 1
                now ^= _POSITION_TO_TURN[step]
            tables[:2, i << 6 | j << 2 | turn] = position, now
            tables[2:, position << 2 | turn] = i, j, now
    return tuple(tables)
