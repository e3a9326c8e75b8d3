"""Climate from coordinates: smooth over the globe, so that neighbouring places look alike.

A sketch, not climatology: temperature falls with latitude and height, rain follows the great wind belts, and
a few dozen well-known deserts, rainforests and mountain ranges are put where they are.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from lostfound.world.dice import Dice

# (latitude, longitude, radius in degrees, strength)
_WET_AND_DRY = (
    (23, 5, 14, -0.9), (22, 28, 12, -0.9), (24, 47, 11, -0.9), (33, 58, 10, -0.5), (42, 62, 10, -0.5),
    (43, 105, 9, -0.5), (39, 84, 9, -0.8), (-25, 131, 12, -0.7), (-23, -69, 6, -0.9), (-23, 18, 8, -0.7),
    (35, -113, 8, -0.7), (26, -104, 6, -0.5), (-46, -70, 6, -0.4), (27, 71, 5, -0.6), (8, 46, 6, -0.6),
    (2, 39, 4, -0.5), (-4, -62, 14, 0.5), (0, 20, 10, 0.5), (3, 110, 15, 0.5), (54, 3, 12, 0.4),
    (36, 137, 7, 0.5), (24, 91, 5, 0.5), (49, -122, 6, 0.5), (34, -84, 9, 0.45), (28, 114, 8, 0.5),
    (-42, 172, 6, 0.4), (-44, -73, 4, 0.5), (12, 76, 4, 0.4), (-26, -53, 7, 0.4), (-38, 147, 4, 0.4),
)  # fmt: skip
_MOUNTAINS = (
    (31, 85, 7, 4.0), (36, 74, 5, 3.5), (33, 96, 6, 3.8), (42, 78, 5, 2.5), (47, 100, 6, 1.6),
    (46, 9, 3, 2.2), (43, 44, 3, 2.0), (39, 42, 4, 1.8), (33, 54, 4, 1.3), (9, 39, 4, 2.0),
    (0, 36, 3, 1.5), (-29, 29, 2.5, 1.8), (40, -108, 6, 2.0), (51, -117, 5, 1.8), (22, -102, 5, 1.9),
    (5, -75, 3, 2.0), (-3, -79, 3, 2.4), (-12, -74, 4, 3.2), (-19, -67, 5, 3.6), (-31, -70, 3, 2.5),
    (62, 8, 4, 1.1), (68, 17, 3, 0.8), (36, 138, 2, 1.0), (-43, 171, 2, 1.2), (32, -6, 3, 1.5),
    (42, 1, 2, 1.4), (45, 24, 2, 1.0), (19, 98, 3, 0.7), (-5, 140, 3, 1.5),
)  # fmt: skip


@dataclass(frozen=True)
class Climate:
    """What the weather station of a place would say over the years.

    Attributes:
        temperature: Yearly mean in degrees Celsius.
        swing: Half the difference between the warmest and the coldest month, degrees Celsius.
        humidity: From 0 (desert) to 1 (rainforest).
        elevation: Kilometres above the sea.
        relief: From 0 (plain) to 1 (mountains all round).
    """

    temperature: float
    swing: float
    humidity: float
    elevation: float
    relief: float


@lru_cache(maxsize=8)
def _waves(name: str) -> tuple[tuple[float, float, float, float, float], ...]:
    dice = Dice("climate", name)
    waves = []
    for index in range(12):
        frequency = 3.0 * 1.35**index
        z = dice.uniform(-1, 1)
        turn = dice.uniform(0, 2 * math.pi)
        flat = math.sqrt(1 - z * z)
        x, y = flat * math.cos(turn), flat * math.sin(turn)
        waves.append((x * frequency, y * frequency, z * frequency, dice.uniform(0, 7), 1.1**-index))
    return tuple(waves)


def smooth_noise(name: str, latitude: float, longitude: float) -> float:
    """A smooth function on the sphere with mean about 0 and deviation about 0.35, one for each name."""
    phi, lam = math.radians(latitude), math.radians(longitude)
    x, y, z = math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)
    waves = _waves(name)
    total = sum(a * math.sin(kx * x + ky * y + kz * z + p) for kx, ky, kz, p, a in waves)
    return total / math.sqrt(sum(a * a for *_, a in waves)) * 0.5


def _bumps(table: tuple[tuple[float, float, float, float], ...], latitude: float, longitude: float) -> float:
    stretch = math.cos(math.radians(latitude))
    total = 0.0
    for lat, lon, radius, strength in table:
        east = (longitude - lon + 180) % 360 - 180
        squared = ((latitude - lat) ** 2 + (east * stretch) ** 2) / radius**2
        if squared < 9:
            total += strength * math.exp(-squared)
    return total


def climate_at(latitude: float, longitude: float) -> Climate:
    """The climate of a place.

    Args:
        latitude: Degrees, -90 to 90.
        longitude: Degrees, -180 to 180.
    """
    roughness = smooth_noise("relief", latitude, longitude)
    ranges = _bumps(_MOUNTAINS, latitude, longitude)
    elevation = max(0.0, 0.25 + 0.5 * roughness + ranges)
    temperature = 27.5 - 45 * abs(math.sin(math.radians(latitude))) ** 2.6 - 3.5 * elevation
    belts = 0.55 + 0.32 * math.cos(math.radians(latitude * 6.5)) - 0.004 * max(0.0, abs(latitude) - 55)
    rain = belts + _bumps(_WET_AND_DRY, latitude, longitude) + 0.3 * smooth_noise("rain", latitude, longitude)
    return Climate(
        temperature=temperature + 2 * smooth_noise("warmth", latitude, longitude),
        swing=min(20.0, 1.0 + abs(latitude) * 0.26),
        humidity=min(1.0, max(0.0, rain)),
        elevation=elevation,
        relief=min(1.0, max(0.0, 0.2 + 0.5 * roughness + 0.55 * ranges)),
    )
