"""The road through a place: where it runs, and its cross-section as a table of colours for `backdrop`.

All of a scene lives in the road's frame: `a` metres across, to the right of the road's direction, `s` metres
along it, `z` metres up. The viewer stands at a = s = 0, in the middle of their own lane.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostfound.world.dice import Colour, Dice, mix
from lostfound.world.land import Land
from lostfound.world.style import Style

REACH = 40.0
"""The cross-section's table covers this many metres on each side of the road's middle."""
STEP = 0.1
LEVELS = 6
"""The table is kept at this many sharpnesses, each half as sharp as the one before."""
FAR = 400
"""Bends are known up to this many metres ahead and behind."""
DASH_PERIOD = 9.0
DASH_SHARE = 0.45

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Road:
    """Course and surface.

    Attributes:
        half: Half the width between the edges of the asphalt, metres.
        middle: Where the road's middle is at s = 0: left of the viewer (negative) if they drive on the right.
        ahead, behind: Curvature of the two parts, metres of sideways shift per metre squared.
        paved: False for dirt.
        marked: Whether lines are painted.
        pavement: Width of the raised walk on each side, metres; 0 for none.
        water: -1, 0 or 1: the side where the sea is, if any.
    """

    half: float
    middle: float
    ahead: float
    behind: float
    paved: bool
    marked: bool
    pavement: float
    water: int

    @property
    def edge(self) -> float:
        """Distance from the road's middle to where the verge begins."""
        return self.half + self.pavement + 0.6

    def shift(self, s: float) -> float:
        """Where the road's middle is, across, at s metres along."""
        bend = self.ahead if s > 0 else self.behind
        near = min(abs(s), 120.0)
        return self.middle + bend * near * (2 * abs(s) - near)

    def shifts(self) -> Table:
        """`shift` at every metre from -FAR to FAR, shape (2 * FAR + 1,)."""
        s = np.arange(-FAR, FAR + 1, dtype=np.float32)
        near = np.minimum(np.abs(s), 120)
        bend = np.where(s > 0, self.ahead, self.behind)
        shifts: Table = (self.middle + bend * near * (2 * np.abs(s) - near)).astype(np.float32)
        return shifts


def road_for(style: Style, setting: str, coast: bool, dice: Dice) -> Road:
    """A road drawn for a setting (`city`, `town`, `village`, `wild`)."""
    dirt_chance = style.unpaved * {"city": 0.1, "town": 0.5, "village": 1.2, "wild": 1.0}[setting]
    paved = not dice.chance(dirt_chance)
    marked = paved and dice.chance(0.97 if setting in {"city", "wild"} else 0.85)
    half = dice.uniform(3.3, 4.0) if marked else dice.uniform(2.5, 3.1)
    bend = 0.0 if setting == "city" else 0.0011
    walk = {"city": dice.uniform(1.8, 3), "town": dice.uniform(0, 1.8)}.get(setting, 0.0)
    return Road(
        half=half,
        middle=half / 2 if style.drives_left else -half / 2,
        ahead=dice.uniform(-bend, bend),
        behind=dice.uniform(-bend, bend),
        paved=paved,
        marked=marked,
        pavement=walk if paved and walk > 0.6 else 0.0,
        water=dice.pick((-1, 1)) if coast and setting != "city" else 0,
    )


class _Section:
    """A cross-section being painted: colours and roughness at every STEP, for gaps and for dashes."""

    def __init__(self) -> None:
        self.table = np.zeros((2, int(2 * REACH / STEP), 4), np.float32)

    def band(
        self, left: float, right: float, colour: Colour, rough: float, states: tuple[int, ...] = (0, 1)
    ) -> None:
        """Fill from left to right metres; roughness is the share by which the texture varies the colour."""
        low, high = round((left + REACH) / STEP), round((right + REACH) / STEP)
        for state in states:
            self.table[state, max(low, 0) : max(high, 0)] = (*colour, rough)

    def both(
        self, near: float, far: float, colour: Colour, rough: float, states: tuple[int, ...] = (0, 1)
    ) -> None:
        """The same band on both sides of the middle."""
        self.band(-far, -near, colour, rough, states)
        self.band(near, far, colour, rough, states)


def _paint_lines(section: _Section, road: Road, style: Style, dice: Dice) -> None:
    kind, colour = style.edge
    if kind != "none" and dice.chance(0.8):
        states = (1,) if kind == "dashed" else (0, 1)
        section.both(road.half - 0.5, road.half - 0.3, colour, 0.05, states)
    kind, colour = style.centre
    if dice.chance(0.3):
        kind = "dashed"
    if kind == "double":
        section.both(0.1, 0.3, colour, 0.05)
    else:
        section.band(-0.15, 0.15, colour, 0.05, (1,) if kind == "dashed" else (0, 1))


def cross_section(road: Road, style: Style, land: Land, dice: Dice) -> Table:
    """The colours across the road.

    Returns:
        Shape (3, LEVELS, 2 * REACH / STEP, 4): between dashes, on dashes, and their mean for far
        away; sharpness; position; red, green, blue (0 to 255) and roughness.
    """
    section = _Section()
    section.band(-REACH, REACH, land.ground, 0.22)
    field = road.edge + dice.uniform(3, 9)
    if not land.snow and dice.chance(0.5):
        section.both(field, REACH, mix(land.ground, dice.pick((land.soil, land.leaf)), 0.3), 0.25)
    section.both(road.half, road.half + 0.6 + style.shoulder, mix(land.soil, land.ground, 0.35), 0.25)
    if road.pavement:
        section.both(road.half, road.half + road.pavement, (172, 168, 160), 0.08)
        kerb = style.kerb or ((150, 148, 142), (150, 148, 142))
        for state in (0, 1):
            section.both(road.half, road.half + 0.25, kerb[state], 0.05, (state,))
    grey = style.asphalt + dice.integer(-22, 22)
    if road.paved:
        section.band(-road.half, road.half, (grey, grey, grey + 4), 0.10)
    else:
        section.band(-road.half, road.half, land.soil, 0.18)
    for lane in (-road.half / 2, road.half / 2):
        for wheel in (-0.75, 0.75):
            track = (grey - 8, grey - 8, grey - 4) if road.paved else mix(land.soil, (90, 70, 50), 0.3)
            section.band(lane + wheel - 0.2, lane + wheel + 0.2, track, 0.1)
    if road.marked:
        _paint_lines(section, road, style, dice)
    if road.water:
        for near, far, colour in ((13, 17, (214, 198, 156)), (17, REACH, (58, 120, 160))):
            ends = (near, far) if road.water > 0 else (-far, -near)
            section.band(ends[0], ends[1], colour, 0.08)
    return _levels(section.table)


def _levels(states: Table) -> Table:
    """Blur the table to each sharpness, and add the mean of gaps and dashes."""
    mean = states[1] * DASH_SHARE + states[0] * (1 - DASH_SHARE)
    sharp = np.stack([states[0], states[1], mean])
    levels = [sharp]
    for level in range(1, LEVELS):
        width = 2**level
        padded = np.pad(sharp, ((0, 0), (width, width), (0, 0)), mode="edge")
        total = np.cumsum(padded, axis=1, dtype=np.float64)
        start = width - width // 2
        count = sharp.shape[1]
        blurred = (
            total[:, start + width - 1 : start + width - 1 + count] - total[:, start - 1 : start - 1 + count]
        ) / width
        levels.append(blurred.astype(np.float32))
    return np.stack(levels, axis=1)
