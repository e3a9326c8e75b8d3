"""What grows on a place's ground, and its colours, from climate, season and family of countries."""

from dataclasses import dataclass

from lostfound.world.climate import Climate
from lostfound.world.dice import Colour, Dice, mix
from lostfound.world.facts import FAMILY_OF
from lostfound.world.light import Moment

SNOW: Colour = (236, 240, 246)
SAND: Colour = (214, 178, 122)
RED_EARTH: Colour = (186, 104, 62)
STRAW: Colour = (190, 168, 98)
GRASS: Colour = (112, 146, 66)
LUSH: Colour = (66, 128, 52)
TUNDRA: Colour = (142, 136, 96)
RED_LANDS = frozenset({"AU", "NA", "KE", "BW"})


@dataclass(frozen=True)
class Land:
    """The living surface of a place.

    Attributes:
        ground: Colour of the ground beside the road.
        soil: Colour of bare earth: dirt roads and shoulders.
        snow: Whether snow lies.
        plants: (kind, weight) pairs, kinds as in `plants.PAINTERS`.
        leaf: Colour of leaves.
        evergreen: Colour of leaves that no autumn changes.
        density: How thickly plants grow: 0.25 in a desert, above 1 in a rainforest.
    """

    ground: Colour
    soil: Colour
    snow: bool
    plants: tuple[tuple[str, float], ...]
    leaf: Colour
    evergreen: Colour
    density: float


def _plants(climate: Climate, code: str, summer: float) -> tuple[tuple[str, float], ...]:
    """Kinds of plants and their weights: warm to cold, dry to wet."""
    heat, rain = climate.temperature, climate.humidity
    family = FAMILY_OF[code]
    warm = min(1.0, max(0.0, (heat - 16) / 8))
    cold = min(1.0, max(0.0, (8 - heat) / 8))
    mild = max(0.0, 1 - warm - cold)
    weights = {
        "palm": warm * max(0.0, rain - 0.25) * 1.2,
        "broadleaf": (0.5 * warm + mild) * rain,
        "conifer": (cold + 0.25 * mild) * (0.3 + rain),
        "birch": cold * 0.5 * rain + 0.15 * mild * rain,
        "shrub": 0.15 + max(0.0, 0.5 - rain),
        "rock": 0.06 + 0.5 * max(0.0, 0.4 - rain) + 0.15 * climate.relief,
    }
    if family in {"north_american", "latin"} and heat > 12:
        weights["cactus"] = max(0.0, 0.5 - rain) * 2.5
    if family in {"african", "south_asian", "arab"}:
        weights["acacia"] = warm * max(0.0, 0.85 - rain) * 1.6
    if family == "oceanian":
        weights["eucalypt"] = 0.9
    if family in {"mediterranean", "western"} and heat > 11:
        weights["cypress"] = 0.35
    if family in {"east_asian", "southeast_asian"}:
        weights["bamboo"] = (warm + 0.5 * mild) * rain * 0.5
    if summer < -0.4 and heat < 14:
        weights["bare"] = weights.pop("broadleaf") + weights.pop("birch")
    return tuple((kind, weight) for kind, weight in weights.items() if weight > 0.02)


def land_at(climate: Climate, moment: Moment, code: str, dice: Dice) -> Land:
    """The land of a place at a moment."""
    rain = climate.humidity
    dry = mix(SAND, RED_EARTH, dice.uniform(0.4, 0.9) if code in RED_LANDS else dice.uniform(0, 0.5))
    if rain < 0.35:
        ground = mix(dry, STRAW, rain / 0.35)
    elif rain < 0.6:
        ground = mix(STRAW, GRASS, (rain - 0.35) / 0.25)
    else:
        ground = mix(GRASS, LUSH, (rain - 0.6) / 0.4)
    if climate.temperature < 2:
        ground = mix(ground, TUNDRA, min(0.8, (2 - climate.temperature) / 8))
    snow = moment.temperature < -2 or climate.temperature < -14
    autumn = abs(moment.summer) < 0.35 and climate.swing > 8 and dice.chance(0.5)
    evergreen = leaf = mix((112, 124, 62), (36, 98, 42), rain)
    if autumn:
        leaf = mix(leaf, (200, 120, 40), 0.7)
        ground = mix(ground, STRAW, 0.3)
    warm_soil = 0.8 if climate.temperature > 19 else 0.15
    return Land(
        ground=dice.near(SNOW if snow else ground, 8),
        soil=mix((150, 132, 108), (180, 102, 62), warm_soil * dice.uniform(0.4, 1)),
        snow=snow,
        plants=_plants(climate, code, moment.summer),
        leaf=leaf,
        evergreen=evergreen,
        density=0.25 + 0.9 * max(0.0, rain - 0.1) * (1 if climate.temperature > -6 else 0.2),
    )
