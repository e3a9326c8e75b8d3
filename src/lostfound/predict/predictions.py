"""Predictions: the answers to many samples as one table, whoever gave them.

A model, a person who plays, a model of somebody else and a file that was published all end here, and
`lostfound.evaluation.evaluate.score` turns them into numbers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.errors import DatasetError, refused_as
from lostfound.files import write_output
from lostfound.geo.sphere import is_coordinate
from lostfound.partitions import Partition

NUMBERS = ("radius_50_km", "radius_90_km", "confidence")
_CLIP = b"lostfound.clip_degrees"
_RANKED = re.compile(r"(candidate|probability)_([1-9][0-9]*)")


@dataclass(frozen=True)
class Predictions:
    """Answers to n samples.

    Attributes:
        ids: What each sample is called, (n,), no two alike: a data set's `image_id`.
        points: The best coordinates, (n, 2), degrees; NaN where none was given.
        cells: Ids of the m best cells, (n, m), best first; None in places that hold none. None as a whole if
            no cells are ranked.
        probabilities: Of those cells, 0 to 1, (n, m); NaN where unknown.
        cell_points: The point each of those cells stands for, (n, m, 2), degrees; None: what the partition
            decodes it to.
        countries: The guessed countries, (n,), ISO alpha-2 or None; None as a whole: that of the best cell,
            else of the point (see `guessed_countries`).
        radius_50_km: The distance from the point within which the truth is said to lie one time in two, (n,).
        radius_90_km: The same, nine times in ten.
        anchor_degrees: Predicted distances to the partition's points, (n, cells), degrees of 111 km, by a
            model of distances (GeoTrainr).
        clip_degrees: Beyond this such a model tells no distances apart.
        partition: What the cells are; without it they are countries, by ISO code. It is not in the table.
        confidence: How probable it is that the answer is right, 0 to 1, (n,); None: the best cell's
            probability.
        abstained: Why whoever answers would rather say "I don't know", (n,), None where it wouldn't.

    Raises:
        ValueError: Shapes don't fit, an id stands there twice, or a point is none.

    Examples:
        >>> import numpy as np
        >>> from lostfound import Predictions
        >>> answers = Predictions(np.array(["a", "b"]), np.array([[48.9, 2.4], [35.7, 139.7]]))
        >>> answers.guessed_countries.tolist()
        ['FR', 'JP']
        >>> answers.save("answers.csv").name
        'answers.csv'
        >>> Predictions.load("answers.csv").points.tolist()
        [[48.9, 2.4], [35.7, 139.7]]
    """

    ids: NDArray[np.object_]
    points: NDArray[np.float64]
    cells: NDArray[np.object_] | None = None
    probabilities: NDArray[np.float64] | None = None
    cell_points: NDArray[np.float64] | None = None
    countries: NDArray[np.object_] | None = None
    radius_50_km: NDArray[np.float64] | None = None
    radius_90_km: NDArray[np.float64] | None = None
    anchor_degrees: NDArray[np.float32] | None = None
    clip_degrees: float | None = None
    partition: Partition | None = None
    confidence: NDArray[np.float64] | None = None
    abstained: NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        n = len(self.ids)
        ranked = None if self.cells is None else self.cells.shape
        shapes = {
            "points": (self.points, (n, 2)),
            "cells": (self.cells, ranked and (n, ranked[1])),
            "probabilities": (self.probabilities, ranked),
            "cell_points": (self.cell_points, ranked and (*ranked, 2)),
            "countries": (self.countries, (n,)),
            "radius_50_km": (self.radius_50_km, (n,)),
            "radius_90_km": (self.radius_90_km, (n,)),
            "confidence": (self.confidence, (n,)),
            "abstained": (self.abstained, (n,)),
        }
        for name, (values, shape) in shapes.items():
            if values is not None and values.shape != shape:
                raise ValueError(f"{name} of shape {values.shape} for {n} predictions (needed: {shape})")
        ids, counts = np.unique(self.ids.astype(str), return_counts=True)
        if len(ids) < n:
            twice = str(ids[counts > 1][0])
            raise ValueError(f"{twice!r} is answered {counts.max()} times: give one answer each")
        wrong = self.answered & ~is_coordinate(self.points[:, 0], self.points[:, 1])
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"{self.ids[row]!r}: {self.points[row].tolist()} is no latitude and longitude")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which have a point, (n,)."""
        return np.asarray(~np.isnan(self.points).any(axis=1))

    @cached_property
    def guessed_countries(self) -> NDArray[np.object_]:
        """The countries of the answers, (n,): as stated, else of the best cell, else of the point.

        None far out at sea, and where nothing was answered.
        """
        if self.countries is not None:
            return self.countries
        countries = np.full(len(self), None, dtype=object)
        if self.cells is not None:
            best = self.cells[:, 0]
            if self.partition is None:
                countries[:] = best
            else:
                of, numbers = self.partition.countries, self.partition.numbers
                countries[:] = [of[numbers[cell]] if cell in numbers else None for cell in best]
        if all(code is not None for code in countries):
            return countries  # the borders take longer to load than a photo takes to locate
        from lostfound.geo.boundaries import label_countries

        return label_countries(self.points, countries)

    def to_table(self) -> pa.Table:
        """The predictions as a table, one row a sample."""
        columns: dict[str, Any] = {
            "image_id": pa.array(self.ids, pa.string()),
            "guess_latitude": pa.array(self.points[:, 0], from_pandas=True),
            "guess_longitude": pa.array(self.points[:, 1], from_pandas=True),
            "guess_country": pa.array(self.guessed_countries, pa.string()),
        }
        if self.cells is not None:
            columns["candidates"] = pa.array(self.cells.tolist(), pa.list_(pa.string()))
        if self.probabilities is not None:
            columns["probabilities"] = pa.array(self.probabilities.tolist())
        if self.cell_points is not None:
            for axis, name in enumerate(("candidate_latitudes", "candidate_longitudes")):
                columns[name] = pa.array(self.cell_points[..., axis].tolist())
        for name in NUMBERS:
            if (values := getattr(self, name)) is not None:
                columns[name] = pa.array(values, from_pandas=True)
        if self.abstained is not None:
            columns["abstained"] = pa.array(self.abstained, pa.string())
        if self.anchor_degrees is not None:
            columns["anchor_degrees"] = pa.array(self.anchor_degrees.tolist(), pa.list_(pa.float32()))
        table = pa.table(columns)
        if self.clip_degrees is not None:
            table = table.replace_schema_metadata({_CLIP: str(self.clip_degrees)})
        return table

    @classmethod
    def from_table(cls, table: pa.Table, partition: Partition | None = None) -> Predictions:
        """Read what `to_table` gave; columns of other names are left alone.

        Args:
            table: With the columns image_id, guess_latitude and guess_longitude at least.
            partition: What the candidates are.

        Raises:
            ValueError: A column is missing, or the values make no predictions.
        """
        missing = [
            name
            for name in ("image_id", "guess_latitude", "guess_longitude")
            if name not in table.column_names
        ]
        if missing:
            raise ValueError(
                f"the column {missing[0]} is missing (there are: {', '.join(table.column_names)})"
            )

        def floats(name: str) -> NDArray[np.float64] | None:
            if name not in table.column_names:
                return None
            return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)

        def lists(name: str, kind: type) -> NDArray[Any] | None:
            if name not in table.column_names:
                return None
            rows = table[name].to_pylist()
            width = max((len(row) for row in rows if row), default=0)
            empty = None if kind is object else np.nan
            return np.array([[*(row or ()), *[empty] * (width - len(row or ()))] for row in rows], dtype=kind)

        points = [floats(f"guess_{axis}") for axis in ("latitude", "longitude")]
        cell_points = [lists(f"candidate_{axis}", np.float64) for axis in ("latitudes", "longitudes")]
        texts = {
            name: table[name].to_numpy(zero_copy_only=False) if name in table.column_names else None
            for name in ("guess_country", "abstained")
        }
        metadata = table.schema.metadata or {}
        return cls(
            table["image_id"].to_numpy(zero_copy_only=False),
            np.stack(points, axis=1),  # type: ignore[arg-type]
            lists("candidates", object),
            lists("probabilities", np.float64),
            None if cell_points[0] is None else np.stack(cell_points, axis=-1),  # type: ignore[arg-type]
            texts["guess_country"],
            anchor_degrees=lists("anchor_degrees", np.float32),
            clip_degrees=float(metadata[_CLIP]) if _CLIP in metadata else None,
            partition=partition,
            abstained=texts["abstained"],
            **{name: floats(name) for name in NUMBERS},
        )

    def save(self, path: str | Path) -> Path:
        """Write a Parquet file, or CSV where the name ends in .csv. It appears whole or not at all.

        CSV has a column for each rank (candidate_1, probability_1, ...) and leaves out the candidates' own
        points and the distances to anchors.
        """
        path, buffer = Path(path), io.BytesIO()
        if path.suffix.lower() == ".csv":
            import pyarrow.csv

            pyarrow.csv.write_csv(_flat(self.to_table()), buffer)
        else:
            pq.write_table(self.to_table(), buffer, compression="zstd")
        write_output(path, buffer.getvalue())
        return path

    @classmethod
    def load(cls, path: str | Path, partition: Partition | None = None) -> Predictions:
        """Read what `save` wrote.

        Args:
            path: A Parquet or CSV file.
            partition: What the candidates are; without it they are countries.

        Raises:
            DatasetError: The file is missing, or holds no predictions.
        """
        path = Path(path)
        if not path.is_file():
            raise DatasetError(f"{path} does not exist: give a file of predictions, Parquet or CSV")
        with refused_as(DatasetError, f"{path} can't be read as predictions"):
            if path.suffix.lower() == ".csv":
                return cls.from_table(_listed(_read_csv(path)), partition)
            return cls.from_table(pq.read_table(path), partition)


