"""Groups of guesses: how people and models do by round, by time, by country and by clue."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lostfound.evaluation.bootstrap import bootstrap
from lostfound.play.answered import Answered
from lostfound.play.settings import CLUES

FEWEST_PLAYERS = 5
"""Fewer, drawn again and again, say nothing of other people."""
BLOCK = 10
"""Rounds that are taken together to see how people learn."""
_TIMES = (5.0, 10.0, 20.0, 40.0)


@dataclass(frozen=True)
class Group:
    """The mean of the first metric over some guesses.

    Attributes:
        name: Which.
        n: How many.
        people: The people's mean; None if nothing can be told.
        low: Lower end of its 95 % interval by player; None with few players.
        high: Upper end.
        models: The models' means on the same pictures, in their order.
    """

    name: str
    n: int
    people: float | None
    low: float | None
    high: float | None
    models: tuple[float | None, ...]


def by_round(answered: Answered) -> list[Group]:
    """Blocks of rounds in their order, those of practice first."""
    numbers, counts = answered.column("round").astype(np.int64), answered.counts
    first = answered.places.settings.practice
    found = []
    for name, part, start, length in (
        ("practice", ~counts, 0, first),
        ("round", counts, first, answered.places.settings.rounds),
    ):
        for begin in range(0, length, BLOCK):
            end = min(begin + BLOCK, length)
            rows = part & (numbers > start + begin) & (numbers <= start + end)
            if rows.any():
                found.append(_group(answered, f"{name} {begin + 1} to {end}", rows))
    return found


def by_time(answered: Answered, cut_off_s: float) -> list[Group]:
    """By how long a guess took, up to the cut-off."""
    seconds = answered.column("seconds").astype(np.float64)
    edges = [0.0, *(edge for edge in _TIMES if edge < cut_off_s), cut_off_s]
    found = []
    for low, high in pairwise(edges):
        rows = answered.counts & (seconds <= high) & ((seconds > low) | (low == 0))
        if rows.any():
            found.append(_group(answered, f"{low:g} to {high:g} s", rows))
    return found


def by_country(answered: Answered) -> list[Group]:
    """By the true country or city, where people are furthest ahead of the best model first."""
    names = np.array([answered.places.truth(each.image_id).name for each in answered.guesses], dtype=object)
    groups = [
        _group(answered, name, answered.counts & (names == name))
        for name in sorted(set(names[answered.counts]))
        if name
    ]

    def lead(group: Group) -> float:
        best = max((each for each in group.models if each is not None), default=0.0)
        return (group.people or 0.0) - best

    return sorted(groups, key=lambda group: -lead(group))


def by_clue(answered: Answered) -> list[Group]:
    """By what a guess was read from, as players say."""
    clues = [set(each.answer.clues) for each in answered.guesses]
    groups = [(clue, np.array([clue in each for each in clues], dtype=bool)) for clue in CLUES]
    groups.append(("none said", np.array([not each for each in clues], dtype=bool)))
    return [
        _group(answered, name, rows & answered.counts)
        for name, rows in groups
        if (rows & answered.counts).any()
    ]


def _group(answered: Answered, name: str, rows: NDArray[np.bool_]) -> Group:
    """The mean of the first metric over some guesses, and the models' on the same pictures."""
    metric, players = answered.primary, answered.column("player")
    own = answered.samples(answered.values, metric, players, rows)
    models = [answered.samples(values, metric, players, rows) for values in answered.models.values()]
    several = own is not None and len(set(players[rows])) >= FEWEST_PLAYERS
    interval = bootstrap(own) if own is not None and several else None
    return Group(
        name,
        int(rows.sum()),
        None if own is None else own.value,
        None if interval is None else interval.low,
        None if interval is None else interval.high,
        tuple(None if each is None else each.value for each in models),
    )
