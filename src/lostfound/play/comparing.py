"""People against models: who is better on the same pictures, and what people's guesses tell of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Samples, Score, bootstrap
from lostfound.evaluation.comparison import Difference, difference
from lostfound.play.agreement import Agreement, agreement
from lostfound.play.answered import Answered
from lostfound.play.groups import FEWEST_PLAYERS, Group, by_clue, by_country, by_round, by_time
from lostfound.play.results import SCORED

CUT_OFF_S = 120.0
"""A longer time is no thinking: the player was away. It is left out of the means of times, and counted."""
PEOPLE = "people"


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
        by_round(answered),
        _change(answered),
        by_time(answered, cut_off_s),
        by_country(answered),
        by_clue(answered),
        agreement(answered),
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


def _places(answered: Answered) -> NDArray[np.object_]:
    """The place of each guess, (n,)."""
    ids = [each.image_id for each in answered.guesses]
    return strings(answered.places.asked(ids).records, "place_id")
