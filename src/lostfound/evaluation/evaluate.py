"""Evaluating: answers turned into numbers, whoever gave them; and a model measured on held-back places."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.labels import Labels
from lostfound.data.records import SPLITS, strings
from lostfound.errors import DatasetError, UsageError, refused_as
from lostfound.evaluation.bootstrap import Samples, Score, bootstrap
from lostfound.evaluation.confusion_plot import draw_confusion
from lostfound.evaluation.matching import Matched, Truth, cells_key, match
from lostfound.evaluation.metrics import GEOTRAINR, METRICS, TOP, expected_calibration_error, usual_metrics
from lostfound.evaluation.rules import OURS, Rules, rules_of
from lostfound.files import digest, write_atomic, write_json
from lostfound.partitions import Partition
from lostfound.predict.locator import Locator, Unit
from lostfound.predict.predictions import Predictions

PREDICTIONS, NUMBERS, CONFUSION = "predictions.parquet", "metrics.json", "confusion.png"


@dataclass(frozen=True)
class Evaluation:
    """What answers are worth.

    Attributes:
        metrics: The numbers by name (see `lostfound.evaluation.metrics.METRICS`); those that can't be told
            are left out.
        calibration_error: Expected calibration error of the best candidate's probability; None without
            probabilities.
        predictions: One row an image, or a place: truth, guess, distance, candidates.
        about: Who answered, the data set, the split, what is scored (image or place), and how many lie
            outside all cells.
    """

    metrics: dict[str, Score]
    calibration_error: float | None
    predictions: pa.Table
    about: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the predictions, as plain values."""
        return {
            **self.about,
            "metrics": {name: asdict(score) for name, score in self.metrics.items()},
            "expected_calibration_error": self.calibration_error,
        }

    def save(self, folder: str | Path) -> Path:
        """Write `metrics.json`, `predictions.parquet` and `confusion.png`."""
        folder = Path(folder)
        buffer = io.BytesIO()
        pq.write_table(self.predictions, buffer, compression="zstd")
        write_atomic(folder / PREDICTIONS, buffer.getvalue())
        truth, guess = (strings(self.predictions, name) for name in ("country", "guess_country"))
        write_atomic(folder / CONFUSION, draw_confusion(truth, guess, title=self.title))
        write_json(folder / NUMBERS, self.as_dict())
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Evaluation:
        """Read what `save` wrote.

        Raises:
            DatasetError: The folder holds no report, or a damaged one.
        """
        folder = Path(folder)
        missing = [name for name in (NUMBERS, PREDICTIONS) if not (folder / name).is_file()]
        if missing:
            raise DatasetError(
                f"{folder} is no report, it has no {missing[0]}: give a folder that "
                "`lostfound evaluate MODEL DATASET --to FOLDER` wrote"
            )
        with refused_as(DatasetError, f"{folder} can't be read as a report: evaluate again"):
            about = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
            metrics = {name: Score(**score) for name, score in about.pop("metrics").items()}
            error = about.pop("expected_calibration_error")
            table = pq.read_table(folder / PREDICTIONS)
            read = cls(metrics, error, table, about)
            read.matched()  # is it a table of predictions at all?
        return read

    def matched(self) -> Matched:
        """The predictions beside the truth; the true cells are those that the table has."""
        return Matched(Predictions.from_table(self.predictions), Truth(self.predictions), self.rules)

    def on(self, rows: NDArray[np.integer[Any]]) -> Matched:
        """Some of the predictions beside the truth, by their rows."""
        table = self.predictions.take(pa.array(rows))
        return Matched(Predictions.from_table(table), Truth(table), self.rules)

    @property
    def rules(self) -> Rules:
        """How distances were measured and counted."""
        return rules_of(self.about.get("rules", OURS.name))

    @property
    def scored(self) -> str:
        """What was scored, in words."""
        about = self.about
        if about["unit"] == "place":
            return f"{about['places']} places, by the mean of their {about['images']} images"
        return f"{about['images']} images"

    @property
    def title(self) -> str:
        """What was evaluated on what, and on how much of it."""
        return f"{self.subject}, {self.scored}"

    @property
    def subject(self) -> str:
        """What was evaluated on what."""
        about = self.about
        splits = "all splits" if about["split"] == "all" else f"{about['split']} split"
        return f"{about['model']} on {about['dataset']}, {splits}"


