"""A model that plays too: its answers to the places of a game, in the cells that the game asks for."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from lostfound.evaluation.matching import cells_key
from lostfound.play.places import Places
from lostfound.play.settings import MOST_COUNTRIES, Mode
from lostfound.predict.locator import Locator, Unit
from lostfound.predict.predictions import Predictions
from lostfound.serve.settings import parse_models

_RANKS = 50  # cells of a model whose countries are summed up


class Opponent:
    """A model that answers the same places; what it answered is kept."""

    def __init__(self, locator: Locator, name: str) -> None:
        self.locator, self.name = locator, name
        self._known: dict[str, Predictions] = {}
        self._lock = Lock()

    def predictions(self, places: Places, image_ids: Sequence[str]) -> Predictions:
        """Its answers to places, by the ids of their first images, from the views that a round shows."""
        key = " ".join(sorted(image_ids))
        with self._lock:
            if key not in self._known:
                unit: Unit = "place" if places.settings.views > 1 else "image"
                found = self.locator.predict(places.shown(sorted(image_ids)), unit=unit, top=_RANKS)
                self._known[key] = _in_words_of(places, found)
            return self._known[key]


def _in_words_of(places: Places, predictions: Predictions) -> Predictions:
    """A model's answers in the cells that the game asks for, where its own are others.

    The probabilities of its cells are summed up by country; for `cities` its point says which it means.
    """
    mode, own = places.settings.mode, predictions.partition
    kind = None if own is None else cells_key(own)
    if mode is Mode.map or (mode is Mode.cities and kind == cells_key(places.partition)):
        return predictions
    if mode is Mode.countries and kind == "countries":
        return predictions
    if mode is Mode.cities:
        assert places.partition is not None
        numbers = places.partition.assign(predictions.points)
        cells = np.array([*places.partition.cell_ids, None], dtype=object)[numbers][:, None]
        return Predictions(predictions.ids, predictions.points, cells, partition=places.partition)
    ranked = [_countries(predictions, row) for row in range(len(predictions))]
    cells = np.full((len(ranked), MOST_COUNTRIES), None, dtype=object)
    for row, codes in enumerate(ranked):
        cells[row, : len(codes)] = codes
    return Predictions(predictions.ids, predictions.points, cells)


def _countries(predictions: Predictions, row: int) -> list[str]:
    own, best = predictions.partition, predictions.guessed_countries[row]
    shares: dict[str, float] = {}
    if predictions.cells is not None and own is not None:
        for rank, cell in enumerate(predictions.cells[row]):
            code = own.countries[own.numbers[cell]] if cell in own.numbers else None
            if code is not None:
                share = None if predictions.probabilities is None else predictions.probabilities[row, rank]
                shares[code] = shares.get(code, 0.0) + float(1 / (rank + 1) if share is None else share)
    if not shares:
        return [] if best is None else [best]
    return sorted(shares, key=lambda code: -shares[code])[:MOST_COUNTRIES]


def open_opponent(text: str) -> Opponent:
    """The model of an option: `starter`, a model folder, or NAME=PATH.

    Raises:
        UsageError: Its name can't stand in an address.
        ModelError: The folder is no model.
    """
    ((name, path),) = parse_models([text])
    return Opponent(Locator.load(path), name)
