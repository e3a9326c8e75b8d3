"""Drawing places from a flow on the sphere, as PLONK's (Dufour et al. 2024).

Noise moves to where a photo may be from. In numpy: the network is small, and asked some dozen times a photo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

STEPS = 32
"""As many as the authors' demonstration takes; their pipeline's default is 250."""
_START, _END, _LEAST = -7.0, 3.0, 1e-9
_TIME_SCALE = 1000.0
_NORM = 1e-5  # torch's own, of layer norms
_ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


@dataclass(frozen=True)
class FlowShape:
    """How large the network is.

    Attributes:
        condition: Numbers that say what the photo shows.
        width: Of each layer.
        depth: Blocks.
        expansion: How many times as wide a block's hidden layer is.
    """

    condition: int
    width: int
    depth: int
    expansion: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Each tensor's shape, by its name in the published files, in a fixed order."""
        time, width = self.width // 4, self.width
        layers: dict[str, tuple[int, int]] = {
            "time_embedder.map_time.0": (4 * time, time),
            "time_embedder.map_time.2": (4 * time, 4 * time),
            "cond_mapper": (width, self.condition),
            "initial_mapper": (width, 3),
        }
        for block in range(self.depth):
            layers[f"blocks.{block}.mlp.0"] = (self.expansion * width, width)
            layers[f"blocks.{block}.mlp.3"] = (width, self.expansion * width)
            layers[f"blocks.{block}.ada_map.1"] = (3 * width, width)
        layers |= {"final_adaln.1": (2 * width, width), "final_linear": (3, width)}
        found: dict[str, tuple[int, ...]] = {"time_embedder.encode_time.freqs": (time // 2,)}
        for name, shape in layers.items():
            found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]
        return found

    @property
    def size(self) -> int:
        """How many numbers its tensors hold together."""
        return sum(int(np.prod(shape)) for shape in self.shapes().values())


@dataclass(frozen=True)
class SphereFlow:
    """The network: where a point at a time is to move, for a photo.

    Attributes:
        shape: How large it is.
        weights: All tensors after each other, (size,), float32, in the order of `FlowShape.shapes`.
    """

    shape: FlowShape
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.weights.shape != (self.shape.size,):
            raise ValueError(f"{self.weights.shape} weights for a network of {self.shape.size}")

    @classmethod
    def of(cls, shape: FlowShape, tensors: Mapping[str, Array]) -> SphereFlow:
        """Put it together of its tensors."""
        parts = [np.asarray(tensors[name], dtype=np.float32).ravel() for name in shape.shapes()]
        return cls(shape, np.concatenate(parts))

    @cached_property
    def tensors(self) -> dict[str, Array]:
        """The tensors by name; views of the weights."""
        found, start = {}, 0
        for name, shape in self.shape.shapes().items():
            stop = start + int(np.prod(shape))
            found[name], start = self.weights[start:stop].reshape(shape), stop
        return found

    def velocity(self, points: Array, gamma: float, conditions: Array) -> Array:
        """Where points are to move.

        Args:
            points: Of n photos m points each, (n, m, 3).
            gamma: The schedule's value at this time.
            conditions: What the photos show, (n, condition).
        """
        condition = self._layer("cond_mapper", conditions) + self._time(gamma)
        steered = _silu(condition)[:, None]
        x = self._layer("initial_mapper", points)
        for block in range(self.shape.depth):
            scale, shift, gate = np.split(self._layer(f"blocks.{block}.ada_map.1", steered), 3, axis=-1)
            inner = (1 + scale) * _normalised(x) + shift
            hidden = _gelu(self._layer(f"blocks.{block}.mlp.0", inner))
            x = x + self._layer(f"blocks.{block}.mlp.3", hidden) * gate
        scale, shift = np.split(self._layer("final_adaln.1", steered), 2, axis=-1)
        return self._layer("final_linear", (1 + scale) * _normalised(x) + shift)

    def _time(self, gamma: float) -> Array:
        angles = np.float32(gamma * _TIME_SCALE) * self.tensors["time_embedder.encode_time.freqs"]
        time = np.concatenate([np.cos(angles), np.sin(angles)])
        time = (time - time.mean()) / time.std(ddof=1)
        hidden = _silu(self._layer("time_embedder.map_time.0", time.astype(np.float32)))
        return self._layer("time_embedder.map_time.2", hidden)

    def _layer(self, name: str, x: Array) -> Array:
        return np.asarray(x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"])


def schedule(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far noise has moved at times from 1 (not at all) to 0 (all the way): from 1e-9 to 1.

    The sigmoid of PLONK's pipeline, from -7 to 3.
    """
    start, end = _sigmoid(np.array([_START, _END]))
    found = (end - _sigmoid(np.asarray(times) * (_END - _START) + _START)) / (end - start)
    return np.asarray(np.clip(found, _LEAST, 1.0), dtype=np.float64)


def draw_places(
    flow: SphereFlow,
    conditions: NDArray[np.float32],
    noise: NDArray[np.float32],
    *,
    steps: int = STEPS,
    guidance: float = 0.0,
) -> NDArray[np.float64]:
    """Unit vectors of places, (n, m, 3), drawn for photos.

    Args:
        flow: The network.
        conditions: What the photos show, (n, condition).
        noise: Where the points begin, normally distributed, not of length 1, (n, m, 3).
        steps: In how many they move.
        guidance: How much more the photo counts than it does by itself: 0 draws from the distribution, more
            draws nearer to its heights.
    """
    gammas = schedule(1 - np.arange(steps + 1) / steps)
    nothing = np.zeros_like(conditions)
    x = noise.astype(np.float32)
    for now, following in pairwise(gammas.tolist()):
        move = flow.velocity(x, now, conditions)
        if guidance:
            move = (1 + guidance) * move - guidance * flow.velocity(x, now, nothing)
        x = x + np.float32(following - now) * move
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
    return x.astype(np.float64)


def _normalised(x: Array) -> Array:
    """The layer norm without weights."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(_NORM)))


def _silu(x: Array) -> Array:
    return np.asarray(x / (1 + np.exp(-x)), dtype=np.float32)


def _gelu(x: Array) -> Array:
    """X times the normal distribution's cumulative probability.

    By Abramowitz and Stegun's 7.1.26, which is right to 1.5e-7, about single precision, and a quarter of the
    time of SciPy's.
    """
    size = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * size)
    tail = np.full_like(t, _ERF[0])
    for coefficient in _ERF[1:]:
        tail *= t
        tail += np.float32(coefficient)
    tail *= t
    np.negative(np.square(size, out=size), out=size)
    tail *= np.exp(size, out=size)
    return np.asarray(x * (0.5 + np.copysign(0.5 * (1 - tail), x)), dtype=np.float32)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))
