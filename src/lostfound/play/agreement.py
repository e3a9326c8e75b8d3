"""How alike players answer the same picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lostfound.geo.sphere import haversine_km
from lostfound.play.answered import Answered
from lostfound.play.settings import Mode


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


def agreement(answered: Answered) -> Agreement | None:
    """How alike players answer; None where no picture has the answers of two."""
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
