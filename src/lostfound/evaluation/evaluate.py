"""Evaluating: a model on a data set's held-back places, through the same engine that answers users."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import SPLITS, coordinates, strings, write_atomic
from lostfound.errors import DatasetError, ImageError, UsageError
from lostfound.evaluation.metrics import (
    DISTANCES_KM,
    Bootstrap,
    Metric,
    expected_calibration_error,
)
from lostfound.evaluation.pictures import draw_confusion
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.partitions import OUTSIDE
from lostfound.geo.score import geoguessr_score
from lostfound.geo.sphere import haversine_km
from lostfound.locate.locator import Locator
from lostfound.progress import progress

TOP = (1, 3, 5)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        metrics: The numbers by name; those that the data can't give are left out.
        calibration_error: Expected calibration error of the best candidate's probability.
        predictions: One row an image: truth, guess, distance, candidates.
        about: The model, the data set, the split, and how many images lie outside the model's cells.
    """

    metrics: dict[str, Metric]
    calibration_error: float
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
    def title(self) -> str:
        """What was evaluated on what."""
        about = self.about
        return f"{about['model']} on {about['dataset']}, {about['split']} split, {about['images']} images"


def evaluate(locator: Locator, dataset: Dataset, split: str = "test") -> Evaluation:
    """Score a model on one split, image by image.

    Args:
        locator: The model.
        dataset: The data set.
        split: train, val or test; or "all" for a data set that the model never saw.

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
    partition = locator.model.partition
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
    logits = _logits(locator, part)
    truth = partition.assign(points, countries)
    probabilities = locator.probabilities(logits)
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    hit = ranked == truth[:, None]
    guess = partition.decode(ranked[:, 0])
    distance = np.full(len(part), np.nan)
    distance[located] = haversine_km(points[located], guess[located])

    bootstrap = Bootstrap(strings(part.records, "place_id"))
    found: dict[str, Metric | None] = {
        f"top_{k}_accuracy": bootstrap.mean(hit[:, :k].any(axis=1), labelled) for k in TOP
    }
    named = np.array([code or "no country" for code in countries], dtype=object)
    classes = np.where(truth == OUTSIDE, named, np.array(partition.cell_ids, dtype=object)[truth])
    found["balanced_accuracy"] = bootstrap.balanced(hit[:, 0], classes, labelled)
    found["mean_distance_km"] = bootstrap.mean(distance, located)
    found["median_distance_km"] = bootstrap.median(distance, located)
    found["geoguessr_score"] = bootstrap.mean(geoguessr_score(distance), located)
    for name, limit in DISTANCES_KM.items():
        found[f"within_{limit}_km_{name}"] = bootstrap.mean(distance <= limit, located)
    best = probabilities.max(axis=1)
    calibration = expected_calibration_error(best[labelled], hit[labelled, 0])
    outside = labelled & (truth == OUTSIDE)
    about = {
        "model": locator.model.path.resolve().name,
        "dataset": dataset.name,
        "records_sha256": dataset.info["records_sha256"],
        "split": split,
        "images": len(part),
        "places": bootstrap.count,
        "unit": "image",
        "cells": len(partition),
        "images_outside_all_cells": int(outside.sum()),
        "countries_outside_all_cells": sorted(set(named[outside])),
        "lostfound": version("lostfound"),
    }
    predictions = _predictions(part, locator, ranked, probabilities, guess, distance)
    metrics = {name: metric for name, metric in found.items() if metric is not None}
    return Evaluation(metrics, calibration, predictions, about)


def _logits(locator: Locator, part: Dataset) -> NDArray[np.float32]:
    def images() -> Iterator[bytes]:
        for index in range(len(part)):
            yield part.read(index)

    rows = []
    with progress("Evaluating", len(part)) as advance:
        for index, row in enumerate(locator.scores(images())):
            if isinstance(row, ImageError):
                image_id = part.records["image_id"][index].as_py()
                raise DatasetError(f"image {image_id} of {part.folder} can't be read ({row}): import again")
            rows.append(row)
            advance(1)
    return np.stack(rows)


def _predictions(
    part: Dataset,
    locator: Locator,
    ranked: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    guess: NDArray[np.float64],
    distance: NDArray[np.float64],
) -> pa.Table:
    partition = locator.model.partition
    ids = np.array(partition.cell_ids, dtype=object)
    top = ranked[:, : max(TOP)]
    return pa.table(
        {
            **{name: part.records[name] for name in ("image_id", "place_id", "original", "heading")},
            **{name: part.records[name] for name in ("latitude", "longitude", "country")},
            "guess_latitude": guess[:, 0],
            "guess_longitude": guess[:, 1],
            "guess_country": pa.array([partition.countries[cell] for cell in ranked[:, 0]], pa.string()),
            "distance_km": pa.array(distance, from_pandas=True),
            "candidates": pa.array(ids[top].tolist(), pa.list_(pa.string())),
            "probabilities": pa.array(np.take_along_axis(probabilities, top, axis=1).tolist()),
        }
    )
