"""Drawing things that stand in the road's frame onto the picture of one camera."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from lostfound.world.camera import EYE, Camera
from lostfound.world.dice import Colour

NEAR = 0.6
"""Nothing nearer than this many metres is drawn."""
THICKEST = 4.0
"""Lines nearer than this many metres are drawn no thicker."""

Point = tuple[float, float, float]
Spot = tuple[float, float]


class Canvas:
    """A picture being drawn.

    Args:
        image: The RGB picture, as wide and high as the camera's size.
        camera: Where it looks.
        haze: What colour things fade into with distance.
        visibility: Metres at which they are two thirds faded.
        sun: Unit vector (across, along, up) towards the sun, or None under clouds.
    """

    def __init__(
        self, image: Image.Image, camera: Camera, haze: Colour, visibility: float, sun: Point | None
    ) -> None:
        self.size = camera.size
        self.focal = camera.focal
        self.sun = sun
        self._haze = haze
        self._visibility = visibility
        self._horizon = camera.horizon
        self._cos, self._sin = math.cos(camera.turn), math.sin(camera.turn)
        draw = ImageDraw.Draw(image)
        self._blend = ImageDraw.Draw(image, "RGBA")
        self.polygon, self.ellipse, self.line = draw.polygon, draw.ellipse, draw.line

    def forward(self, a: float, s: float) -> float:
        """Distance in front of the camera, metres; negative behind it."""
        return a * self._sin + s * self._cos

    def project(self, a: float, s: float, z: float) -> Spot | None:
        """Pixel of a point, or None if it is not in front of the camera."""
        forward = a * self._sin + s * self._cos
        if forward < NEAR:
            return None
        scale = self.focal / forward
        return (a * self._cos - s * self._sin) * scale + self.size / 2, self._horizon - (z - EYE) * scale

    def stand(self, a: float, s: float, width: float) -> tuple[float, float, float] | None:
        """Where an upright thing on the ground appears: pixel of its foot, and pixels per metre.

        None if a thing of that width (metres) is outside the picture.
        """
        forward = a * self._sin + s * self._cos
        if forward < NEAR:
            return None
        scale = self.focal / forward
        u = (a * self._cos - s * self._sin) * scale + self.size / 2
        if abs(u - self.size / 2) > self.size / 2 + width * scale:
            return None
        return u, self._horizon + EYE * scale, scale

    def faded(self, colour: Colour, forward: float, shade: float = 1.0) -> Colour:
        """The colour in this shade, seen through the haze of that distance."""
        haze = 1 - math.exp(-max(forward, 0.0) / self._visibility)
        keep = (1 - haze) * shade
        r, g, b = self._haze
        return (
            min(255, int(colour[0] * keep + r * haze)),
            min(255, int(colour[1] * keep + g * haze)),
            min(255, int(colour[2] * keep + b * haze)),
        )

    def lit(self, across: float, along: float, up: float) -> float:
        """Shade of a surface with this normal: 1 in full sun."""
        if self.sun is None:
            return 0.86 + 0.1 * up
        facing = across * self.sun[0] + along * self.sun[1] + up * self.sun[2]
        return 0.74 + 0.3 * max(0.0, facing)

    def face(self, corners: Sequence[Point], colour: Colour) -> None:
        """Fill a flat polygon, cut off where it comes too near the camera."""
        spots = self._spots(corners)
        if len(spots) > 2:
            self.polygon(spots, colour)

    def stroke(self, first: Point, second: Point, colour: Colour, width: float) -> None:
        """A line in space, its width in metres at its nearer end; at least one pixel."""
        spots = self._spots((first, second))
        if len(spots) > 1:
            nearer = max(THICKEST, min(self.forward(*first[:2]), self.forward(*second[:2])))
            self.line(spots, colour, max(1, round(width * self.focal / nearer)))

    def _spots(self, points: Sequence[Point]) -> list[Spot]:
        """Pixels of the corners of a polygon or the ends of a line, without what is too near the camera."""
        view = [(a * self._cos - s * self._sin, a * self._sin + s * self._cos, z - EYE) for a, s, z in points]
        if any(corner[1] < NEAR for corner in view):
            view = _clip(view)
        half, focal = self.size / 2, self.focal
        return [
            (half + right * focal / forward, self._horizon - up * focal / forward)
            for right, forward, up in view
        ]

    def shadow(self, a: float, s: float, radius: float) -> None:
        """The round shadow of something that stands there, if the sun shines."""
        if self.sun is None:
            return
        slant = min(1.5, 0.6 * radius / max(self.sun[2], 0.3))
        a, s = a - self.sun[0] * slant, s - self.sun[1] * slant
        forward = self.forward(a, s)
        spot = self.project(a, s, 0)
        if spot is None or forward < 2 or forward > 60:
            return
        wide = radius * self.focal / forward
        high = wide * EYE / forward
        u, v = spot
        self._blend.ellipse((u - wide, v - high, u + wide, v + high), (25, 28, 40, 85))


def _clip(view: list[Point]) -> list[Point]:
    """The part of a polygon beyond the near plane (Sutherland and Hodgman's rule for one plane)."""
    kept: list[Point] = []
    for index, here in enumerate(view):
        before = view[index - 1]
        if (here[1] < NEAR) != (before[1] < NEAR):
            share = (NEAR - before[1]) / (here[1] - before[1])
            right = before[0] + (here[0] - before[0]) * share
            kept.append((right, NEAR, before[2] + (here[2] - before[2]) * share))
        if here[1] >= NEAR:
            kept.append(here)
    return kept
