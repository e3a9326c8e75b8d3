"""What a game was worth: the player's answers and a model's to the same places, through `score`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lostfound.evaluation.evaluate import Evaluation, score
from lostfound.evaluation.metrics import METRICS
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_name
from lostfound.geo.sphere import geoguessr_score, haversine_km
from lostfound.pages.lines import great_circle
from lostfound.play.answers import Answer, label, to_predictions
from lostfound.play.games import PlayerGuess
from lostfound.play.opponents import Opponent
from lostfound.play.places import Places
from lostfound.play.settings import Mode
from lostfound.predict.predictions import Predictions

SCORED: dict[Mode, tuple[str, ...]] = {
    Mode.countries: ("top_1_accuracy", "top_3_accuracy", "top_5_accuracy"),
    Mode.cities: ("top_1_accuracy",),
    Mode.map: ("geoguessr_score", "median_distance_km", "within_25_km_city", "within_750_km_country"),
}
"""What is said of a game, of `lostfound.evaluation.metrics.METRICS`; the first is what counts."""


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


def people_score(places: Places, guesses: Sequence[PlayerGuess], by: str) -> Evaluation:
    """One player's scored rounds, as `score` judges them."""
    ids = [each.image_id for each in guesses]
    answers = [each.answer for each in guesses]
    predictions = to_predictions(ids, answers, places.settings.mode, places.partition)
    return score(predictions, places.asked(ids), metrics=SCORED[places.settings.mode], by=by)


def model_score(places: Places, opponent: Opponent, guesses: Sequence[PlayerGuess]) -> Evaluation:
    """The same rounds of a model, as `score` judges them."""
    ids = [each.image_id for each in guesses]
    predictions = opponent.predictions(places, ids)
    return score(predictions, places.asked(ids), metrics=SCORED[places.settings.mode], by=opponent.name)


def end_of_game(places: Places, guesses: Sequence[PlayerGuess], opponent: Opponent | None) -> dict[str, Any]:
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
                "name": name,
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
    if places.partition is not None and cell is not None and cell in places.partition.numbers:
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
