"""A place tower, as GeoCLIP's (Vivanco et al. 2023): coordinates in, numbers out that tell how places look.

In numpy, so that a gallery is made without torch; the projection in double precision, since the finest of the
three encodings turns a rounding of the angle into one of the fourth digit.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import ModelError, refused_as

PLACE_TOWER = "place_tower.npz"
"""Its weights, in a model folder."""
_A1, _A2, _A3, _A4 = 1.340264, -0.081106, 0.000893, 0.003796
_SCALE = 66.50336 / 180
_LAYERS = ("capsule.1", "capsule.3", "capsule.5", "head.0")
_AT_ONCE = 8192


def equal_earth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Equal Earth projection as GeoCLIP has it, (n, 2), x before y.

    The terms with A3 and A4 are those of its code.

    Args:
        points: Degrees, (n, 2).
    """
    latitude, longitude = np.radians(np.asarray(points, dtype=np.float64)).T
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(latitude))
    below = 3 * (9 * _A4 * theta**8 + 7 * _A3 * theta**6 + 3 * _A2 * theta**2 + _A1)
    x = 2 * np.sqrt(3) * longitude * np.cos(theta) / below
    y = _A4 * theta**9 + _A3 * theta**7 + _A2 * theta**3 + _A1 * theta
    return np.column_stack([x, y]) * _SCALE


@dataclass(frozen=True)
class PlaceTower:
    """The tower with its weights.

    Attributes:
        tensors: By their names in the file, `LocEnc0.capsule.0.b` and so on.
    """

    tensors: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        needed = {f"LocEnc{branch}.{name}" for branch in range(3) for name in _names()}
        if missing := sorted(needed - self.tensors.keys()):
            raise ModelError(f"these are no weights of GeoCLIP's place tower: {missing[0]} is missing")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what `to_bytes` gave.

        Raises:
            ModelError: It is damaged.
        """
        with (
            refused_as(ModelError, f"{file} can't be read as a place tower"),
            np.load(file, allow_pickle=False) as arrays,
        ):
            return cls({name: arrays[name] for name in arrays})

    def to_bytes(self) -> bytes:
        """The weights, as a file of numpy's, in single precision."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {
            f"LocEnc{branch}.{name}": self.tensors[f"LocEnc{branch}.{name}"].astype(np.float32)
            for branch in range(3)
            for name in _names()
        }
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    @property
    def width(self) -> int:
        """The length of an embedding."""
        return int(self.tensors["LocEnc0.head.0.weight"].shape[0])

    def embed(
        self, points: NDArray[np.float64], dtype: type[np.floating[Any]] = np.float32
    ) -> NDArray[np.floating[Any]]:
        """The embeddings of places, (n, width), not of unit length.

        Args:
            points: Degrees, (n, 2).
            dtype: What it is computed in.
        """
        projected = equal_earth(points)
        found = np.zeros((len(points), self.width), dtype=dtype)
        for start in range(0, len(points), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            for branch in range(3):
                found[part] += self._branch(f"LocEnc{branch}.", projected[part], dtype)
        return found

    def _branch(
        self, prefix: str, projected: NDArray[np.float64], dtype: type[np.floating[Any]]
    ) -> NDArray[np.floating[Any]]:
        angles = 2 * np.pi * (projected @ self.tensors[f"{prefix}capsule.0.b"].astype(np.float64).T)
        x = np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(dtype)
        for layer in _LAYERS:
            weight, bias = (
                self.tensors[f"{prefix}{layer}.{name}"].astype(dtype) for name in ("weight", "bias")
            )
            x = x @ weight.T + bias
            if layer != _LAYERS[-1]:
                np.maximum(x, 0, out=x)
        return x


def _names() -> list[str]:
    return ["capsule.0.b", *(f"{layer}.{name}" for layer in _LAYERS for name in ("weight", "bias"))]
