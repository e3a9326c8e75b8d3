"""One picture of the generated world."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lostfound.errors import CountryNameError, UsageError
from lostfound.world.backdrop import paint_ground, paint_ridge, paint_sky
from lostfound.world.camera import Camera
from lostfound.world.canvas import Canvas
from lostfound.world.facts import FAMILY_OF
from lostfound.world.places import country_of
from lostfound.world.scene import scene_at

SMOOTH = 2
"""Pictures are drawn this many times larger, then reduced, which smooths edges."""
BEHIND = -20.0
"""Things farther back than this many metres reach into no picture."""


def render(
    latitude: float,
    longitude: float,
    heading: float,
    *,
    country: str | None = None,
    size: int = 128,
    seed: int = 0,
    field_of_view: float = 90.0,
) -> NDArray[np.uint8]:
    """Draw what a street camera would see in the generated world.

    The same arguments always give the same picture, and all headings of a place show one world: same road,
    same houses, same light.

    Args:
        latitude: Degrees, -90 to 90.
        longitude: Degrees, -180 to 180.
        heading: Viewing direction, degrees clockwise from north.
        country: ISO 3166-1 alpha-2 code that decides the look of the road; from the coordinates by default.
        size: Width and height in pixels, even, 16 to 2048.
        seed: Another seed is another world at the same place.
        field_of_view: Horizontal angle, degrees, 20 to 140.

    Returns:
        RGB picture, shape (size, size, 3), 0 to 255.

    Raises:
        UsageError: A value is out of its range.
        CountryNameError: No country has this code.
    """
    _check(latitude, longitude, heading, size, field_of_view)
    code = country_of(latitude, longitude) if country is None else country.upper()
    if code not in FAMILY_OF:
        raise CountryNameError(
            f'No country has the code "{country}". Codes are ISO 3166-1 alpha-2, such as FR.'
        )
    scene = scene_at(round(latitude, 6), round(longitude, 6), code, seed)
    camera = Camera(size * SMOOTH, math.radians(heading - scene.bearing), field_of_view)
    pixels = np.empty((camera.size, camera.size, 3), np.uint8)
    paint_sky(pixels, scene, camera)
    paint_ground(pixels, scene, camera)
    image = Image.fromarray(pixels)
    sun = scene.sun if scene.moment.sunny else None
    canvas = Canvas(image, camera, scene.moment.horizon, scene.moment.visibility, sun)
    for ridge in scene.ridges:
        paint_ridge(canvas, ridge, camera)
    for thing in scene.things:
        if canvas.forward(thing.a, thing.s) > BEHIND:
            thing.paint(canvas)
    table = [min(255, round(value * share)) for share in scene.moment.tint for value in range(256)]
    return np.asarray(image.reduce(SMOOTH).point(table))


def _check(latitude: float, longitude: float, heading: float, size: int, field_of_view: float) -> None:
    for name, value, low, high in (
        ("latitude", latitude, -90, 90),
        ("longitude", longitude, -180, 180),
        ("size", size, 16, 2048),
        ("field_of_view", field_of_view, 20, 140),
    ):
        if not low <= value <= high:
            raise UsageError(f"{name} is {value}, but must be between {low} and {high}")
    if size % 2:
        raise UsageError(f"size is {size}, but must be even: use {size + 1}")
    if not math.isfinite(heading):
        raise UsageError(f"heading is {heading}, but must be a finite number of degrees")
