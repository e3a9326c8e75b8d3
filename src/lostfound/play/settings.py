"""What a game is: how it is played, by how many rounds, at which resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from lostfound.errors import UsageError

MOST_COUNTRIES = 5
"""Countries that one may type for a picture, the likeliest first."""
CLUES = ("language", "architecture", "plants", "road", "cars", "sun")
"""What a player may say that the answer was read from."""
MOST_CELLS = 40
"""More buttons than that nobody finds their way among."""
_SIDES = (16, 4096)


class Mode(StrEnum):
    """What is answered."""

    countries = "countries"
    cities = "cities"
    map = "map"


class ShowTruth(StrEnum):
    """After which rounds the true place is shown."""

    practice = "practice"
    always = "always"


@dataclass(frozen=True)
class GameSettings:
    """How a game is played, the same for all players of one study.

    Attributes:
        mode: What is answered.
        rounds: Rounds that count.
        practice: Rounds before them, which show the truth and don't count.
        pixels: Width and height of the pictures; None: as they are stored.
        views: Pictures of a place that a round shows at most.
        timer_s: Seconds for a round; None: as long as one likes.
        show_truth: After which rounds the true place is shown.
        seed: Of the choice of places and, with the player's name, of their order.
        split: Which part of the data set is asked.
        leaderboard: Whether the last page lists all who have finished.
        preset: The protocol whose tables are wanted, if one is followed.
    """

    mode: Mode = Mode.countries
    rounds: int = 50
    practice: int = 25
    pixels: tuple[int, int] | None = None
    views: int = 1
    timer_s: float | None = None
    show_truth: ShowTruth = ShowTruth.practice
    seed: int = 0
    split: str = "test"
    leaderboard: bool = False
    preset: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """All of them, as plain JSON values."""
        values = asdict(self)
        return {**values, "pixels": None if self.pixels is None else list(self.pixels)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GameSettings:
        """The inverse of `as_dict`; other keys are left alone."""
        own = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        own["mode"], own["show_truth"] = Mode(own["mode"]), ShowTruth(own["show_truth"])
        own["pixels"] = None if own["pixels"] is None else tuple(own["pixels"])
        return cls(**own)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "lost-and-found": {
        "mode": Mode.countries,
        "rounds": 50,
        "practice": 0,
        "pixels": (320, 180),
        "show_truth": ShowTruth.practice,
    },
    "eight-cities": {
        "mode": Mode.cities,
        "rounds": 50,
        "practice": 25,
        "views": 3,
        "show_truth": ShowTruth.practice,
    },
}
"""The protocols of two published studies: up to five countries typed for a picture of 320x180 pixels (Lost &
Found); a city chosen for three views of a place, 25 rounds to learn and 50 that count (eight cities)."""


def preset(name: str | None) -> dict[str, Any]:
    """The settings of a protocol; none without a name.

    Raises:
        UsageError: There is no such protocol.
    """
    if name is None:
        return {}
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}: choose of {', '.join(PRESETS)}")
    return {**PRESETS[name], "preset": name}


def parse_pixels(text: str) -> tuple[int, int]:
    """Width and height, from `130x80`.

    Raises:
        UsageError: They are not that.
    """
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) == 2 and all(side.isascii() and side.isdigit() and len(side) < 6 for side in sides):
        width, height = map(int, sides)
        if all(_SIDES[0] <= side <= _SIDES[1] for side in (width, height)):
            return width, height
    raise UsageError(f"--pixels {text}: give width and height, each {_SIDES[0]} to {_SIDES[1]}, as in 130x80")
