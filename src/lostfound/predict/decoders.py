"""From a network's outputs to what it believes, and to predictions: ranked cells, and points on the Earth.

The same code decodes outputs while a model is validated, evaluated and used. The outputs of several views of
one place are averaged before they are decoded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.sphere import destination, from_unit_vectors, is_coordinate, unit_vectors, wrap_longitude
from lostfound.partitions import Partition
from lostfound.predict.belief import Belief
from lostfound.predict.predictions import Predictions

REACHES = "reaches.npy"
"""How far boxes reach from their points, in a model folder."""
_BOX_SCALE = 1.2
_SORTED = 4096
"""So many cells at most are all sorted."""

Scaling = Literal["unit_vector", "bounds", "origin"]


class OutputDecoder(ABC):
    """Decodes the outputs (n, width) of a network."""

    width: int
    partition: Partition | None
    temperature: float = 1.0
    """What the cells' logits are divided by."""
    finds_points = False
    """Whether it finds a point of its own in each cell."""

    @abstractmethod
    def believe(
        self,
        outputs: NDArray[np.floating[Any]],
        ids: NDArray[np.object_] | None = None,
        sharpness: NDArray[np.float64] | float = 1.0,
    ) -> Belief:
        """What outputs say of where samples are.

        Args:
            outputs: Of n samples, (n, width).
            ids: What the samples are called, (n,); their numbers if None.
            sharpness: What the logits are multiplied by beside the temperature, one or (n,).
        """

    def decode(
        self, outputs: NDArray[np.floating[Any]], top: int = 5, ids: NDArray[np.object_] | None = None
    ) -> Predictions:
        """The predictions that outputs mean: the most probable cells, and the point of the best.

        Args:
            outputs: Of n samples, (n, width).
            top: At most so many cells of each.
            ids: What the samples are called, (n,); their numbers if None.
        """
        return ranked(self.believe(outputs, ids), top)

    @property
    def logit_count(self) -> int:
        """How many of the outputs, the first ones, are the cells' logits."""
        return 0 if self.partition is None else len(self.partition)

    def logits(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """What a softmax makes the cells' probabilities of, (n, cells), before any temperature.

        Args:
            outputs: Of n samples, (n, width), of a model with cells.
        """
        assert self.partition is not None
        return np.asarray(outputs[:, : len(self.partition)], dtype=np.float64)

    @property
    def files(self) -> Mapping[str, NDArray[Any]]:
        """Arrays that the model folder holds as files of their own, by name."""
        return {}

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

    def believe(
        self,
        outputs: NDArray[np.floating[Any]],
        ids: NDArray[np.object_] | None = None,
        sharpness: NDArray[np.float64] | float = 1.0,
    ) -> Belief:
        """The cells' probabilities."""
        probabilities = probabilities_of(outputs, self.temperature, sharpness)
        return Belief(names_of(ids, len(outputs)), self.partition, probabilities)

    def as_dict(self) -> dict[str, Any]:
        """Only the kind: the rest is the partition and the calibration."""
        return {"kind": "cells"}


@dataclass(frozen=True)
class PointInCellDecoder(OutputDecoder):
    """Outputs are a logit for each cell, then for each cell two numbers that find a point in it."""

    partition: Partition
    finds_points = True

    @property
    def width(self) -> int:  # type: ignore[override]
        """Three outputs a cell."""
        return 3 * len(self.partition)

    def believe(
        self,
        outputs: NDArray[np.floating[Any]],
        ids: NDArray[np.object_] | None = None,
        sharpness: NDArray[np.float64] | float = 1.0,
    ) -> Belief:
        """The cells' probabilities, and the point in each."""
        count = len(self.partition)
        offsets = np.asarray(outputs[:, count:], dtype=np.float64).reshape(len(outputs), count, 2)
        probabilities = probabilities_of(self.logits(outputs), self.temperature, sharpness)
        return Belief(names_of(ids, len(outputs)), self.partition, probabilities, self.points(offsets))

    @abstractmethod
    def points(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """The points, (n, cells, 2), degrees, that two outputs for each cell, (n, cells, 2), mean."""


@dataclass(frozen=True)
class HybridDecoder(PointInCellDecoder):
    """The two numbers are the offset north and east from the cell's point.

    They are squashed by tanh to the cell's radius, so that a point stays in reach of its cell.

    Attributes:
        radii_km: How far a cell's training images reach from its point, (cells,).
    """

    radii_km: NDArray[np.float64]
    temperature: float = 1.0

    def points(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """As far from the cell's point as the outputs say."""
        north, east = np.moveaxis(np.tanh(offsets) * self.radii_km[:, None], -1, 0)
        bearing = np.degrees(np.arctan2(east, north))
        return destination(self.partition.centroids[None], bearing, np.hypot(north, east))

    def as_dict(self) -> dict[str, Any]:
        """The kind and the cells' radii."""
        return {"kind": "hybrid", "radii_km": self.radii_km.tolist()}


@dataclass(frozen=True)
class BoxDecoder(PointInCellDecoder):
    """The two numbers are shares of the way from the cell's point to its box's sides.

    OSV-5M's rule (Astruc et al. 2024): 1.2 tanh of an output is a share of the way from the cell's point to
    its northern or southern side, and of the next to its eastern or western one; so it may lead a little
    beyond.

    Attributes:
        reaches: From each cell's point to its sides, degrees, (cells, 2, 2): to the south and west, then to
            the north and east.
    """

    reaches: NDArray[np.float64]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.reaches.shape != (len(self.partition), 2, 2) or not (self.reaches >= 0).all():
            raise ValueError("a model of boxes needs what reaches from each cell's point to its four sides")

    def points(self, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
        """So far on the way from the cell's point to its sides."""
        shares = _BOX_SCALE * np.tanh(offsets)
        points = self.partition.centroids + shares * np.where(
            shares > 0, self.reaches[:, 1], self.reaches[:, 0]
        )
        points = np.clip(points, (-90.0, -180.0), (90.0, 180.0))
        points[..., 1] = wrap_longitude(points[..., 1])
        return points

    @property
    def files(self) -> Mapping[str, NDArray[Any]]:
        """What reaches to the sides."""
        return {REACHES: self.reaches}

    def as_dict(self) -> dict[str, Any]:
        """Only the kind."""
        return {"kind": "boxes"}


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

    def believe(
        self,
        outputs: NDArray[np.floating[Any]],
        ids: NDArray[np.object_] | None = None,
        sharpness: NDArray[np.float64] | float = 1.0,
    ) -> Belief:
        """The one point."""
        del sharpness
        outputs = np.asarray(outputs, dtype=np.float64)
        if self.scaling == "unit_vector":
            points = from_unit_vectors(outputs)
        else:
            points = np.array(self.corner) + outputs * np.array(self.span)
            points[:, 0] = np.clip(points[:, 0], -90.0, 90.0)
            points[:, 1] = wrap_longitude(points[:, 1])
        return Belief(names_of(ids, len(outputs)), None, np.ones((len(outputs), 1)), points[:, None])

    def as_dict(self) -> dict[str, Any]:
        """The kind and the scaling."""
        return {
            "kind": "point",
            "scaling": self.scaling,
            "corner": list(self.corner),
            "span": list(self.span),
        }


def ranked(belief: Belief, top: int) -> Predictions:
    """The most probable cells, and the point of the best; of bare coordinates, the point."""
    if belief.partition is None:
        return Predictions(belief.ids, belief.best_points())
    cells = most_probable(belief.probabilities, max(1, top))
    points = belief.points_of(cells)
    return Predictions(
        belief.ids,
        points[:, 0],
        belief.partition.id_array[cells],
        np.take_along_axis(belief.probabilities, cells, axis=1),
        None if belief.points is None else points,
        partition=belief.partition,
    )


def most_probable(probabilities: NDArray[np.float64], top: int) -> NDArray[np.int64]:
    """The numbers of the most probable cells of each row, (n, top), best first; of equals the first."""
    if probabilities.shape[1] <= max(_SORTED, top):
        return np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    least = np.partition(probabilities, -top, axis=1)[:, -top]
    found = np.empty((len(probabilities), top), dtype=np.int64)
    for row, limit in enumerate(least):
        cells = np.flatnonzero(probabilities[row] >= limit)
        found[row] = cells[np.argsort(-probabilities[row, cells], kind="stable")[:top]]
    return found


def build_decoder(
    values: Mapping[str, Any],
    partition: Partition | None,
    temperature: float,
    arrays: Callable[[str], NDArray[Any]] | None = None,
) -> OutputDecoder:
    """Read what `as_dict` gave.

    Args:
        values: The kind, and what it needs.
        partition: The cells.
        temperature: What logits are divided by.
        arrays: Gives the arrays of `OutputDecoder.files`, by name.

    Raises:
        ValueError: The kind is unknown, lacks its partition, or a number is none that a model can have.
        KeyError: A value is missing.
    """
    kind = values["kind"]
    check_temperature(temperature)
    if kind == "point":
        south, west = map(float, values["corner"])
        high, wide = map(float, values["span"])
        if not is_coordinate(np.array(south), np.array(west)) or not 0 < abs(high * wide) < np.inf:
            raise ValueError(
                f"a corner of {south}, {west} with a span of {high}, {wide} is none of the Earth"
            )
        if values["scaling"] not in get_args(Scaling):
            raise ValueError(f"a scaling {values['scaling']!r} (of {', '.join(get_args(Scaling))})")
        return PointDecoder(values["scaling"], (south, west), (high, wide))
    if partition is None:
        raise ValueError(f"a model that answers by {kind} needs its partition")
    if kind == "cells":
        return CellDecoder(partition, temperature)
    if kind == "hybrid":
        radii = np.array(values["radii_km"], dtype=np.float64)
        if radii.shape != (len(partition),) or not (np.isfinite(radii) & (radii >= 0)).all():
            raise ValueError("a hybrid model needs a radius for each of its cells")
        return HybridDecoder(partition, radii, temperature)
    if kind == "boxes" and arrays is not None:
        return BoxDecoder(partition, np.array(arrays(REACHES), dtype=np.float64), temperature)
    if kind == "gallery" and arrays is not None:
        from lostfound.predict.gallery import GALLERY, GalleryDecoder  # which is one of these decoders

        return GalleryDecoder(partition, arrays(GALLERY), float(values["scale"]), temperature)
    if kind == "samples" and arrays is not None:
        from lostfound.predict.samples import FLOW, build_sample_decoder  # as above

        return build_sample_decoder(values, partition, temperature, arrays(FLOW))
    if kind == "prompts" and arrays is not None:
        from lostfound.predict.gallery import GALLERY  # as above
        from lostfound.predict.prompts import COUNTRIES, PromptDecoder

        return PromptDecoder(
            partition,
            arrays(GALLERY),
            float(values["scale"]),
            temperature,
            countries=arrays(COUNTRIES),
            one_city=bool(values["one_city"]),
        )
    raise ValueError(f"answers of an unknown kind {kind!r}: update lostfound")


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that makes no probabilities.

    Raises:
        ValueError: It is not a positive number.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"a temperature of {temperature} (more than 0 is needed)")


def probabilities_of(
    logits: NDArray[np.floating[Any]], temperature: float, sharpness: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """The softmax of logits (n, cells) by a temperature and a sharpness, (n, cells)."""
    factor = np.reshape(np.asarray(sharpness, dtype=np.float64) / temperature, (-1, 1))
    scaled = np.asarray(logits, dtype=np.float64) * factor
    # As scipy.special.softmax, to the last bit, which takes longer to load than a photo takes to locate
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def names_of(ids: NDArray[np.object_] | None, n: int) -> NDArray[np.object_]:
    """What samples are called: their numbers if nothing else is said."""
    return np.arange(n).astype(str).astype(object) if ids is None else ids
