"""What people answered, guess by guess beside the truth, and what models say of the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.bootstrap import Samples
from lostfound.evaluation.matching import match
from lostfound.evaluation.metrics import METRICS
from lostfound.play.answers import to_predictions
from lostfound.play.export import study_cells
from lostfound.play.games import PlayerGuess
from lostfound.play.opponents import Opponent
from lostfound.play.places import Places
from lostfound.play.results import SCORED
from lostfound.play.settings import GameSettings
from lostfound.play.store import read_study
from lostfound.predict.predictions import Predictions

Values = Mapping[str, NDArray[np.float64]]
"""By metric the value of each guess, (n,); NaN where it has none."""


@dataclass(frozen=True)
class Answered:
    """The guesses of a study whose places the players did not know.

    Attributes:
        places: What was asked.
        guesses: The n guesses, those of practice too.
        known: How many were left out because the player knew the place.
        values: What each is worth.
        models: What each model's answer to the same picture is worth, by the model's name.
    """

    places: Places
    guesses: Sequence[PlayerGuess]
    known: int
    values: Values
    models: Mapping[str, Values]

    def column(self, name: str) -> NDArray[Any]:
        """An attribute of the guesses, (n,)."""
        return np.array([getattr(each, name) for each in self.guesses], dtype=object)

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Which were no practice, (n,)."""
        return ~self.column("practice").astype(bool)

    @property
    def primary(self) -> str:
        """The metric that counts."""
        return SCORED[self.places.settings.mode][0]

    def samples(
        self, values: Values, metric: str, over: NDArray[np.object_], rows: NDArray[np.bool_]
    ) -> Samples | None:
        """Values of a metric as samples; None if there are none.

        Args:
            values: The people's, or a model's.
            metric: Which.
            over: What is resampled: the place or the player of each guess, (n,).
            rows: Which guesses, (n,).
        """
        told = rows & np.isfinite(values[metric]) & np.isfinite(self.values[metric])
        if not told.any():
            return None
        return Samples(over[told], values[metric][told], METRICS[metric].statistic)


def read_answered(folder: Path, dataset: Dataset, opponents: Sequence[Opponent]) -> Answered:
    """Read a study, and let models answer what people were asked.

    Args:
        folder: Of the study, also while it is being played.
        dataset: What it was played with.
        opponents: The models.

    Raises:
        DatasetError: There is no study, nothing was answered, or it was played with another data set.
        UsageError: The data set has not the places of the study.
    """
    values, guesses = read_study(folder)
    if values.get("records_sha256") != dataset.info["records_sha256"]:
        raise DatasetError(f"the study in {folder} was played with another data set than {dataset.folder}")
    settings = GameSettings.from_dict(values)
    places = Places(dataset, settings, study_cells(folder))
    told = [each for each in guesses if not each.answer.known]
    if not any(not each.practice for each in told):
        raise DatasetError(f"nobody has answered a round that counts in {folder} yet: compare later")
    if len({each.name for each in opponents}) < len(opponents):
        raise UsageError("two models are called the same: give NAME=PATH")
    ids = sorted({each.image_id for each in told})
    models = {each.name: _of_model(places, each, ids, told) for each in opponents}
    return Answered(places, told, len(guesses) - len(told), _of_people(places, told), models)


def _of_people(places: Places, guesses: Sequence[PlayerGuess]) -> Values:
    """What the guesses are worth; each player's are predictions of their own."""
    found = {name: np.full(len(guesses), np.nan) for name in SCORED[places.settings.mode]}
    players = np.array([each.player for each in guesses], dtype=object)
    for player in sorted(set(players)):
        rows = np.flatnonzero(players == player)
        own = [guesses[row] for row in rows.tolist()]
        ids = [each.image_id for each in own]
        answers = [each.answer for each in own]
        predictions = to_predictions(ids, answers, places.settings.mode, places.partition)
        for name, values in _values(places, predictions, ids).items():
            found[name][rows] = values
    return found


def _of_model(
    places: Places, opponent: Opponent, ids: Sequence[str], guesses: Sequence[PlayerGuess]
) -> Values:
    """What a model's answers are worth, for each guess of its picture."""
    predictions = opponent.predictions(places, ids)
    rows = {str(image_id): row for row, image_id in enumerate(predictions.ids)}
    of_guess = np.array([rows[each.image_id] for each in guesses])
    values = _values(places, predictions, [str(each) for each in predictions.ids])
    return {name: each[of_guess] for name, each in values.items()}


def _values(places: Places, predictions: Predictions, ids: Sequence[str]) -> Values:
    """By metric what each prediction is worth, (n,); NaN where that can't be told."""
    matched = match(predictions, places.asked(list(ids)).stored)
    found = {}
    for name in SCORED[places.settings.mode]:
        metric = METRICS[name]
        assert metric.values is not None
        values, where = metric.values(matched) or (np.zeros(len(ids)), np.zeros(len(ids), dtype=bool))
        found[name] = np.where(where, np.asarray(values, dtype=np.float64), np.nan)
    return found
