"""People against models: who is better on the same pictures, and what people's guesses tell of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Samples, Score, bootstrap
from lostfound.evaluation.comparison import Difference, difference
from lostfound.geo.sphere import haversine_km
from lostfound.play.answered import Answered
from lostfound.play.results import SCORED
from lostfound.play.settings import CLUES, Mode

CUT_OFF_S = 120.0
"""A longer time is no thinking: the player was away. It is left out of the means of times, and counted."""
BLOCK = 10
"""Rounds that are taken together to see how people learn."""
_TIMES = (5.0, 10.0, 20.0, 40.0)
PEOPLE = "people"
FEWEST_PLAYERS = 5
"""Fewer, drawn again and again, say nothing of other people."""


@dataclass(frozen=True)
class Standing:
    """One metric of the people or of a model, over the same guesses.

    Attributes:
        metric: Its name.
        who: The people, or the model's name.
        score: With its interval by place.
        by_place: How far people are from the model, places resampled; None for the people themselves.
        by_player: The same, players resampled; None too with fewer than `FEWEST_PLAYERS`.
    """

    metric: str
    who: str
    score: Score
    by_place: Difference | None = None
    by_player: Difference | None = None


@dataclass(frozen=True)
class Player:
    """One player.

    Attributes:
        name: The pseudonym.
        practice: The first metric in practice; None without practice.
        scores: Of the rounds that count, by metric.
        rounds: How many these are.
        skipped: How many of them were skipped.
        seconds: The middle of the times within the cut-off; None if there is none.
    """

    name: str
    practice: float | None
    scores: dict[str, float]
    rounds: int
    skipped: int
    seconds: float | None


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


@dataclass(frozen=True)
class Agreement:
    """How alike players answer the same picture.

    Attributes:
        pictures: Pictures that two players or more answered.
        pairs: Pairs of answers to them.
        same: Share of the pairs whose first answers are the same; None on the map.
        kappa: That beyond chance (Fleiss 1971); None on the map, and where all always say the same.
        km: The middle of the distances of the pairs, on the map.
    """

    pictures: int
    pairs: int
    same: float | None
    kappa: float | None
    km: float | None


@dataclass(frozen=True)
class PeopleComparison:
    """All of it.

    Attributes:
        answered: What it is made from.
        cut_off_s: Longer times are left out of means.
        beyond: How many are.
        standings: By metric, people first, then the models.
        players: Each player, the best first.
        learning: Blocks of rounds in their order, those of practice first.
        change: The second half of the rounds that count less the first; None with few players.
        times: By how long a guess took.
        countries: By the true country (or city), where people are furthest ahead first.
        clues: By what a guess was read from.
        agreement: Between players; None where no picture has two.
    """

    answered: Answered
    cut_off_s: float
    beyond: int
    standings: Sequence[Standing]
    players: Sequence[Player]
    learning: Sequence[Group]
    change: Difference | None
    times: Sequence[Group]
    countries: Sequence[Group]
    clues: Sequence[Group]
    agreement: Agreement | None

    def as_dict(self) -> dict[str, Any]:
        """All of it but the guesses, as plain values."""
        answered = self.answered
        return {
            "mode": answered.places.settings.mode.value,
            "preset": answered.places.settings.preset,
            "guesses": int(answered.counts.sum()),
            "known_left_out": answered.known,
            "models": list(answered.models),
            "metric_of_groups": answered.primary,
            "cut_off_s": self.cut_off_s,
            "times_beyond_cut_off": self.beyond,
            **{
                name: [asdict(each) for each in getattr(self, name)]
                for name in ("standings", "players", "learning", "times", "countries", "clues")
            },
            "change": None if self.change is None else asdict(self.change),
            "agreement": None if self.agreement is None else asdict(self.agreement),
        }


def compare_people(answered: Answered, cut_off_s: float = CUT_OFF_S) -> PeopleComparison:
    """Compare the people of a study with models, and with each other.

    Args:
        answered: The guesses beside the truth.
        cut_off_s: Seconds beyond which a time is left out of means.
    """
    seconds = answered.column("seconds").astype(np.float64)
    within = seconds <= cut_off_s
    counts = answered.counts
    return PeopleComparison(
        answered,
        cut_off_s,
        int((counts & ~within).sum()),
        _standings(answered),
        _players(answered, within),
        _learning(answered),
        _change(answered),
        _times(answered, seconds, cut_off_s),
        _countries(answered),
        _clues(answered),
        _agreement(answered),
    )


def _standings(answered: Answered) -> list[Standing]:
    rows, counts = [], answered.counts
    places, players = _places(answered), answered.column("player")
    for metric in SCORED[answered.places.settings.mode]:
        own = answered.samples(answered.values, metric, places, counts)
        if own is None:
            continue
        rows.append(Standing(metric, PEOPLE, bootstrap(own)))
        for name, values in answered.models.items():
            theirs = answered.samples(values, metric, places, counts)
            if theirs is None:
                continue
            same = np.isfinite(values[metric]) & counts
            ours = answered.samples(answered.values, metric, places, same)
            by_player = None
            if len(set(players[counts])) >= FEWEST_PLAYERS:
                by_player = _difference(
                    answered.samples(answered.values, metric, players, same),
                    answered.samples(values, metric, players, same),
                )
            rows.append(Standing(metric, name, bootstrap(theirs), _difference(ours, theirs), by_player))
    return rows


def _difference(own: Samples | None, other: Samples | None) -> Difference | None:
    return None if own is None or other is None else difference([own], [other])


def _players(answered: Answered, within: NDArray[np.bool_]) -> list[Player]:
    names, counts = answered.column("player"), answered.counts
    seconds = answered.column("seconds").astype(np.float64)
    skipped = np.array([each.answer.skipped for each in answered.guesses], dtype=bool)
    found = []
    for name in sorted(set(names)):
        own = names == name
        scores = {}
        for metric in SCORED[answered.places.settings.mode]:
            samples = answered.samples(answered.values, metric, names, own & counts)
            if samples is not None:
                scores[metric] = samples.value
        before = answered.samples(answered.values, answered.primary, names, own & ~counts)
        times = seconds[own & counts & within]
        found.append(
            Player(
                name,
                None if before is None else before.value,
                scores,
                int((own & counts).sum()),
                int((own & counts & skipped).sum()),
                float(np.median(times)) if len(times) else None,
            )
        )
    return sorted(found, key=lambda each: -each.scores.get(answered.primary, -1.0))


def _learning(answered: Answered) -> list[Group]:
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


def _change(answered: Answered) -> Difference | None:
    """The second half of the rounds that count less the first, players resampled."""
    numbers, players = answered.column("round").astype(np.int64), answered.column("player")
    settings = answered.places.settings
    late = numbers > settings.practice + settings.rounds / 2
    parts = [
        answered.samples(answered.values, answered.primary, players, answered.counts & rows)
        for rows in (late, ~late)
    ]
    if len(set(players)) < FEWEST_PLAYERS:
        return None
    return _difference(parts[0], parts[1])


def _times(answered: Answered, seconds: NDArray[np.float64], cut_off_s: float) -> list[Group]:
    edges = [0.0, *(edge for edge in _TIMES if edge < cut_off_s), cut_off_s]
    found = []
    for low, high in pairwise(edges):
        rows = answered.counts & (seconds <= high) & ((seconds > low) | (low == 0))
        if rows.any():
            found.append(_group(answered, f"{low:g} to {high:g} s", rows))
    return found


def _countries(answered: Answered) -> list[Group]:
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


def _clues(answered: Answered) -> list[Group]:
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


def _agreement(answered: Answered) -> Agreement | None:
    by_image: dict[str, dict[str, int]] = {}
    for row in np.flatnonzero(answered.counts).tolist():
        each = answered.guesses[row]
        if not each.answer.skipped:
            by_image.setdefault(each.image_id, {})[each.player] = row
    shared = [list(rows.values()) for rows in by_image.values() if len(rows) > 1]
    if not shared:
        return None
    pairs = [pair for rows in shared for pair in combinations(rows, 2)]
    guesses = answered.guesses
    if answered.places.settings.mode is Mode.map:
        ends = np.array([[guesses[row].answer.point for row in pair] for pair in pairs], dtype=np.float64)
        km = float(np.median(haversine_km(ends[:, 0], ends[:, 1])))
        return Agreement(len(shared), len(pairs), None, None, km)
    first = [each.answer.ranked[0] if each.answer.ranked else "" for each in guesses]
    same = float(np.mean([first[a] == first[b] for a, b in pairs]))
    return Agreement(
        len(shared), len(pairs), same, fleiss_kappa([[first[row] for row in rows] for rows in shared]), None
    )


def fleiss_kappa(answers: Sequence[Sequence[str]]) -> float | None:
    """Agreement beyond chance (Fleiss 1971), each subject weighing alike, also of unequally many raters.

    Args:
        answers: Of each subject, what two raters or more said.

    Returns:
        1 where all agree, 0 where they do as by chance; None where all always say the same.
    """
    observed = float(np.mean([np.mean([a == b for a, b in combinations(each, 2)]) for each in answers]))
    said = [answer for each in answers for answer in each]
    shares = np.unique(np.array(said, dtype=str), return_counts=True)[1] / len(said)
    chance = float((shares**2).sum())
    return None if chance >= 1 else (observed - chance) / (1 - chance)


def _places(answered: Answered) -> NDArray[np.object_]:
    """The place of each guess, (n,)."""
    ids = [each.image_id for each in answered.guesses]
    return strings(answered.places.asked(ids).records, "place_id")
