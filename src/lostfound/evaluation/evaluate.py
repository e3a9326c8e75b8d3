"""Evaluating: a model on a data set's held-back places, through the same engine that answers users."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import SPLITS, coordinates, strings
from lostfound.errors import DatasetError, ImageError, UsageError
from lostfound.evaluation.confusion_plot import draw_confusion
from lostfound.evaluation.metrics import (
    DISTANCES_KM,
    Bootstrap,
    Metric,
    anchor_errors,
    degrees_apart,
    expected_calibration_error,
)
from lostfound.files import write_atomic
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import geoguessr_score, haversine_km
from lostfound.partitions import OUTSIDE, Partition
from lostfound.predict.countries import guessed_countries, nearest_place_countries
from lostfound.predict.decoders import Ranked
from lostfound.predict.locator import Locator
from lostfound.progress import progress

TOP = (1, 3, 5)

Unit = Literal["image", "place"]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        metrics: The numbers by name; those that the data can't give are left out.
        calibration_error: Expected calibration error of the best candidate's probability; None from a model
            without cells.
        predictions: One row an image, or a place: truth, guess, distance, candidates.
        about: The model, the data set, the split, what is scored (image or place), and how many lie outside
            the model's cells.
    """

    metrics: dict[str, Metric]
    calibration_error: float | None
    predictions: pa.Table
    about: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the predictions, as plain values."""
        return {
            **self.about,
            "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
            "expected_calibration_error": self.calibration_error,
        }

    def save(self, folder: str | Path) -> Path:
        """Write `metrics.json`, `predictions.parquet` and `confusion.png`."""
        folder = Path(folder)
        buffer = io.BytesIO()
        pq.write_table(self.predictions, buffer, compression="zstd")
        write_atomic(folder / "predictions.parquet", buffer.getvalue())
        truth, guess = (strings(self.predictions, name) for name in ("country", "guess_country"))
        write_atomic(folder / "confusion.png", draw_confusion(truth, guess, title=self.title))
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomic(folder / "metrics.json", text.encode())
        return folder

    @property
    def scored(self) -> str:
        """What was scored, in words."""
        about = self.about
        if about["unit"] == "place":
            return f"{about['places']} places, by the mean of their {about['images']} images"
        return f"{about['images']} images"

    @property
    def title(self) -> str:
        """What was evaluated on what."""
        about = self.about
        return f"{about['model']} on {about['dataset']}, {about['split']} split, {self.scored}"


def evaluate(
    locator: Locator, dataset: Dataset, split: str = "test", *, unit: Unit | None = None
) -> Evaluation:
    """Score a model on one split.

    Args:
        locator: The model.
        dataset: The data set.
        split: train, val or test; or "all" for a data set that the model never saw.
        unit: Score each image, or each place once by the mean of its views' outputs; by default as the model
            was trained.

    Raises:
        UsageError: There is no such split.
        DatasetError: The split is empty, none of its images has a place, or one can't be read.
    """
    if split not in (*SPLITS, "all"):
        raise UsageError(f"no split {split!r}: choose one of {', '.join(SPLITS)}, all")
    part = dataset if split == "all" else dataset.split(split)
    if not len(part):
        raise DatasetError(
            f"{dataset.folder} has no images in the split {split!r}: choose another split, or give it a "
            "share with `lostfound prepare --resplit`"
        )
    unit = unit or ("place" if locator.model.views > 1 else "image")
    images = len(part)
    outputs = part_outputs(locator, part)
    if unit == "place":
        part, outputs = by_place(part, outputs)
    points, countries = coordinates(part.records), strings(part.records, "country")
    located = np.asarray(np.isfinite(points).all(axis=1))
    labelled = np.array([code is not None for code in countries], dtype=bool) | located
    if not labelled.any():
        raise DatasetError(
            f"none of the {len(part)} images of {dataset.folder} in the split {split!r} has a country or "
            "coordinates: there is nothing to compare answers with"
        )
    unnamed = located & np.array([code is None for code in countries], dtype=bool)
    countries = countries.copy()
    countries[unnamed] = Boundaries.packed().country_at(points[unnamed])
    partition, ranked = locator.model.partition, locator.model.decoder.read(outputs, max(TOP))
    guess = ranked.points[:, 0]
    guess_countries = guessed_countries(ranked, partition)
    distance = np.full(len(part), np.nan)
    distance[located] = haversine_km(points[located], guess[located])

    bootstrap = Bootstrap(strings(part.records, "place_id"))
    found: dict[str, Metric | None] = {}
    calibration = None
    outside = np.zeros(len(part), dtype=bool)
    named = np.array([code or "no country" for code in countries], dtype=object)
    if partition is not None:
        truth = partition.assign(points, countries)
        hit = (ranked.cells == truth[:, None]) & (truth != OUTSIDE)[:, None]
        for k in TOP:
            found[f"top_{k}_accuracy"] = bootstrap.mean(hit[:, :k].any(axis=1), labelled)
        classes = np.where(truth == OUTSIDE, named, np.array(partition.cell_ids, dtype=object)[truth])
        found["balanced_accuracy"] = bootstrap.balanced(hit[:, 0], classes, labelled)
        best = ranked.probabilities[:, 0]
        calibration = expected_calibration_error(best[labelled], hit[labelled, 0])
        outside = labelled & (truth == OUTSIDE)
    if partition is None or partition.kind != "countries":
        found["country_accuracy"] = bootstrap.mean(guess_countries == countries, labelled)
    nearest = nearest_place_countries(guess)
    found["country_accuracy_nearest_place"] = bootstrap.mean(nearest == countries, labelled)
    found["mean_distance_km"] = bootstrap.mean(distance, located)
    found["median_distance_km"] = bootstrap.median(distance, located)
    found["geoguessr_score"] = bootstrap.mean(geoguessr_score(distance), located)
    for name, limit in DISTANCES_KM.items():
        found[f"within_{limit}_km_{name}"] = bootstrap.mean(distance <= limit, located)
    if locator.model.config["task"].get("scaling") == "origin":  # as GeoTrainr has it
        degrees = np.full(len(part), np.nan)
        degrees[located] = degrees_apart(points[located], guess[located])
        found["mean_error_degrees"] = bootstrap.mean(degrees, located)
        found["within_5_degrees"] = bootstrap.mean(degrees <= 5, located)
    anchor_error = None
    if locator.model.config["task"]["kind"] == "distance":
        assert partition is not None
        clip = float(locator.model.config["task"]["clip_degrees"])
        anchor_error = anchor_errors(outputs, points, partition.centroids, clip)
        found["anchor_error_degrees"] = bootstrap.mean(anchor_error, located)
    about = {
        "model": locator.model.path.resolve().name,
        "dataset": dataset.name,
        "records_sha256": dataset.info["records_sha256"],
        "split": split,
        "images": images,
        "places": bootstrap.count,
        "unit": unit,
        "cells": None if partition is None else len(partition),
        "images_outside_all_cells": int(outside.sum()),
        "countries_outside_all_cells": sorted(set(named[outside])),
        "lostfound": version("lostfound"),
    }
    predictions = _predictions(part, partition, ranked, guess_countries, distance)
    if anchor_error is not None:
        predictions = predictions.append_column(
            "anchor_error_degrees", pa.array(anchor_error, from_pandas=True)
        )
    metrics = {name: metric for name, metric in found.items() if metric is not None}
    return Evaluation(metrics, calibration, predictions, about)


def part_outputs(locator: Locator, part: Dataset) -> NDArray[np.float32]:
    """The model's outputs for every image, (n, width), with progress.

    Raises:
        DatasetError: An image can't be read.
    """

    def images() -> Iterator[bytes]:
        for index in range(len(part)):
            yield part.read(index)

    rows = []
    with progress("Evaluating", len(part)) as advance:
        for index, row in enumerate(locator.outputs(images())):
            if isinstance(row, ImageError):
                image_id = part.records["image_id"][index].as_py()
                raise DatasetError(f"image {image_id} of {part.folder} can't be read ({row}): import again")
            rows.append(row)
            advance(1)
    return np.stack(rows)


def by_place(part: Dataset, outputs: NDArray[np.float32]) -> tuple[Dataset, NDArray[np.float32]]:
    """The first record of each place, and the mean of its views' outputs."""
    _, first, index = np.unique(
        strings(part.records, "place_id").astype(str), return_index=True, return_inverse=True
    )
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(index[order])) + 1])
    sums = np.add.reduceat(outputs[order].astype(np.float64), starts, axis=0)
    means = sums / np.bincount(index)[:, None]
    return part.with_records(part.records.take(pa.array(first))), means.astype(np.float32)


def _predictions(
    part: Dataset,
    partition: Partition | None,
    ranked: Ranked,
    guess_countries: NDArray[np.object_],
    distance: NDArray[np.float64],
) -> pa.Table:
    columns = {
        **{name: part.records[name] for name in ("image_id", "place_id", "original", "heading")},
        **{name: part.records[name] for name in ("latitude", "longitude", "country")},
        "guess_latitude": ranked.points[:, 0, 0],
        "guess_longitude": ranked.points[:, 0, 1],
        "guess_country": pa.array(guess_countries, pa.string()),
        "distance_km": pa.array(distance, from_pandas=True),
    }
    if partition is not None:
        ids = np.array(partition.cell_ids, dtype=object)
        columns["candidates"] = pa.array(ids[ranked.cells].tolist(), pa.list_(pa.string()))
        columns["probabilities"] = pa.array(ranked.probabilities.tolist())
    return pa.table(columns)
