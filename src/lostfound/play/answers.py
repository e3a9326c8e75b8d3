"""A player's answer to one round: checked when it comes in, and what predictions it makes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lostfound.errors import CountryNameError, UsageError
from lostfound.geo.countries import country_codes, country_name, parse_country
from lostfound.geo.sphere import location_problem
from lostfound.play.settings import CLUES, MOST_COUNTRIES, Mode

if TYPE_CHECKING:
    from lostfound.partitions import Partition
    from lostfound.predict.predictions import Predictions

SKIPPED, LATE = "skipped", "out of time"


@dataclass(frozen=True)
class Answer:
    """What a player says of a round.

    Attributes:
        ranked: Countries by ISO code, or cells by id, the likeliest first.
        point: Latitude and longitude in degrees, of a click on the map.
        skipped: Whether the player would rather not answer.
        known: Whether the player knows the place itself.
        clues: What the answer was read from, of `CLUES`.
        late: Whether the time was over.
    """

    ranked: tuple[str, ...] = ()
    point: tuple[float, float] | None = None
    skipped: bool = False
    known: bool = False
    clues: tuple[str, ...] = ()
    late: bool = False


def check_answer(answer: Answer, mode: Mode, cells: Collection[str]) -> Answer:
    """An answer as it is kept: names of countries become codes, a skipped one says nothing.

    Args:
        answer: As it was sent.
        mode: What is to be answered.
        cells: The ids that `cities` knows.

    Raises:
        UsageError: It is no answer of this kind; a name that is no country is said with the nearest ones.
    """
    wrong = [clue for clue in answer.clues if clue not in CLUES]
    if wrong:
        raise UsageError(f"no clue {wrong[0][:40]!r}: choose of {', '.join(CLUES)}")
    clues = tuple(clue for clue in CLUES if clue in answer.clues)
    if answer.skipped:
        return Answer(skipped=True, known=answer.known, clues=clues, late=answer.late)
    if mode is Mode.map:
        if answer.ranked or answer.point is None:
            raise UsageError("give a point on the map, latitude and longitude, and nothing else")
        if problem := location_problem(*answer.point):
            raise UsageError(problem)
        return Answer((), answer.point, known=answer.known, clues=clues)
    if answer.point is not None or not answer.ranked:
        raise UsageError("give a country" if mode is Mode.countries else "give a city")
    ranked = _countries(answer.ranked) if mode is Mode.countries else answer.ranked
    most = MOST_COUNTRIES if mode is Mode.countries else 1
    if len(ranked) > most:
        raise UsageError(f"{len(ranked)} answers: give {most} at most")
    if len(set(ranked)) < len(ranked):
        raise UsageError("an answer is given twice: give each once")
    unknown = [cell for cell in ranked if cell not in cells] if mode is Mode.cities else []
    if unknown:
        raise UsageError(f"there is no city {unknown[0][:40]!r} to choose")
    return Answer(ranked, None, known=answer.known, clues=clues)


def _countries(names: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(name if name in country_codes() else parse_country(name[:100]) for name in names)
    except CountryNameError as error:
        raise UsageError(str(error)) from None


def label(answer: Answer, partition: Partition | None) -> str:
    """An answer in words."""
    if answer.late and answer.skipped:
        return LATE
    if answer.skipped:
        return SKIPPED
    if answer.point is not None:
        return f"{answer.point[0]:.4f}, {answer.point[1]:.4f}"
    if partition is None:
        return ", ".join(country_name(code) for code in answer.ranked)
    return ", ".join(partition.names[partition.numbers[cell]] for cell in answer.ranked)


def to_predictions(
    ids: Sequence[str], answers: Sequence[Answer], mode: Mode, partition: Partition | None = None
) -> Predictions:
    """Answers as predictions, which `lostfound.evaluation.evaluate.score` reads.

    A country that was typed is a cell without a point: nobody said where in it. A city's point is that which
    its cell decodes to. What was skipped abstains.

    Args:
        ids: The image of each.
        answers: The answers.
        mode: What was answered.
        partition: What the cells of `cities` are.
    """
    from lostfound.predict.predictions import Predictions

    n = len(answers)
    points, cells = np.full((n, 2), np.nan), None
    if mode is Mode.map:
        for row, answer in enumerate(answers):
            points[row] = answer.point or (np.nan, np.nan)
    else:
        width = MOST_COUNTRIES if mode is Mode.countries else 1
        cells = np.full((n, width), None, dtype=object)
        for row, answer in enumerate(answers):
            cells[row, : len(answer.ranked)] = answer.ranked
        if partition is not None:
            for row, answer in enumerate(answers):
                if answer.ranked:
                    points[row] = partition.centroids[partition.numbers[answer.ranked[0]]]
    why: list[Any] = [(LATE if each.late else SKIPPED) if each.skipped else None for each in answers]
    return Predictions(
        np.array(ids, dtype=object),
        points,
        cells,
        partition=partition,
        abstained=np.array([*why, None], dtype=object)[:-1],
    )
