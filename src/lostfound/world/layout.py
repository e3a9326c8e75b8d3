"""Where things stand around a viewer: the plan of a street, from setting, country and climate."""

import math
from dataclasses import dataclass
from typing import Protocol

from lostfound.world.buildings import Building, Dwelling
from lostfound.world.canvas import Canvas
from lostfound.world.dice import Colour, Dice, mix
from lostfound.world.land import Land
from lostfound.world.plants import EVERGREEN, HEIGHTS, SNOWY, Plant
from lostfound.world.road import Road
from lostfound.world.roadside import Fence, Lamp, Pole, Post, Sign
from lostfound.world.style import Style
from lostfound.world.vehicles import SHAPES, Vehicle

PAINTS: tuple[Colour, ...] = (
    (235, 235, 235), (40, 42, 48), (160, 165, 170), (175, 40, 40), (40, 70, 140), (225, 225, 220),
    (90, 95, 100), (190, 180, 160), (60, 95, 75),
)  # fmt: skip
BOARDS: tuple[Colour, ...] = ((220, 50, 45), (245, 205, 50), (45, 110, 190), (60, 160, 90), (235, 120, 40))


COMMON_WALLS: tuple[Colour, ...] = (
    (232, 228, 220),
    (205, 190, 165),
    (165, 160, 155),
    (160, 90, 70),
    (222, 200, 160),
)
"""Walls that are seen in every country."""


class Thing(Protocol):
    """Anything that stands somewhere and can be drawn."""

    @property
    def a(self) -> float:
        """Metres across."""

    @property
    def s(self) -> float:
        """Metres along."""

    def paint(self, canvas: Canvas) -> None:
        """Draw it."""


@dataclass(frozen=True)
class LayoutPlan:
    """What a layout is made from."""

    setting: str
    style: Style
    land: Land
    road: Road
    dice: Dice

    def beside(self, s: float, side: int, distance: float) -> float:
        """Across, at `distance` metres from the road's edge on that side."""
        return self.road.shift(s) + side * (self.road.edge + distance)


def lay_out(plan: LayoutPlan) -> tuple[Thing, ...]:
    """Everything around the viewer, the farthest first, so that the nearer is drawn over it."""
    makers = (_buildings, _plants, _fences, _furniture, _signs, _vehicles)
    things = [thing for make in makers for thing in make(plan)]
    return tuple(sorted(things, key=lambda thing: math.hypot(thing.a, thing.s), reverse=True))


def _buildings(plan: LayoutPlan) -> list[Thing]:
    dice, style = plan.dice, plan.style
    chance, gap, setback, reach = {
        "city": (0.97, (0.0, 1.5), (0.3, 1.5), 110),
        "town": (0.8, (1.5, 6.0), (1.5, 5.0), 95),
        "village": (0.4, (6.0, 16.0), (5.0, 16.0), 90),
        "wild": (0.12, (20.0, 40.0), (12.0, 30.0), 90),
    }[plan.setting]
    things: list[Thing] = []
    for side in (-1, 1):
        s = -reach + dice.uniform(0, 12)
        while s < reach:
            wide, long = dice.uniform(7, 11), dice.uniform(8, 15)
            s += long / 2
            distance = dice.uniform(*setback)
            if dice.chance(chance) and not (side == plan.road.water and distance > 2):
                a = plan.beside(s, side, distance + wide / 2)
                if style.special and plan.setting in {"village", "wild"} and dice.chance(0.6):
                    things.append(Dwelling(style.special, a, s, style.walls[0]))
                else:
                    things.append(_building(plan, a, s, wide, long))
            s += long / 2 + dice.uniform(*gap)
    return things


def _building(plan: LayoutPlan, a: float, s: float, wide: float, long: float) -> Building:
    dice, style = plan.dice, plan.style
    low, high = style.storeys
    storeys = dice.integer(low, high)
    flat = plan.setting == "city" and dice.chance(0.6)
    if plan.setting == "city":
        storeys = max(2, dice.integer(high, high + 4)) if flat else max(high, 2)
    shops = style.shops if plan.setting in {"city", "town"} else style.shops * 0.2
    wall = dice.weighted(tuple(zip(style.walls, (3.0, 2.0, 1.0), strict=True)))
    roof = dice.near(dice.weighted(tuple(zip(style.roofs, (3.0, 1.0), strict=True))), 8)
    return Building(
        a=a,
        s=s,
        wide=wide,
        long=long,
        storeys=storeys,
        wall=dice.near(dice.pick(COMMON_WALLS) if dice.chance(0.3) else wall, 20),
        roof=mix(roof, SNOWY, 0.8) if plan.land.snow else roof,
        shape="flat" if flat else style.roof_shape,
        board=dice.pick(BOARDS) if dice.chance(shops) else None,
    )


def _plants(plan: LayoutPlan) -> list[Thing]:
    dice, land = plan.dice, plan.land
    share = {"city": 0.35, "town": 0.7, "village": 1.0, "wild": 1.25}[plan.setting]
    things: list[Thing] = []
    if not land.plants:
        return things
    favoured = dice.weighted(land.plants)
    for _ in range(int(75 * min(1.0, land.density) * share * dice.uniform(0.6, 1.2)) + 3):
        kind = favoured if dice.chance(0.4) else dice.weighted(land.plants)
        side, s = dice.pick((-1, 1)), dice.uniform(-80, 80)
        spread = 2.0 if plan.setting == "city" else 45.0
        distance = 1.0 + spread * dice.random() ** 1.6
        if side == plan.road.water and distance > 7:
            continue
        colour = dice.near(land.evergreen if kind in EVERGREEN else land.leaf, 18)
        if land.snow and kind in {"conifer", "shrub"}:
            colour = mix(colour, SNOWY, 0.45)
        height = dice.uniform(*HEIGHTS[kind])
        a = plan.beside(s, side, distance)
        if a * a + s * s > 60:
            things.append(Plant(kind, a, s, height, colour, dice.uniform(-1, 1)))
    return things


