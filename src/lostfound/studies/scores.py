"""The scores of trained models, image by image, from the predictions that their evaluation kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.data.records import coordinates, strings
from lostfound.evaluation.comparison import Scores
from lostfound.evaluation.metrics import DISTANCES_KM
from lostfound.files import digest
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import geoguessr_score
from lostfound.partitions import OUTSIDE, Partition
from lostfound.predict.countries import nearest_place_countries
from lostfound.predict.model_folder import PARTITION

TOP = (1, 3, 5)
OF_CELLS = (*(f"top_{k}_accuracy" for k in TOP), "balanced_accuracy")
"""Metrics that only models with the same cells share."""
_WITHIN = {f"within_{limit}_km_{name}": limit for name, limit in DISTANCES_KM.items()}
DISTANCES = ("median_distance_km", "mean_distance_km")
METRICS = (
    "country_accuracy",
    "country_accuracy_nearest_place",
    *OF_CELLS,
    *DISTANCES,
    "geoguessr_score",
    *_WITHIN,
    "anchor_error_degrees",
)

# Cells with names mean the same in every model that knows them; others only where all of them are the same.
_NAMED = ("countries", "regions", "cities")


def is_share(metric: str) -> bool:
    """Is it a share, 0 to 1?"""
    return metric not in (*DISTANCES, "geoguessr_score", "anchor_error_degrees")


def higher_is_better(metric: str) -> bool:
    """Is more of it better? Of distances less is."""
    return is_share(metric) or metric == "geoguessr_score"


def label(metric: str) -> str:
    """A metric's name in words, with its unit."""
    unit = " (%)" if is_share(metric) else " (km)" if metric.endswith("_km") else ""
    return metric.removesuffix("_km").replace("_", " ").replace("top ", "top-") + unit


def number(metric: str, value: float, *, signed: bool = False) -> str:
    """A metric's value in the unit of its label."""
    sign = "+" if signed else ""
    if is_share(metric):
        return f"{100 * value:{sign}.1f}"
    size = abs(value)
    digits = 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0  # metres count within a city
    return f"{value:{sign}.{digits}f}"


@dataclass(frozen=True)
class Judged:
    """One trained model's scores.

    Attributes:
        scores: By metric; those that the data or the model can't give are missing.
        cells: What its cells are, so that metrics of cells are compared only where they mean the same; None
            for a model without cells.
    """

    scores: dict[str, Scores]
    cells: str | None


def read_scores(report: Path, model: Path, metrics: Collection[str] = METRICS) -> Judged:
    """The scores of a model.

    Args:
        report: The folder with the `predictions.parquet` of its evaluation.
        model: Its model folder.
        metrics: Which, of `METRICS`.
    """
    predictions = pq.read_table(report / "predictions.parquet")
    partition = Partition.load(model / PARTITION) if (model / PARTITION).is_file() else None
    return Judged(_scores(predictions, partition, metrics), _cells(partition))


def _cells(partition: Partition | None) -> str | None:
    if partition is None or partition.kind in _NAMED:
        return None if partition is None else partition.kind
    same = json.dumps([partition.cell_ids, dict(partition.settings), dict(partition.rule)])
    return f"{partition.kind} {digest(same.encode())[:8]}"


def _scores(
    predictions: pa.Table, partition: Partition | None, metrics: Collection[str]
) -> dict[str, Scores]:
    places = strings(predictions, "place_id")
    points, countries = coordinates(predictions), strings(predictions, "country").copy()
    located = np.asarray(np.isfinite(points).all(axis=1))
    unnamed = located & _missing(countries)
    if unnamed.any():
        countries[unnamed] = Boundaries.packed().country_at(points[unnamed])
    labelled = ~_missing(countries)
    found: dict[str, Scores] = {}

    def add(metric: str, values: NDArray[np.float64] | NDArray[np.bool_], where: NDArray[np.bool_]) -> None:
        if metric in metrics and where.any():
            statistic = "median" if metric.startswith("median") else "mean"
            found[metric] = Scores(places[where], np.asarray(values, np.float64)[where], statistic)  # type: ignore[arg-type]

    add("country_accuracy", countries == strings(predictions, "guess_country"), labelled)
    if "country_accuracy_nearest_place" in metrics:
        guess = np.column_stack([predictions[f"guess_{axis}"] for axis in ("latitude", "longitude")])
        add("country_accuracy_nearest_place", nearest_place_countries(guess) == countries, labelled)
    distance = predictions["distance_km"].to_numpy(zero_copy_only=False).astype(np.float64)
    add("median_distance_km", distance, located)
    add("mean_distance_km", distance, located)
    add("geoguessr_score", geoguessr_score(distance), located)
    for metric, limit in _WITHIN.items():
        add(metric, distance <= limit, located)
    if "anchor_error_degrees" in predictions.column_names:
        error = predictions["anchor_error_degrees"].to_numpy(zero_copy_only=False).astype(np.float64)
        add("anchor_error_degrees", error, np.isfinite(error))
    if partition is not None:
        cells = partition.assign(points, countries)
        ids = np.array([*partition.cell_ids, None], dtype=object)  # the last is that of OUTSIDE
        truth = ids[np.where(cells == OUTSIDE, len(partition), cells)]
        hit = _hits(predictions["candidates"].to_pylist(), truth)
        judged = located | labelled
        for k in TOP:
            add(f"top_{k}_accuracy", np.asarray(hit[:, :k].any(axis=1)), judged)
        if "balanced_accuracy" in metrics and judged.any():
            classes = np.where(_missing(truth), countries, truth)[judged]
            right = hit[judged, 0].astype(np.float64)
            found["balanced_accuracy"] = Scores(places[judged], right, "balanced", classes)
    return found


def _missing(values: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([value is None for value in values], dtype=bool)


def _hits(candidates: list[list[str]], truth: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Is the candidate of each rank the true cell, (n, ranks)?"""
    hit = np.zeros((len(truth), max(TOP)), dtype=bool)
    for row, (ranked, true) in enumerate(zip(candidates, truth, strict=True)):
        if true is not None:
            for rank, cell in enumerate(ranked[: max(TOP)]):
                hit[row, rank] = cell == true
    return hit
