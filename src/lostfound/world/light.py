"""The moment of a picture: day and hour, the sun's place in the sky, weather, and the colours they give."""

import math
from dataclasses import dataclass

from lostfound.world.climate import Climate
from lostfound.world.dice import Colour, Dice, mix

OVERCAST = 0.75
"""Cloud cover from which no sun is seen and nothing casts a shadow."""


@dataclass(frozen=True)
class Moment:
    """When a place is seen.

    Attributes:
        sun_elevation: Degrees above the horizon.
        sun_azimuth: Degrees clockwise from north.
        temperature: Degrees Celsius that day.
        summer: From -1 (midwinter) to 1 (midsummer) on this hemisphere.
        clouds: Cover from 0 to 1.
        visibility: Metres at which colours are two thirds haze.
        zenith, horizon: Colours of the sky.
        tint: What the light multiplies red, green and blue by.
    """

    sun_elevation: float
    sun_azimuth: float
    temperature: float
    summer: float
    clouds: float
    visibility: float
    zenith: Colour
    horizon: Colour
    tint: tuple[float, float, float]

    @property
    def sunny(self) -> bool:
        """Whether the sun is seen and shadows fall."""
        return self.clouds < OVERCAST


def sun_position(latitude: float, day: float, hour: float) -> tuple[float, float]:
    """Elevation and azimuth of the sun in degrees (the usual declination formula, no equation of time).

    Args:
        latitude: Degrees.
        day: Day of the year, 1 to 365.
        hour: Local solar time, 12 at noon.
    """
    phi = math.radians(latitude)
    declination = math.radians(23.44) * math.sin(2 * math.pi * (day - 81) / 365)
    turn = math.radians(15 * (hour - 12))
    sine = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(turn)
    east = -math.cos(declination) * math.sin(turn)
    north = math.sin(declination) * math.cos(phi) - math.cos(declination) * math.cos(turn) * math.sin(phi)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine)))), math.degrees(math.atan2(east, north)) % 360


def _daylight(latitude: float, dice: Dice) -> tuple[float, float, float]:
    """A day and the sun's elevation and azimuth at some hour of it when it is light."""
    for _ in range(12):
        day, hour = dice.uniform(1, 366), dice.uniform(7.5, 17)
        elevation, azimuth = sun_position(latitude, day, hour)
        if elevation > 7:
            return day, elevation, azimuth
    day = 172.0 if latitude >= 0 else 355.0
    return day, *sun_position(latitude, day, 12.0)


def moment_at(latitude: float, climate: Climate, dice: Dice) -> Moment:
    """A moment drawn for a place: always by day, weather by climate."""
    day, elevation, azimuth = _daylight(latitude, dice)
    summer = math.cos(2 * math.pi * (day - 200) / 365) * (1 if latitude >= 0 else -1)
    clouds = min(1.0, max(0.0, 0.1 + 0.5 * climate.humidity + dice.uniform(-0.45, 0.45)))
    low = max(0.0, 1 - elevation / 18)
    grey = max(0.0, (clouds - 0.55) / 0.45)
    dust = max(0.0, 0.45 - climate.humidity)
    zenith = mix(mix((52, 118, 205), (95, 125, 180), low), (158, 167, 178), grey * 0.9)
    horizon = mix(mix((190, 217, 238), (250, 205, 150), low * 0.8), (228, 208, 172), dust)
    horizon = mix(horizon, (206, 210, 214), grey)
    bright = 0.86 + 0.16 * math.sin(math.radians(max(elevation, 0.0))) - 0.06 * grey
    warm = low * (1 - grey)
    return Moment(
        sun_elevation=elevation,
        sun_azimuth=azimuth,
        temperature=climate.temperature + climate.swing * summer,
        summer=summer,
        clouds=clouds,
        visibility=dice.uniform(180, 420) * (1 - 0.4 * grey) * (1 - 0.5 * dust),
        zenith=zenith,
        horizon=horizon,
        tint=(
            bright * (1 + 0.06 * warm),
            bright * (1 - 0.02 * warm),
            bright * (1 - 0.14 * warm + 0.02 * grey),
        ),
    )
