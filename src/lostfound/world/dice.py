"""Reproducible draws: the same key gives the same values on every machine and in every process."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

Colour = tuple[int, int, int]
T = TypeVar("T")


class Dice:
    """A stream of draws that depends on its key alone, never on what was drawn elsewhere.

    Everything is derived from `random.Random.random`, whose sequence Python promises not to change.

    Args:
        key: Anything whose `repr` is stable: strings, integers, rounded floats.
    """

    def __init__(self, *key: object) -> None:
        digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
        self.random = random.Random(int.from_bytes(digest, "big")).random  # noqa: S311 (pictures, not secrets)

    def uniform(self, low: float, high: float) -> float:
        """A float between low and high."""
        return low + (high - low) * self.random()

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[int(self.random() * len(options))]

    def weighted(self, options: Sequence[tuple[T, float]]) -> T:
        """One of the (option, weight) pairs' options; the weights need not sum to 1."""
        rest = self.random() * sum(weight for _, weight in options)
        for option, weight in options:
            rest -= weight
            if rest < 0:
                return option
        return options[-1][0]

    def near(self, colour: Colour, spread: int) -> Colour:
        """A colour whose channels differ from the given one by at most `spread`."""
        step = 2 * spread * (self.random() - 0.5)
        r, g, b = (min(255, max(0, int(c + step + spread * (self.random() - 0.5)))) for c in colour)
        return r, g, b


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour on the way from the first (share 0) to the second (share 1)."""
    keep = 1.0 - share
    return (
        int(first[0] * keep + second[0] * share),
        int(first[1] * keep + second[1] * share),
        int(first[2] * keep + second[2] * share),
    )
