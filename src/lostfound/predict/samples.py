"""Answers by drawing: places that a photo may be from are drawn on the sphere, and grouped into cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.sphere import from_unit_vectors, unit_vectors
from lostfound.partitions import Partition
from lostfound.predict.belief import Belief, Drawn
from lostfound.predict.decoders import OutputDecoder, names_of, probabilities_of
from lostfound.predict.sphere_flow import STEPS, FlowShape, SphereFlow, draw_places

FLOW = "flow.npy"
"""The weights of the network that draws, in a model folder."""
SAMPLES = 256
_REMEMBERED = 4096
_UNSEEN = 0.5
"""What all cells have together beside the samples, in samples: where none was drawn is not impossible."""


@dataclass(frozen=True)
class SampleDecoder(OutputDecoder):
    """Outputs say what a photo shows; places are drawn for it, always the same ones for the same photo.

    A cell is as probable as the share of the places that fall into it, and its point is their middle. Radii
    are read from the places themselves.

    Attributes:
        partition: The cells that places are grouped by.
        flow: Draws them.
        samples: How many for each photo.
        steps: In how many steps.
        guidance: See `draw_places`.
        seed: Of the noise that they begin as.
        temperature: What the logarithms of the shares are divided by.
    """

    partition: Partition
    flow: SphereFlow
    samples: int = SAMPLES
    steps: int = STEPS
    guidance: float = 0.0
    seed: int = 0
    temperature: float = 1.0
    finds_points = True

    def __post_init__(self) -> None:
        if self.samples < 1 or self.steps < 1 or not 0 <= self.guidance < np.inf:
            raise ValueError(f"{self.samples} samples in {self.steps} steps, guidance {self.guidance}")

    @property
    def width(self) -> int:  # type: ignore[override]
        """Numbers that say what the photo shows."""
        return self.flow.shape.condition

    @property
    def logit_count(self) -> int:
        """None of the outputs is a logit."""
        return 0

    def drawn(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The places that are drawn for n photos, (n, samples, 2), degrees."""
        return np.stack([self._draw(np.asarray(row, dtype=np.float32).tobytes()) for row in outputs])

    def logits(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The logarithms of the cells' shares, (n, cells)."""
        return self._shares(self._cells(self.drawn(outputs)))

    def believe(
        self,
        outputs: NDArray[np.floating[Any]],
        ids: NDArray[np.object_] | None = None,
        sharpness: NDArray[np.float64] | float = 1.0,
    ) -> Belief:
        """The cells' shares, and the middle of what fell into each."""
        places = self.drawn(outputs)
        cells = self._cells(places)
        probabilities = probabilities_of(self._shares(cells), self.temperature, sharpness)
        points = np.broadcast_to(self.partition.centroids, (len(places), len(self.partition), 2)).copy()
        for row, (own, where) in enumerate(zip(cells, places, strict=True)):
            found, index = np.unique(own, return_inverse=True)
            points[row, found] = _middles(where, index, len(found))
        names = names_of(ids, len(outputs))
        return Belief(names, self.partition, probabilities, points, Drawn(places, cells))

    @property
    def files(self) -> Mapping[str, NDArray[Any]]:
        """The weights of what draws."""
        return {FLOW: self.flow.weights}

    def as_dict(self) -> dict[str, Any]:
        """The kind, the network's size, and how it draws."""
        shape = self.flow.shape
        return {
            "kind": "samples",
            "condition": shape.condition,
            "width": shape.width,
            "depth": shape.depth,
            "expansion": shape.expansion,
            "samples": self.samples,
            "steps": self.steps,
            "guidance": self.guidance,
            "seed": self.seed,
        }

    @cached_property
    def _draw(self) -> Callable[[bytes], NDArray[np.float64]]:
        noise = np.random.default_rng(self.seed).standard_normal((1, self.samples, 3)).astype(np.float32)

        def draw(condition: bytes) -> NDArray[np.float64]:
            photo = np.frombuffer(condition, dtype=np.float32)[None]
            found = draw_places(self.flow, photo, noise, steps=self.steps, guidance=self.guidance)
            return from_unit_vectors(found[0])

        return lru_cache(_REMEMBERED)(draw)

    def _cells(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """The cells of places, (n, samples)."""
        return self.partition.assign(places.reshape(-1, 2)).reshape(places.shape[:2])

    def _shares(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        counts = np.stack([np.bincount(row, minlength=len(self.partition)) for row in cells])
        shares = (counts + _UNSEEN / len(self.partition)) / (self.samples + _UNSEEN)
        return np.asarray(np.log(shares), dtype=np.float64)


def build_sample_decoder(
    values: Mapping[str, Any], partition: Partition, temperature: float, weights: NDArray[np.float32]
) -> SampleDecoder:
    """Read what `SampleDecoder.as_dict` gave.

    Raises:
        ValueError: The weights are of another network, or a number is none that a model can have.
        KeyError: A value is missing.
    """
    shape = FlowShape(*(int(values[name]) for name in ("condition", "width", "depth", "expansion")))
    if min(shape.condition, shape.width, shape.expansion) < 1 or not 0 <= shape.depth < 1000:
        raise ValueError(f"a network of {shape}")
    return SampleDecoder(
        partition,
        SphereFlow(shape, weights),
        int(values["samples"]),
        int(values["steps"]),
        float(values["guidance"]),
        int(values["seed"]),
        temperature,
    )


def _middles(points: NDArray[np.float64], index: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """The spherical mean of the points (m, 2) of each group, (count, 2)."""
    sums = np.zeros((count, 3))
    np.add.at(sums, index.ravel(), unit_vectors(points))
    return from_unit_vectors(sums)
