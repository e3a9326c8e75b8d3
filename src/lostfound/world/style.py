"""The look of a country's streets, derived from its code: facts where known, draws elsewhere."""

from dataclasses import dataclass
from functools import lru_cache

from lostfound.world import facts
from lostfound.world.dice import Colour, Dice
from lostfound.world.families import FAMILIES

LINE_WHITE: Colour = (238, 238, 235)
LINE_YELLOW: Colour = (238, 185, 40)
WHITE_POST: Colour = (245, 245, 245)


@dataclass(frozen=True)
class Style:
    """What all streets of one country have in common.

    Attributes:
        code: ISO 3166-1 alpha-2 code.
        drives_left: The driving side.
        centre: Kind (`dashed`, `solid`, `double`) and colour of the centre line.
        edge: Kind (`dashed`, `solid`, `none`) and colour of the edge line.
        asphalt: Grey level of the road, 0 to 255.
        shoulder: Width of the strip between asphalt and verge, metres.
        walls, roofs: Colours of buildings, the first ones most common.
        roof_shape: `gable`, `hip`, `flat` or `pagoda`.
        storeys: Fewest and most storeys outside cities.
        special: A traditional dwelling: `ger`, `hut` or empty.
        pole, fence: Kinds as in `families.Family`.
        warning: Shape, face and border of warning signs.
        board: Colour of direction boards.
        bollard: Colours of roadside posts and their band, or None.
        plate: Colour of number plates.
        unpaved, shops: Shares between 0 and 1.
        vehicles: (kind, weight) pairs.
        kerb: Two colours that alternate along kerbs, or None.
    """

    code: str
    drives_left: bool
    centre: tuple[str, Colour]
    edge: tuple[str, Colour]
    asphalt: int
    shoulder: float
    walls: tuple[Colour, ...]
    roofs: tuple[Colour, ...]
    roof_shape: str
    storeys: tuple[int, int]
    special: str
    pole: str
    fence: str
    warning: tuple[str, Colour, Colour]
    board: Colour
    bollard: tuple[Colour, Colour] | None
    plate: Colour
    unpaved: float
    shops: float
    vehicles: tuple[tuple[str, float], ...]
    kerb: tuple[Colour, Colour] | None


def _choose(dice: Dice, colours: tuple[Colour, ...], count: int) -> tuple[Colour, ...]:
    start = dice.integer(0, len(colours) - 1)
    return tuple(dice.near(colours[(start + i) % len(colours)], 14) for i in range(count))


def _edge(code: str) -> tuple[str, Colour]:
    colour = LINE_YELLOW if code in facts.YELLOW_EDGE else LINE_WHITE
    if code in facts.NO_EDGE:
        return "none", colour
    return ("dashed" if code in facts.DASHED_EDGE else "solid"), colour


@lru_cache(maxsize=512)
def style_of(code: str) -> Style:
    """The style of a country, by its code."""
    family = FAMILIES[facts.FAMILY_OF[code]]
    dice = Dice("style", code)
    centre_colour = LINE_YELLOW if code in facts.YELLOW_CENTRE else LINE_WHITE
    kind = "double" if code in facts.DOUBLE_CENTRE else dice.weighted((("dashed", 0.8), ("solid", 0.2)))
    bollard = facts.BOLLARDS.get(code)
    if bollard is None and dice.chance(0.3):
        bollard = (WHITE_POST, dice.pick(((200, 50, 45), (40, 40, 45), (235, 190, 50))))
    kerbs: tuple[tuple[Colour, Colour], ...] = (
        ((240, 240, 240), (30, 30, 30)),
        ((240, 200, 50), (30, 30, 30)),
    )
    return Style(
        code=code,
        drives_left=code in facts.LEFT_DRIVING,
        centre=(kind, centre_colour),
        edge=_edge(code),
        asphalt=dice.integer(78, 138),
        shoulder=dice.uniform(0.2, 1.4),
        walls=_choose(dice, family.walls, 3),
        roofs=_choose(dice, family.roofs, 2),
        roof_shape=dice.pick(family.roof_shapes),
        storeys=family.storeys,
        special=family.special,
        pole=dice.pick(family.poles),
        fence=dice.pick(family.fences),
        warning=family.warning,
        board=dice.pick(family.boards),
        bollard=bollard,
        plate=facts.PLATES.get(code, WHITE_POST),
        unpaved=family.unpaved,
        shops=family.shops,
        vehicles=family.vehicles,
        kerb=dice.pick(kerbs) if family.shops > 0.5 and dice.chance(0.7) else None,
    )
