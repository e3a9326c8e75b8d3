"""S2 cell ids of many places at once, in NumPy.

The globe is projected on the six faces of a cube, each face is a square of 2^30 by 2^30 leaf cells, numbered
along a Hilbert curve (Google's S2 library: quadratic projection, the same ids bit for bit).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

DEEPEST = 30
_SIZE = 1 << DEEPEST
_SWAP, _INVERT = 1, 2
_POSITION_TO_IJ = ((0, 1, 3, 2), (0, 2, 3, 1), (3, 2, 0, 1), (3, 1, 0, 2))
_POSITION_TO_TURN = (_SWAP, 0, 0, _INVERT | _SWAP)
# Four steps down the curve are looked up at once.
_NIBBLE = 4

Faces = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


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
