"""Predictions beside the truth about the same samples: what metrics are computed from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lostfound.data.records import Records, coordinates, strings
from lostfound.evaluation.rules import OURS, Rules
from lostfound.files import digest
from lostfound.geo.boundaries import label_countries
from lostfound.geo.regions import NearestPlaces, nearest_places
from lostfound.partitions import OUTSIDE, Partition
from lostfound.predict.predictions import Predictions

# Cells with names mean the same in every model that knows them; others only where all of them are the same.
_NAMED = ("countries", "regions", "cities")


@dataclass(frozen=True)
class Truth:
    """Where n samples really are.

    Attributes:
        records: Of the samples: image_id, place_id, latitude, longitude and country at least; `cell` where
            a report kept the cells that they lie in.
    """

    records: pa.Table
    _cells: list[tuple[Partition, NDArray[np.object_]]] = field(
        default_factory=list, repr=False, compare=False
    )

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """Their coordinates, (n, 2), degrees; NaN where unknown."""
        return coordinates(self.records)

    @cached_property
    def countries(self) -> NDArray[np.object_]:
        """Their countries, (n,): as stated, else at their points, else None."""
        return label_countries(self.points, strings(self.records, "country"))

    @cached_property
    def places(self) -> NDArray[np.object_]:
        """The places they show, (n,)."""
        return strings(self.records, "place_id")

    @cached_property
    def located(self) -> NDArray[np.bool_]:
        """Whose coordinates are known, (n,)."""
        return np.asarray(np.isfinite(self.points).all(axis=1))

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """Of which a country or coordinates are known, (n,)."""
        return _known(strings(self.records, "country")) | self.located

    def cells(self, partition: Partition | None) -> NDArray[np.object_]:
        """The ids of the cells that they lie in, (n,), None outside of all.

        Without a partition as the records say, else their countries.
        """
        if partition is None:
            kept = "cell" in self.records.column_names
            return strings(self.records, "cell") if kept else self.countries
        if not self._cells or self._cells[0][0] is not partition:  # a validation asks after each epoch
            numbers = partition.assign(self.points, self.countries)
            ids = np.array([*partition.cell_ids, None], dtype=object)  # the last is OUTSIDE's
            self._cells[:] = [(partition, ids[np.where(numbers == OUTSIDE, len(partition), numbers)])]
        return self._cells[0][1]


@dataclass(frozen=True)
class Matched:
    """Predictions beside the truth about the same n samples, in the same order.

    Attributes:
        predictions: The answers.
        truth: Where the samples are.
        rules: How distances are measured and counted.
    """

    predictions: Predictions
    truth: Truth
    rules: Rules = OURS

    @cached_property
    def located(self) -> NDArray[np.bool_]:
        """Whose coordinates are known, and were answered with some, (n,)."""
        return self.truth.located & self.predictions.answered

    @cached_property
    def distance_km(self) -> NDArray[np.float64]:
        """From the answer to the truth, (n,); NaN where either is unknown."""
        distance, where = np.full(len(self.predictions), np.nan), self.located
        distance[where] = self.rules.distance_km(self.truth.points[where], self.predictions.points[where])
        return distance

    @cached_property
    def nearest_guessed(self) -> NearestPlaces:
        """The towns nearest to the answers."""
        return nearest_places(self.predictions.points)

    @cached_property
    def nearest_true(self) -> NearestPlaces:
        """The towns nearest to where the samples are."""
        return nearest_places(self.truth.points)

    @cached_property
    def confidence(self) -> NDArray[np.float64] | None:
        """How sure each answer is, (n,), 0 to 1, NaN where unknown: as stated, else its best probability."""
        stated = self.predictions.confidence
        if stated is not None or self.predictions.probabilities is None:
            return stated
        return self.predictions.probabilities[:, 0]

    @cached_property
    def abstained(self) -> NDArray[np.bool_] | None:
        """Which answers say that they are none, (n,); None of predictions that can't say so."""
        reasons = self.predictions.abstained
        return None if reasons is None else _known(reasons)

    @property
    def true_cells(self) -> NDArray[np.object_]:
        """The ids of the cells that the samples lie in, (n,); None outside of all."""
        return self.truth.cells(self.predictions.partition)

    @cached_property
    def hits(self) -> NDArray[np.bool_]:
        """Is the cell of each rank the true one, (n, ranks)? Never outside of all cells."""
        assert self.predictions.cells is not None
        hits: NDArray[np.bool_] = self.predictions.cells == self.true_cells[:, None]
        return hits & _known(self.true_cells)[:, None]

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Which lie outside of all cells, though it is known where they are, (n,)."""
        return self.truth.labelled & ~_known(self.true_cells)

    @property
    def classes(self) -> NDArray[np.object_]:
        """The true class of each, (n,): its cell, or its country where it lies outside of all."""
        cells = self.true_cells
        countries = np.array([code or "no country" for code in self.truth.countries], dtype=object)
        return np.where(_known(cells), cells, countries)


def cells_key(partition: Partition | None) -> str | None:
    """What cells are, equal where metrics of cells mean the same; None without cells."""
    if partition is None or partition.kind in _NAMED:
        return None if partition is None else partition.kind
    same = json.dumps([partition.cell_ids, dict(partition.settings), dict(partition.rule)])
    return f"{partition.kind} {digest(same.encode())[:8]}"


def match(predictions: Predictions, truth: Records, rules: Rules = OURS) -> Matched:
    """Put predictions beside the truth, by `image_id`; records without a prediction are left out.

    Args:
        predictions: The answers.
        truth: Records of all that may be answered.
        rules: How distances are measured and counted.

    Raises:
        ValueError: A prediction is of no record.
    """
    columns = ["image_id", "place_id", "latitude", "longitude", "country"]
    names = truth.schema.names
    table = truth.select(
        [
            name
            for name in (*columns, "source", "original", "heading", "anchor_error_degrees")
            if name in names
        ]
    )
    rows = pc.index_in(pa.array(predictions.ids, pa.string()), table["image_id"])
    if rows.null_count:
        first = predictions.ids[int(np.argmax(rows.is_null().to_numpy(zero_copy_only=False)))]
        raise ValueError(
            f"{rows.null_count} of {len(predictions)} predictions are of none of the {truth.num_rows} images "
            f"(the first: {first!r})"
        )
    return Matched(predictions, Truth(table.take(rows)), rules)


def _known(values: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([value is not None for value in values], dtype=bool)