def score(
    predictions: Predictions,
    dataset: Dataset | Labels,
    *,
    metrics: Sequence[str] | None = None,
    by: str = "predictions",
    rules: str = OURS.name,
) -> Evaluation:
    """Turn answers into numbers, each with n and a 95 % bootstrap interval by place.

    Args:
        predictions: Answers to images of the data set, by their `image_id`; images that nobody answered are
            left out of every number, and counted.
        dataset: Says where they really are. Its images are not read.
        metrics: Which, of `lostfound.evaluation.metrics.METRICS`; the usual ones if None.
        by: Who answered, as reports name it.
        rules: Whose rules say what a distance is and what is within it (`lostfound.evaluation.rules.RULES`):
            ours, osv5m, geoestimation, geoclip or pigeon.

    Raises:
        UsageError: There is no such metric, or no such rules.
        DatasetError: A prediction is of no image, or none of the images has a place to compare answers with.

    Examples:
        >>> import lostfound
        >>> dataset = lostfound.Dataset.open("data/streets").split("test")
        >>> scores = lostfound.score(lostfound.load("models/mine").predict(dataset), dataset)
        >>> accuracy = scores.metrics["top_1_accuracy"]
        >>> 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
        True
    """
    by_rules = rules_of(rules)
    where = dataset.path if isinstance(dataset, Labels) else dataset.folder
    try:
        matched = match(predictions, dataset.stored, by_rules)
    except ValueError as error:
        raise DatasetError(f"the predictions don't belong to {where}: {error}") from None
    if not matched.truth.labelled.any():
        raise DatasetError(
            f"none of the {len(dataset)} images of {where} that were answered has a country or "
            "coordinates: there is nothing to compare answers with"
        )
    names = metrics
    if names is None:
        usual = usual_metrics(predictions)
        names = [*usual, *(name for name in by_rules.metrics if name not in usual)]
    found = {name: bootstrap(samples) for name, samples in metric_samples(matched, names).items()}
    partition, outside = predictions.partition, np.zeros(len(predictions), dtype=bool)
    if predictions.cells is not None:
        outside = matched.outside
    about = {
        "model": by,
        "dataset": dataset.name,
        "records_sha256": digest(dataset.path.read_bytes())
        if isinstance(dataset, Labels)
        else dataset.info["records_sha256"],
        "split": "all",
        "images": len(dataset),
        "places": len(np.unique(matched.truth.places.astype(str))),
        "unit": "image",
        "cells": None if partition is None else len(partition),
        "cells_are": "countries"
        if partition is None and predictions.cells is not None
        else cells_key(partition),
        "images_outside_all_cells": int(outside.sum()),
        "countries_outside_all_cells": sorted(set(matched.classes[outside])) if outside.any() else [],
        "lostfound": version("lostfound"),
    }
    if by_rules is not OURS:
        about["rules"] = by_rules.name
    if len(predictions) < len(dataset):
        about["images_without_an_answer"] = len(dataset) - len(predictions)
    return Evaluation(found, _calibration_error(matched), _table(matched), about)