def _fences(plan: LayoutPlan) -> list[Thing]:
    dice, kind = plan.dice, plan.style.fence
    if kind == "none" or plan.setting == "city" or not dice.chance(0.6 if plan.setting == "wild" else 0.8):
        return []
    colour = plan.land.leaf if kind == "hedge" else dice.near(plan.style.walls[-1], 12)
    things: list[Thing] = []
    for side in (-1, 1):
        if side == plan.road.water or dice.chance(0.25):
            continue
        distance = dice.uniform(0.6, 1.4) if plan.setting == "town" else dice.uniform(2.5, 5)
        for index in range(-6, 6):
            first, last = index * 11.0, index * 11.0 + 11
            if dice.chance(0.12):
                continue
            start, end = (
                (plan.beside(first, side, distance), first),
                (plan.beside(last, side, distance), last),
            )
            things.append(Fence(kind, (start[0] + end[0]) / 2, (first + last) / 2, start, end, colour))
    return things


def _furniture(plan: LayoutPlan) -> list[Thing]:
    """Poles with their wires, posts and lamps."""
    dice, style, road = plan.dice, plan.style, plan.road
    things: list[Thing] = []
    if style.pole != "none" and dice.chance(0.85):
        side = dice.pick((-1, 1))
        step = dice.uniform(26, 38)
        first = dice.uniform(4, step - 4) - 3 * step
        places = [first + index * step for index in range(7)]
        spots = [(plan.beside(s, side, 0.8), s) for s in places]
        for index, (a, s) in enumerate(spots):
            things.append(Pole(style.pole, a, s, spots[index + 1] if index + 1 < len(spots) else None))
    if style.bollard is not None and plan.setting in {"wild", "village"} and road.paved:
        for side in (-1, 1):
            offset = dice.uniform(3, 20)
            for index in range(-4, 4):
                s = offset + index * 22.0
                things.append(Post(road.shift(s) + side * (road.half + 0.7), s, *style.bollard))
    if plan.setting in {"city", "town"} and dice.chance(0.6):
        side = dice.pick((-1, 1))
        offset = dice.uniform(5, 20)
        for index in range(-3, 4):
            s = offset + index * 28.0
            a = road.shift(s) + side * (road.half + 0.5)
            things.append(Lamp(a, s, -1.2 * side))
    return things


def _signs(plan: LayoutPlan) -> list[Thing]:
    """Signs for both directions, each on the side its traffic drives on."""
    dice, style, road = plan.dice, plan.style, plan.road
    shape, face, border = style.warning
    choices: tuple[tuple[tuple[str, Colour, Colour], float], ...] = (
        ((shape, face, border), 0.45),
        (("board", style.board, mix(style.board, (255, 255, 255), 0.6)), 0.35),
        (("round", (250, 250, 250), (205, 30, 35)), 0.2),
    )
    things: list[Thing] = []
    own_side = -1 if style.drives_left else 1
    for facing in (-1, 1):
        for _ in range(dice.integer(1, 2) if road.paved else dice.integer(0, 1)):
            s = facing * -dice.uniform(8, 30)
            side = own_side if facing < 0 else -own_side
            a = road.shift(s) + side * (road.half + road.pavement * 0.5 + 1.3)
            kind, plate, rim = dice.weighted(choices)
            things.append(Sign(kind, a, s, plate, rim, facing))
    return things


def _vehicles(plan: LayoutPlan) -> list[Thing]:
    """Traffic in both directions, each in its lane, and parked cars in towns."""
    dice, style, road = plan.dice, plan.style, plan.road
    things: list[Thing] = []
    own_side = -1 if style.drives_left else 1
    busy = {"city": 0.95, "town": 0.85, "village": 0.7, "wild": 0.6}[plan.setting]
    for onward in (True, False):
        for way in (-1, 1):
            if dice.chance(busy):
                s = way * (9 + 36 * dice.random() ** 1.6)
                side = own_side if onward else -own_side
                things.append(_vehicle(plan, road.shift(s) + side * road.half / 2, s, onward))
    if plan.setting in {"city", "town"}:
        for _ in range(dice.integer(0, 3)):
            s, side = dice.pick((-1, 1)) * dice.uniform(8, 45), dice.pick((-1, 1))
            onward = side == own_side
            things.append(_vehicle(plan, road.shift(s) + side * (road.half + 0.3), s, onward))
    return things


def _vehicle(plan: LayoutPlan, a: float, s: float, onward: bool) -> Vehicle:
    dice, style = plan.dice, plan.style
    kind = dice.weighted(style.vehicles)
    colour = dice.pick(PAINTS)
    if kind == "tuktuk":
        colour = dice.pick(((240, 190, 30), (40, 130, 70), style.board))
    elif kind == "bus":
        colour = dice.pick((style.board, (235, 235, 235), (200, 60, 40)))
    if abs(s) < SHAPES[kind][1]:
        s = SHAPES[kind][1] * (1 if s > 0 else -1) * 1.2
    return Vehicle(kind, a, s, onward, colour, style.plate)
