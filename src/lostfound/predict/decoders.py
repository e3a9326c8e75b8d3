"""What a network's outputs mean: ranked cells with probabilities, and points on the Earth.

The same code reads outputs while a model is validated, evaluated and used. The outputs of several views of
one place are averaged before they are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from lostfound.geo.sphere import destination, from_unit_vectors, unit_vectors, wrap_longitude
from lostfound.partitions import OUTSIDE, Partition

Scaling = Literal["unit_vector", "bounds", "origin"]


@dataclass(frozen=True)
class Ranked:
    """Answers to n samples, the m best of each.

    Attributes:
        cells: Cell numbers, (n, m), best first; `OUTSIDE` where the answer is a bare point.
        probabilities: 0 to 1, (n, m); NaN for a bare point.
        points: Degrees, (n, m, 2).
    """

    cells: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    points: NDArray[np.float64]


class OutputDecoder(ABC):
    """Reads the outputs (n, width) of a network."""

    width: int
    partition: Partition | None

    @abstractmethod
    def read(self, outputs: NDArray[np.floating[Any]], top: int) -> Ranked:
        """The best answers to samples, from outputs (n, width); at most `top` of each."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """What `build_decoder` needs, as plain JSON values, without the partition."""


@dataclass(frozen=True)
class CellDecoder(OutputDecoder):
    """Outputs are a logit for each cell; a cell's answer is the point it decodes to."""

    partition: Partition
    temperature: float = 1.0

    @property
    def width(self) -> int:  # type: ignore[override]
        """One output a cell."""
        return len(self.partition)

    def read(self, outputs: NDArray[np.floating[Any]], top: int) -> Ranked:
        """The most probable cells."""
        probabilities = softmax(np.asarray(outputs, dtype=np.float64) / self.temperature, axis=1)
        cells = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, top)]
        best = np.take_along_axis(probabilities, cells, axis=1)
        return Ranked(cells, best, self.partition.decode(cells))

    def as_dict(self) -> dict[str, Any]:
        """Only the kind: the rest is the partition and the calibration."""
        return {"kind": "cells"}


@dataclass(frozen=True)
class HybridDecoder(OutputDecoder):
    """Outputs are a logit for each cell, then for each cell the way north and east from its point.

    The ways are squashed by tanh to the cell's radius, so that a point stays in reach of its cell.

    Attributes:
        radii_km: How far a cell's training images reach from its point, (cells,).
    """

    partition: Partition
    radii_km: NDArray[np.float64]
    temperature: float = 1.0

    @property
    def width(self) -> int:  # type: ignore[override]
        """Three outputs a cell."""
        return 3 * len(self.partition)

    def read(self, outputs: NDArray[np.floating[Any]], top: int) -> Ranked:
        """The most probable cells, and the point in each."""
        cells = len(self.partition)
        ranked = CellDecoder(self.partition, self.temperature).read(outputs[:, :cells], top)
        ways = np.asarray(outputs[:, cells:], dtype=np.float64).reshape(len(outputs), cells, 2)
        ways = np.tanh(np.take_along_axis(ways, ranked.cells[..., None], axis=1))
        ways = ways * self.radii_km[ranked.cells][..., None]
        bearing = np.degrees(np.arctan2(ways[..., 1], ways[..., 0]))
        points = destination(ranked.points, bearing, np.hypot(ways[..., 0], ways[..., 1]))
        return replace(ranked, points=points)

    def as_dict(self) -> dict[str, Any]:
        """The kind and the cells' radii."""
        return {"kind": "hybrid", "radii_km": self.radii_km.tolist()}


@dataclass(frozen=True)
class PointDecoder(OutputDecoder):
    """Outputs are one point on a named scaling.

    Attributes:
        scaling: unit_vector: a point on (or off) the unit sphere, of which the direction counts; bounds: 0..1
            from the south-west corner; origin: degrees from the south-west corner in units of `span`.
        corner: Latitude and longitude of the corner or origin, degrees.
        span: Degrees of latitude and longitude that an output of 1 stands for.
    """

    scaling: Scaling = "unit_vector"
    corner: tuple[float, float] = (0.0, 0.0)
    span: tuple[float, float] = (1.0, 1.0)
    partition: None = None

    @property
    def width(self) -> int:  # type: ignore[override]
        """Three outputs for a unit vector, two otherwise."""
        return 3 if self.scaling == "unit_vector" else 2

    def scale(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The outputs (n, width) that would answer with these points (n, 2)."""
        if self.scaling == "unit_vector":
            return unit_vectors(points)
        offsets = points - np.array(self.corner)
        offsets[:, 1] = wrap_longitude(offsets[:, 1])  # the short way round
        if self.scaling == "bounds":  # from the west end on, over the date line if need be
            offsets[:, 1] %= 360.0
        return np.asarray(offsets / np.array(self.span))

    def read(self, outputs: NDArray[np.floating[Any]], top: int) -> Ranked:
        """The one point."""
        del top
        outputs = np.asarray(outputs, dtype=np.float64)
        if self.scaling == "unit_vector":
            points = from_unit_vectors(outputs)
        else:
            points = np.array(self.corner) + outputs * np.array(self.span)
            points[:, 0] = np.clip(points[:, 0], -90.0, 90.0)
            points[:, 1] = wrap_longitude(points[:, 1])
        n = len(outputs)
        return Ranked(np.full((n, 1), OUTSIDE), np.full((n, 1), np.nan), points[:, None])

    def as_dict(self) -> dict[str, Any]:
        """The kind and the scaling."""
        return {
            "kind": "point",
            "scaling": self.scaling,
            "corner": list(self.corner),
            "span": list(self.span),
        }


def build_decoder(
    values: Mapping[str, Any], partition: Partition | None, temperature: float
) -> OutputDecoder:
    """Read what `as_dict` gave.

    Raises:
        ValueError: The kind is unknown, or lacks its partition.
        KeyError: A value is missing.
    """
    kind = values["kind"]
    if kind == "point":
        south, west = values["corner"]
        return PointDecoder(values["scaling"], (south, west), tuple(values["span"]))
    if partition is None:
        raise ValueError(f"a model that answers by {kind} needs its partition")
    if kind == "cells":
        return CellDecoder(partition, temperature)
    if kind == "hybrid":
        radii = np.array(values["radii_km"], dtype=np.float64)
        if radii.shape != (len(partition),):
            raise ValueError("a hybrid model needs a radius for each of its cells")
        return HybridDecoder(partition, radii, temperature)
    raise ValueError(f"answers of an unknown kind {kind!r}: update lostfound")