def evaluate(
    locator: Locator,
    dataset: Dataset,
    split: str = "test",
    *,
    unit: Unit | None = None,
    ranks: int = max(TOP),
    rules: str = OURS.name,
) -> Evaluation:
    """Measure a model on one split, through the same engine that answers users.

    Args:
        locator: The model.
        dataset: The data set.
        split: train, val or test; or "all" for a data set that the model never saw.
        unit: Score each image, or each place once by the mean of its views' outputs; by default as the model
            was trained.
        ranks: How many cells to keep of each answer, five at least; a report's map of the cells shows them.
        rules: Whose rules say what a distance is and what is within it (see `score`).

    Raises:
        UsageError: There is no such split, or no such rules.
        DatasetError: The split is empty, none of its images has a place, or one can't be read.

    Examples:
        >>> import lostfound
        >>> dataset = lostfound.Dataset.open("data/streets")
        >>> measured = lostfound.evaluate(lostfound.load("models/mine"), dataset, "test")
        >>> measured.metrics["top_1_accuracy"].n == measured.about["images"]
        True
        >>> measured.save("report").name
        'report'
    """
    part = _part(dataset, split)
    unit = unit or locator.unit
    predictions = locator.predict(part, unit=unit, top=max(ranks, *TOP))
    follows_geotrainr = locator.model.config["task"].get("scaling") == "origin"
    also = [*rules_of(rules).metrics, *(GEOTRAINR if follows_geotrainr else ())]
    usual = usual_metrics(predictions)
    measured = score(
        predictions,
        part,
        metrics=[*usual, *(name for name in also if name not in usual)],
        by=locator.model.name,
        rules=rules,
    )
    measured.about.pop("images_without_an_answer", None)  # of a place its first image answers for all
    about = {**measured.about, "split": split, "unit": unit, "model_sha256": locator.model.fingerprint}
    return replace(measured, about=about)


def metric_samples(matched: Matched, metrics: Sequence[str]) -> dict[str, Samples]:
    """The values of metrics, sample by sample; without those that can't be told.

    Raises:
        UsageError: There is no such metric.
    """
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise UsageError(f"no metric {unknown[0]!r}: choose of {', '.join(METRICS)}")
    found = {name: METRICS[name].samples(matched) for name in metrics}
    return {name: samples for name, samples in found.items() if samples is not None}


def report_samples(
    report: Path, partition: Partition | None, metrics: Sequence[str]
) -> Mapping[str, Samples]:
    """The values of metrics, sample by sample, from the predictions that a report kept.

    Args:
        report: The folder that `Evaluation.save` wrote.
        partition: What the model's cells are.
        metrics: Which.
    """
    table = pq.read_table(report / PREDICTIONS)
    return metric_samples(Matched(Predictions.from_table(table, partition), Truth(table)), metrics)


def _part(dataset: Dataset, split: str) -> Dataset:
    if split not in (*SPLITS, "all"):
        raise UsageError(f"no split {split!r}: choose one of {', '.join(SPLITS)}, all")
    part = dataset if split == "all" else dataset.split(split)
    if not len(part):
        raise DatasetError(
            f"{dataset.folder} has no images in the split {split!r}: choose another split, or give it a "
            "share with `lostfound prepare --resplit`"
        )
    return part


def _calibration_error(matched: Matched) -> float | None:
    probabilities = matched.predictions.probabilities
    if probabilities is None:
        return None
    labelled = matched.truth.labelled
    return expected_calibration_error(probabilities[labelled, 0], matched.hits[labelled, 0])


def _table(matched: Matched) -> pa.Table:
    """The truth beside the predictions: what a report keeps."""
    predictions = matched.predictions.to_table()
    table = matched.truth.records.select(
        [name for name in matched.truth.records.column_names if name not in predictions.column_names]
    )
    table = table.add_column(0, "image_id", predictions["image_id"])
    for name in predictions.column_names[1:]:
        table = table.append_column(name, predictions[name])
    if matched.predictions.cells is not None:
        table = table.append_column("cell", pa.array(matched.true_cells, pa.string()))
    table = table.append_column("distance_km", pa.array(matched.distance_km, from_pandas=True))
    return table.replace_schema_metadata(predictions.schema.metadata)