def concatenated(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several samples after each other, made by one model.

    Args:
        parts: One or more, which all hold the same columns.
    """
    if len(parts) == 1:
        return parts[0]
    found: dict[str, Any] = {}
    for each in fields(Predictions):
        values = [getattr(part, each.name) for part in parts]
        arrays = isinstance(values[0], np.ndarray)
        found[each.name] = np.concatenate(values) if arrays else values[0]
    return Predictions(**found)


def _flat(table: pa.Table) -> pa.Table:
    """Lists of candidates as a column for each rank."""
    columns: dict[str, Any] = {}
    for name in table.column_names:
        if not pa.types.is_list(table[name].type):
            columns[name] = table[name]
    ranked = {"candidate": "candidates", "probability": "probabilities"}
    rows = {one: table[many].to_pylist() for one, many in ranked.items() if many in table.column_names}
    width = max((len(row) for each in rows.values() for row in each), default=0)
    for rank in range(width):
        for one, each in rows.items():
            kind = table[ranked[one]].type.value_type
            columns[f"{one}_{rank + 1}"] = pa.array([row[rank] for row in each], kind)
    return pa.table(columns)


def _listed(table: pa.Table) -> pa.Table:
    """The inverse of `_flat`."""
    columns: dict[str, Any] = {}
    ranks: dict[str, list[list[Any]]] = {}
    for name in table.column_names:
        if ranked := _RANKED.fullmatch(name):
            ranks.setdefault(ranked[1], []).append(table[name].to_pylist())
        else:
            columns[name] = table[name]
    kinds = {"candidate": ("candidates", pa.string()), "probability": ("probabilities", pa.float64())}
    for one, each in ranks.items():
        many, kind = kinds[one]
        columns[many] = pa.array([list(row) for row in zip(*each, strict=True)], pa.list_(kind))
    return pa.table(columns)


def _read_csv(path: Path) -> pa.Table:
    """A CSV file in which codes stay texts; an empty field is null, "NA" is Namibia."""
    import pyarrow.csv

    with path.open(encoding="utf-8") as file:
        names = file.readline().rstrip("\r\n").replace('"', "").split(",")
    plain = ("image_id", "guess_country", "abstained")
    texts = {name: pa.string() for name in names if name in plain or "candidate_" in name}
    options = pyarrow.csv.ConvertOptions(column_types=texts, null_values=[""], strings_can_be_null=True)
    return pyarrow.csv.read_csv(path, convert_options=options)
