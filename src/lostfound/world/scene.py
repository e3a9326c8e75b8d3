"""The world around one place: everything that all of its headings share."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lostfound.world.camera import Grid
from lostfound.world.climate import Climate, climate_at, smooth_noise
from lostfound.world.dice import Colour, Dice, mix
from lostfound.world.land import Land, land_at
from lostfound.world.layout import LayoutPlan, Thing, lay_out
from lostfound.world.light import Moment, moment_at
from lostfound.world.road import Road, cross_section, road_for
from lostfound.world.style import Style, style_of

AROUND = 720
"""Steps of a ridge all around the viewer."""


@dataclass(frozen=True)
class Ridge:
    """A line of hills, woods or roofs all around the viewer.

    Attributes:
        heights: Height over distance at equal steps of azimuth from the road's direction, all around.
        colour: Its colour, haze included.
        snow_line: Height over distance above which it is white, or None.
    """

    heights: Grid
    colour: Colour
    snow_line: float | None = None


@dataclass(frozen=True)
class Scene:
    """A place, ready to be seen in any direction.

    Attributes:
        bearing: The road's direction, degrees clockwise from north.
        moment: Light and weather.
        sun: Unit vector (across, along, up) towards the sun.
        cloud_offset: Where in the noise this place's clouds are.
        section: The road's cross-section, see `road.cross_section`.
        road_shifts: See `Road.shifts`.
        ridges: From far to near.
        things: Everything that stands around, the farthest first.
    """

    bearing: float
    moment: Moment
    sun: tuple[float, float, float]
    cloud_offset: float
    section: Grid
    road_shifts: Grid
    ridges: tuple[Ridge, ...]
    things: tuple[Thing, ...]


def road_bearing(latitude: float, longitude: float, seed: int) -> float:
    """The direction of the road at a place, degrees clockwise from north."""
    return round(Dice("bearing", round(latitude, 6), round(longitude, 6), seed).uniform(0, 360), 1)


@lru_cache(maxsize=8)
def scene_at(latitude: float, longitude: float, code: str, seed: int) -> Scene:
    """The scene of a place, from rounded coordinates, country code and seed alone."""
    dice = Dice("scene", latitude, longitude, code, seed)
    style, climate = style_of(code), climate_at(latitude, longitude)
    moment = moment_at(latitude, climate, dice)
    land = land_at(climate, moment, code, dice)
    bearing = road_bearing(latitude, longitude, seed)
    harsh = max(0.0, 0.35 - climate.humidity) + max(0.0, -climate.temperature / 25)
    setting = dice.weighted((("city", 0.15), ("town", 0.28), ("village", 0.32), ("wild", 0.25 + harsh)))
    coast = climate.elevation < 0.35 and smooth_noise("coast", latitude, longitude) > 0.1 and dice.chance(0.5)
    road = road_for(style, setting, coast, dice)
    return Scene(
        bearing=bearing,
        moment=moment,
        sun=_sun_vector(moment, bearing),
        cloud_offset=dice.uniform(0, 200),
        section=cross_section(road, style, land, dice),
        road_shifts=road.shifts(),
        ridges=_ridges(climate, moment, land, setting, road, style, dice),
        things=lay_out(LayoutPlan(setting, style, land, road, dice)),
    )


def _sun_vector(moment: Moment, bearing: float) -> tuple[float, float, float]:
    azimuth = math.radians(moment.sun_azimuth - bearing)
    elevation = math.radians(moment.sun_elevation)
    flat = math.cos(elevation)
    return flat * math.sin(azimuth), flat * math.cos(azimuth), math.sin(elevation)


def _wave(dice: Dice, low: int, high: int, power: float) -> Grid:
    """A closed line, shape (AROUND + 1,), from 0 to 1, of waves `low` to `high` around the circle."""
    turn = np.linspace(0, 2 * math.pi, AROUND + 1)
    total = np.zeros(AROUND + 1)
    for wave in range(low, high, max(1, (high - low) // 9)):
        total += np.sin(turn * wave + dice.uniform(0, 7)) * wave**-power
    span = total.max() - total.min()
    line: Grid = ((total - total.min()) / span).astype(np.float32)
    return line


def _ridges(
    climate: Climate, moment: Moment, land: Land, setting: str, road: Road, style: Style, dice: Dice
) -> tuple[Ridge, ...]:
    """Mountains, hills, and what closes the view on the plain: woods or roofs."""
    open_sea = np.ones(AROUND + 1, np.float32)
    if road.water:
        across = np.sin(np.linspace(0, 2 * math.pi, AROUND + 1)) * road.water
        open_sea = (1 - 3 * across).clip(0, 1).astype(np.float32)
    bare = mix(land.ground, (120, 108, 100), 0.35)
    wooded = mix(bare, land.leaf, 0.5 * climate.humidity)
    ridges = []
    if climate.relief > 0.25:
        height = 0.62 * climate.relief**1.2
        sharp = abs(_wave(dice, 2, 14, 0.8) - 0.5) * 1.4 + 0.2 * _wave(dice, 20, 70, 0.7)
        snow = climate.elevation > 1.2 or climate.temperature < 3 or land.snow
        snow_line = 0.5 * height if snow and not land.snow else None
        colour = mix(wooded, moment.horizon, 0.55)
        ridges.append(
            Ridge(
                (sharp * height * open_sea).astype(np.float32), mix(colour, (90, 110, 160), 0.15), snow_line
            )
        )
    hills = (0.03 + 0.1 * climate.relief) * _wave(dice, 3, 12, 0.8) + 0.004
    ridges.append(Ridge((hills * open_sea).astype(np.float32), mix(wooded, moment.horizon, 0.4)))
    ridges.extend(_near_ridge(land, moment, setting, style, open_sea, dice))
    return tuple(ridges)


def _near_ridge(
    land: Land, moment: Moment, setting: str, style: Style, open_sea: Grid, dice: Dice
) -> list[Ridge]:
    if setting == "city":
        blocks = np.repeat([dice.uniform(0.03, 0.11) for _ in range(AROUND // 10)], 10)
        skyline = np.append(blocks, blocks[0]) * open_sea
        wall: Colour = mix(style.walls[0], (110, 115, 125), 0.5)
        return [Ridge(skyline.astype(np.float32), mix(wall, moment.horizon, 0.5))]
    if land.density > 0.4 and dice.chance(0.8):
        tops = 0.012 + 0.03 * _wave(dice, 40, 140, 0.1) * land.density + 0.012 * _wave(dice, 3, 9, 0.5)
        leaf = mix(land.leaf, (20, 40, 30), 0.15)
        return [Ridge((tops * open_sea).astype(np.float32), mix(leaf, moment.horizon, 0.28))]
    return []
