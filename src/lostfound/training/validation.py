"""How good a network is on the validation split: what chooses the best epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from lostfound.errors import RecipeError
from lostfound.evaluation.evaluate import metric_samples
from lostfound.evaluation.matching import Matched, Truth
from lostfound.evaluation.metrics import METRICS
from lostfound.partitions import OUTSIDE
from lostfound.predict.decoders import OutputDecoder, names_of, ranked
from lostfound.predict.levels import Levels
from lostfound.predict.locator import MOST_NUMBERS
from lostfound.predict.predictions import Predictions, concatenated
from lostfound.training.images import LabelledImages
from lostfound.training.settings import MONITORS, Monitor

_MEASURED = [name for name in MONITORS if METRICS[name].values is not None]


@dataclass(frozen=True)
class Validation:
    """The truth about samples of the validation split.

    Attributes:
        decoder: From outputs to predictions.
        truth: Where the samples are; those that lie in no cell count as wrong whatever is answered.
        cells: The numbers of their cells, (n,); `OUTSIDE` for none, and where the answers are bare points.
    """

    decoder: OutputDecoder
    truth: Truth
    cells: NDArray[np.int64]

    @classmethod
    def of(
        cls, decoder: OutputDecoder, images: LabelledImages, rows: NDArray[np.int64], monitor: Monitor
    ) -> Validation:
        """The truth about samples whose first views are these rows.

        Raises:
            RecipeError: What chooses the best epoch can't be told from these images.
        """
        samples = images.take(rows)
        partition, cells = decoder.partition, np.full(len(rows), OUTSIDE)
        if partition is not None:
            cells = partition.assign(samples.points, samples.countries)
        validation = cls(decoder, Truth(samples.dataset.records), cells)
        guess = np.zeros((len(rows), decoder.width), dtype=np.float32)
        guess[:, 0] = 1.0
        if monitor not in validation.measure(guess):
            where = f"the {len(rows)} validation images of {images.dataset.folder}"
            why = (
                "none of them has coordinates: use a data set whose validation images do"
                if METRICS[monitor].unit == "km"
                else "the task answers with coordinates, not cells: choose median_distance_km or "
                "country_accuracy"
                if partition is None
                else f"none of them lies in one of the {len(partition)} cells: import more places, or lower "
                "task.min_images"
            )
            raise RecipeError(f"trainer.monitor={monitor} can't be measured on {where}: {why}")
        return validation

    @cached_property
    def _levels(self) -> Levels | None:
        """What countries the cells lie in, where cells are not countries themselves."""
        partition = self.decoder.partition
        return None if partition is None or partition.kind == "countries" else Levels.of(partition, None)

    def _predictions(self, outputs: NDArray[np.floating[Any]], rows: slice) -> Predictions:
        ids = names_of(None, len(outputs))
        belief = self.decoder.believe(outputs[rows], ids[rows])
        found = ranked(belief, 1)
        if self._levels is None:
            return found
        return replace(found, countries=self._levels.best_countries(belief))

    def measure(self, outputs: NDArray[np.floating[Any]]) -> dict[str, float]:
        """The numbers that can be told, of outputs (n, width): as the finished model's are measured."""
        matched = Matched(
            concatenated([self._predictions(outputs, rows) for rows in self._blocks]), self.truth
        )
        inside = self.cells != OUTSIDE
        measured = _MEASURED
        if not inside.any():  # what no answer could get right chooses nothing
            measured = [name for name in measured if not METRICS[name].of_cells]
        found = {name: samples.value for name, samples in metric_samples(matched, measured).items()}
        if self.decoder.partition is not None and inside.any():
            losses = np.concatenate([self._losses(outputs[rows], self.cells[rows]) for rows in self._blocks])
            found["loss"] = float(losses.mean())
        return found

    @cached_property
    def _blocks(self) -> list[slice]:
        """The samples in blocks of whose probabilities memory holds all."""
        cells = 1 if self.decoder.partition is None else len(self.decoder.partition)
        step = max(1, MOST_NUMBERS // cells)
        return [slice(start, start + step) for start in range(0, len(self.cells), step)]

    def _losses(self, outputs: NDArray[np.floating[Any]], cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """The cross-entropy of those samples that lie in a cell."""
        inside = cells != OUTSIDE
        logits = self.decoder.logits(outputs[inside])
        return np.asarray(-log_softmax(logits, axis=1)[np.arange(len(logits)), cells[inside]])
