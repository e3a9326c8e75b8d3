"""How good a network is on the validation split: what chooses the best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from lostfound.errors import RecipeError
from lostfound.geo.sphere import haversine_km
from lostfound.partitions import OUTSIDE
from lostfound.predict.countries import guessed_countries
from lostfound.predict.decoders import OutputDecoder
from lostfound.training.settings import Monitor
from lostfound.training.targets import Images

HIGHER_IS_BETTER = {"accuracy", "balanced_accuracy", "country_accuracy"}


@dataclass(frozen=True)
class Validation:
    """The truth about samples of the validation split.

    Attributes:
        answers: How outputs are read.
        cells: The true cells, (n,); `OUTSIDE` for those that count as wrong whatever is answered, and where
            the answers are bare points.
        points: Degrees, (n, 2); NaN where unknown.
        countries: ISO alpha-2, (n,).
    """

    answers: OutputDecoder
    cells: NDArray[np.int64]
    points: NDArray[np.float64]
    countries: NDArray[np.object_]

    @classmethod
    def of(
        cls, answers: OutputDecoder, images: Images, rows: NDArray[np.int64], monitor: Monitor
    ) -> Validation:
        """The truth about samples whose first views are these rows.

        Raises:
            RecipeError: What chooses the best epoch can't be told from these images.
        """
        points, countries = images.points[rows], images.countries[rows]
        partition = answers.partition
        cells = np.full(len(rows), OUTSIDE)
        if partition is not None:
            cells = partition.assign(points, countries)
        validation = cls(answers, cells, points, countries)
        guess = np.zeros((len(rows), answers.width), dtype=np.float32)
        guess[:, 0] = 1.0
        if monitor not in validation.measure(guess):
            where = f"the {len(rows)} validation images of {images.dataset.folder}"
            why = (
                "none of them has coordinates: use a data set whose validation images do"
                if monitor.endswith("_km")
                else "the task answers with coordinates, not cells: choose median_km or country_accuracy"
                if partition is None
                else f"none of them lies in one of the {len(partition)} cells: import more places, or lower "
                "task.min_images"
            )
            raise RecipeError(f"trainer.monitor={monitor} can't be measured on {where}: {why}")
        return validation

    def measure(self, outputs: NDArray[np.floating[Any]]) -> dict[str, float]:
        """The numbers that can be told, of outputs (n, width)."""
        ranked = self.answers.read(outputs, 1)
        found: dict[str, float] = {}
        inside = self.cells != OUTSIDE
        if self.answers.partition is not None and inside.any():
            hit = (ranked.cells[:, 0] == self.cells) & inside
            found["accuracy"] = float(hit.mean())
            found["balanced_accuracy"] = _mean_recall(hit[inside], self.cells[inside])
            logits = np.asarray(outputs[:, : len(self.answers.partition)], dtype=np.float64)
            losses = -log_softmax(logits, axis=1)[inside, self.cells[inside]]
            found["loss"] = float(losses.mean())
        labelled = np.array([code is not None for code in self.countries], dtype=bool)
        if labelled.any():
            guessed = guessed_countries(ranked, self.answers.partition)
            found["country_accuracy"] = float((guessed == self.countries)[labelled].mean())
        located = np.isfinite(self.points).all(axis=1)
        if located.any():
            km = haversine_km(self.points[located], ranked.points[located, 0])
            found["median_km"], found["mean_km"] = float(np.median(km)), float(km.mean())
        return found


def _mean_recall(hit: NDArray[np.bool_], cells: NDArray[np.int64]) -> float:
    _, classes = np.unique(cells, return_inverse=True)
    return float((np.bincount(classes, hit) / np.bincount(classes)).mean())
