"""What a game was worth: the player's answers and a model's to the same places, through `score`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from lostfound.evaluation.evaluate import Evaluation, score
from lostfound.evaluation.matching import cells_key
from lostfound.evaluation.metrics import METRICS
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_name
from lostfound.geo.sphere import geoguessr_score, haversine_km
from lostfound.pages.lines import great_circle
from lostfound.play.answers import Answer, label, to_predictions
from lostfound.play.places import Places
from lostfound.play.settings import MOST_COUNTRIES, Mode
from lostfound.play.store import Guess
from lostfound.predict.locator import Locator
from lostfound.predict.predictions import Predictions

SCORED: dict[Mode, tuple[str, ...]] = {
    Mode.countries: ("top_1_accuracy", "top_3_accuracy", "top_5_accuracy"),
    Mode.cities: ("top_1_accuracy",),
    Mode.map: ("geoguessr_score", "median_distance_km", "within_25_km_city", "within_750_km_country"),
}
"""What is said of a game, of `lostfound.evaluation.metrics.METRICS`; the first is what counts."""

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
                unit = "place" if places.settings.views > 1 else "image"
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


@dataclass(frozen=True)
class Judged:
    """One answer beside the truth.

    Attributes:
        text: The answer in words.
        point: Where it is shown; None if nothing was answered.
        km: How far that is from where the place is shown.
        right: Whether the first answer is the true one; None on the map.
        rank: At which rank the true one was named, from 1; None if it was not, and on the map.
        score: GeoGuessr's, of an answer on the map.
        way: The shortest way from it to the truth, points in degrees.
    """

    text: str
    point: tuple[float, float] | None
    km: float | None
    right: bool | None
    rank: int | None
    score: float | None
    way: tuple[tuple[float, float], ...] = ()


def judge(places: Places, image_id: str, answer: Answer) -> Judged:
    """An answer beside the truth, as the page tells it."""
    truth, partition, mode = places.truth(image_id), places.partition, places.settings.mode
    point = answer.point
    if answer.ranked and partition is not None:
        latitude, longitude = partition.centroids[partition.numbers[answer.ranked[0]]]
        point = (float(latitude), float(longitude))
    elif answer.ranked:
        point = Boundaries.packed().centroid(answer.ranked[0])
    km = None if point is None else float(haversine_km(point, truth.point))
    way = () if point is None else tuple(great_circle(point, truth.point))
    if mode is Mode.map:
        points = 0.0 if km is None else float(geoguessr_score(np.array([km]))[0])
        return Judged(label(answer, partition), point, km, None, None, points, way)
    rank = answer.ranked.index(truth.answer) + 1 if truth.answer in answer.ranked else None
    return Judged(label(answer, partition), point, km, rank == 1, rank, None, way)


def people_score(places: Places, guesses: Sequence[Guess], by: str) -> Evaluation:
    """One player's scored rounds, as `score` judges them."""
    ids = [each.image_id for each in guesses]
    answers = [each.answer for each in guesses]
    predictions = to_predictions(ids, answers, places.settings.mode, places.partition)
    return score(predictions, places.asked(ids), metrics=SCORED[places.settings.mode], by=by)


def model_score(places: Places, opponent: Opponent, guesses: Sequence[Guess]) -> Evaluation:
    """The same rounds of a model, as `score` judges them."""
    ids = [each.image_id for each in guesses]
    predictions = opponent.predictions(places, ids)
    return score(predictions, places.asked(ids), metrics=SCORED[places.settings.mode], by=opponent.name)


def end_of_game(places: Places, guesses: Sequence[Guess], opponent: Opponent | None) -> dict[str, Any]:
    """What the last page tells: scores, each round, the best and the worst.

    Args:
        places: What was asked.
        guesses: The guesses of the game's rounds that count.
        opponent: The model, if there is one.
    """
    ids = [each.image_id for each in guesses]
    own = people_score(places, guesses, guesses[0].player)
    model = None if opponent is None else model_score(places, opponent, guesses)
    predictions = None if opponent is None else opponent.predictions(places, ids)
    rounds = []
    for each in guesses:
        truth, judged = places.truth(each.image_id), judge(places, each.image_id, each.answer)
        rounds.append(
            {
                "round": each.round,
                "truth": {"name": truth.name, "point": truth.point},
                "own": as_values(judged),
                "model": None if predictions is None else _of_model(places, predictions, each.image_id),
                "known": each.answer.known,
            }
        )
    names = [name for name in SCORED[places.settings.mode] if name in own.metrics]
    told = [each for each in rounds if each["own"]["km"] is not None]  # type: ignore[index]
    order = sorted(told, key=lambda each: _rank(each["own"]))
    return {
        "scores": [
            {
                "label": METRICS[name].label,
                "own": _said(own, name),
                "model": None if model is None else _said(model, name),
                "values": [
                    each.metrics[name].value if each is not None and name in each.metrics else None
                    for each in (own, model)
                ],
            }
            for name in names
        ],
        "model": None if opponent is None else opponent.name,
        "rounds": rounds,
        "best": order[0]["round"] if order else None,
        "worst": order[-1]["round"] if len(order) > 1 else None,
        "skipped": sum(each.answer.skipped for each in guesses),
        "known": sum(each.answer.known for each in guesses),
    }


def as_values(judged: Judged) -> dict[str, Any]:
    """It as plain values."""
    return {
        "text": judged.text,
        "point": judged.point,
        "km": judged.km,
        "right": judged.right,
        "rank": judged.rank,
        "score": judged.score,
        "way": judged.way,
    }


def _rank(own: Any) -> tuple[bool, int, float]:
    """What was right comes first, then what was named at all, then what lies nearer."""
    return not own["right"], own["rank"] or 99, own["km"]


def _said(evaluation: Evaluation, name: str) -> str:
    found = evaluation.metrics.get(name)
    return "–" if found is None else METRICS[name].text(found.value)


def _of_model(places: Places, predictions: Predictions, image_id: str) -> dict[str, Any]:
    """A model's answer in the words of the game."""
    row = int(np.flatnonzero(predictions.ids == image_id)[0])
    truth, point = places.truth(image_id), predictions.points[row]
    code = predictions.guessed_countries[row]
    cell = None if predictions.cells is None else predictions.cells[row, 0]
    if places.partition is not None and cell in places.partition.numbers:
        text, right = places.partition.names[places.partition.numbers[cell]], cell == truth.answer
    else:
        text = "nowhere" if code is None else country_name(code)
        right = code is not None and code == truth.answer
    on_map = places.settings.mode is Mode.map
    answered = bool(np.isfinite(point).all())
    where = (float(point[0]), float(point[1])) if answered else None
    km = None if where is None else float(haversine_km(where, truth.point))
    return {
        "text": text,
        "point": where,
        "km": km,
        "right": None if on_map else right,
        "rank": None,
        "score": float(geoguessr_score(np.array([km]))[0]) if on_map and km is not None else None,
    }
