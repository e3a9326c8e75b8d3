"""Answers to a small world, whoever gave them, and reports of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.evaluation.evaluate import Evaluation, score
from lostfound.predict.predictions import Predictions


@pytest.fixture(scope="session")
def dataset(dataset_folder: Path) -> Dataset:
    return Dataset.open(dataset_folder)


def answers(dataset: Dataset, *, seed: int = 0, off: float = 5.0, rows: slice = slice(None)) -> Predictions:
    """Answers that are off by so many degrees, and countries of which two in three are right."""
    generator = np.random.default_rng(seed)
    records = dataset.records
    ids = strings(records, "image_id")[rows]
    truth, points = strings(records, "country")[rows], coordinates(records)[rows]
    others = np.array(["FR", "JP", "BR", "KE", "AU"], dtype=object)
    best = np.where(generator.random(len(ids)) < 0.67, truth, generator.choice(others, len(ids)))
    second = np.where(best == "FR", "JP", "FR")
    sure = generator.uniform(0.5, 1.0, len(ids))
    return Predictions(
        ids,
        np.clip(points + generator.normal(0, off, points.shape), -80, 80),
        np.stack([best, second], axis=1).astype(object),
        np.stack([sure, 1 - sure], axis=1),
        radius_50_km=np.full(len(ids), 500.0),
        radius_90_km=np.full(len(ids), 1500.0),
    )


@pytest.fixture
def report(dataset: Dataset, tmp_path: Path) -> Callable[..., Path]:
    """Write a report of such answers."""

    def write(name: str, *, by: str | None = None, **how: object) -> Path:
        return score(answers(dataset, **how), dataset, by=by or name).save(tmp_path / name)  # type: ignore[arg-type]

    return write


@pytest.fixture(scope="session")
def measured(dataset: Dataset) -> Evaluation:
    return score(answers(dataset), dataset, by="somebody")
