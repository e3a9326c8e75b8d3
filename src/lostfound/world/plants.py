"""Trees and other plants, drawn flat as they face the viewer."""

from collections.abc import Callable
from dataclasses import dataclass

from lostfound.world.canvas import Canvas
from lostfound.world.dice import Colour, mix

BARK: Colour = (96, 72, 52)
PALE_BARK: Colour = (214, 208, 196)
SNOWY: Colour = (232, 238, 246)


@dataclass(frozen=True)
class Plant:
    """One plant.

    Attributes:
        kind: A key of `PAINTERS`.
        a, s: Where it stands, metres.
        height: Metres.
        colour: Of its leaves.
        lean: From -1 to 1, what makes it differ from others of its kind.
    """

    kind: str
    a: float
    s: float
    height: float
    colour: Colour
    lean: float

    def paint(self, canvas: Canvas) -> None:
        """Draw the plant and its shadow."""
        place = canvas.stand(self.a, self.s, self.height * 0.6)
        if place is None:
            return
        canvas.shadow(self.a, self.s, self.height * 0.2)
        forward = canvas.forward(self.a, self.s)
        leaf = canvas.faded(self.colour, forward)
        light = canvas.faded(mix(self.colour, (255, 250, 190), 0.22), forward)
        u, v, scale = place
        PAINTERS[self.kind](_Stem(canvas, u, v, self.height * scale, self.lean, forward), leaf, light)


@dataclass(frozen=True)
class _Stem:
    """Where a plant is on the picture: foot, height in pixels, lean, and distance for the haze."""

    canvas: Canvas
    u: float
    v: float
    h: float
    lean: float
    forward: float

    def trunk(self, top: float, colour: Colour, width: float = 0.06) -> None:
        """A trunk up to that share of the height."""
        end = (self.u + self.lean * 0.08 * self.h * top, self.v - self.h * top)
        colour = self.canvas.faded(colour, self.forward)
        self.canvas.line(((self.u, self.v), end), colour, max(1, round(width * self.h)))

    def blob(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """An ellipse; centre and radii are shares of the height."""
        u, v, h = self.u + x * self.h, self.v - y * self.h, self.h
        self.canvas.ellipse((u - rx * h, v - ry * h, u + rx * h, v + ry * h), colour)

    def shape(self, points: tuple[tuple[float, float], ...], colour: Colour) -> None:
        """A polygon in shares of the height."""
        self.canvas.polygon([(self.u + x * self.h, self.v - y * self.h) for x, y in points], colour)

    def twig(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, width: float) -> None:
        """A line in shares of the height."""
        start, end = (
            (self.u + x0 * self.h, self.v - y0 * self.h),
            (self.u + x1 * self.h, self.v - y1 * self.h),
        )
        self.canvas.line((start, end), colour, max(1, round(width * self.h)))


def _broadleaf(stem: _Stem, leaf: Colour, light: Colour) -> None:
    stem.trunk(0.5, BARK, 0.07)
    side = 0.08 * stem.lean
    stem.blob(-0.16 + side, 0.55, 0.2, 0.2, leaf)
    stem.blob(0.17 + side, 0.52, 0.19, 0.18, leaf)
    stem.blob(side, 0.72, 0.25, 0.26, leaf)
    stem.blob(-0.07 + side, 0.78, 0.14, 0.14, light)


def _conifer(stem: _Stem, leaf: Colour, light: Colour) -> None:
    stem.trunk(0.2, BARK, 0.05)
    wide = 0.22 + 0.05 * stem.lean
    for low, high, share in ((0.1, 0.55, 1.0), (0.35, 0.78, 0.76), (0.6, 1.0, 0.5)):
        stem.shape(((-wide * share, low), (wide * share, low), (0, high)), leaf)
        stem.shape(((-wide * share, low), (-wide * share * 0.2, low), (0, high)), light)


def _birch(stem: _Stem, leaf: Colour, light: Colour) -> None:
    stem.trunk(0.8, PALE_BARK, 0.035)
    stem.blob(0, 0.62, 0.15, 0.3, light)
    stem.blob(0.04, 0.55, 0.09, 0.2, leaf)


def _bare(stem: _Stem, _leaf: Colour, _light: Colour) -> None:
    bark = stem.canvas.faded((104, 88, 76), stem.forward)
    stem.trunk(0.55, (104, 88, 76), 0.05)
    for x, y, width in ((-0.26, 0.85, 0.02), (-0.1, 0.98, 0.025), (0.08, 1.0, 0.025), (0.25, 0.82, 0.02)):
        stem.twig(0.03 * stem.lean, 0.4, x, y, bark, width)
        stem.twig(x * 0.5, 0.4 + (y - 0.4) * 0.5, x * 1.2, y * 0.8, bark, width * 0.6)


def _palm(stem: _Stem, leaf: Colour, light: Colour) -> None:
    lean = 0.12 * stem.lean
    bark = stem.canvas.faded((136, 112, 84), stem.forward)
    stem.twig(0, 0, lean * 0.5, 0.45, bark, 0.045)
    stem.twig(lean * 0.5, 0.45, lean, 0.82, bark, 0.04)
    for x, y, colour in (
        (-0.34, 0.66, leaf), (0.34, 0.68, leaf), (-0.3, 0.88, light), (0.31, 0.86, leaf), (-0.14, 1.0, light),
        (0.14, 1.0, light),
    ):  # fmt: skip
        stem.shape(
            (
                (lean, 0.84),
                (lean + x * 0.55, (y + 0.96) / 2 + 0.06),
                (lean + x, y),
                (lean + x * 0.5, y - 0.02),
            ),
            colour,
        )


def _cactus(stem: _Stem, _leaf: Colour, _light: Colour) -> None:
    green = stem.canvas.faded((76, 118, 70), stem.forward)
    stem.twig(0, 0, 0, 1, green, 0.13)
    side = 0.22 if stem.lean > 0 else -0.22
    stem.twig(0, 0.4, side, 0.45, green, 0.09)
    stem.twig(side, 0.42, side, 0.78, green, 0.09)
    stem.twig(-side, 0.55, -side, 0.85, green, 0.08)
    stem.twig(0, 0.52, -side, 0.57, green, 0.08)


def _acacia(stem: _Stem, leaf: Colour, light: Colour) -> None:
    bark = stem.canvas.faded((92, 70, 50), stem.forward)
    stem.twig(0, 0, 0.03 * stem.lean, 0.45, bark, 0.06)
    stem.twig(0.02, 0.4, -0.28, 0.78, bark, 0.035)
    stem.twig(0.02, 0.4, 0.3, 0.78, bark, 0.035)
    stem.blob(0.05 * stem.lean, 0.8, 0.55, 0.13, leaf)
    stem.blob(-0.1, 0.86, 0.34, 0.08, light)


def _eucalypt(stem: _Stem, leaf: Colour, _light: Colour) -> None:
    bark = stem.canvas.faded((206, 190, 172), stem.forward)
    pale = mix(leaf, stem.canvas.faded((150, 160, 130), stem.forward), 0.55)
    stem.twig(0, 0, 0.05 * stem.lean, 0.5, bark, 0.05)
    stem.twig(0.04 * stem.lean, 0.45, -0.2, 0.75, bark, 0.03)
    stem.twig(0.04 * stem.lean, 0.45, 0.2, 0.8, bark, 0.03)
    stem.blob(-0.22, 0.78, 0.17, 0.1, pale)
    stem.blob(0.22, 0.82, 0.18, 0.11, pale)
    stem.blob(0.0, 0.93, 0.16, 0.09, pale)


def _cypress(stem: _Stem, leaf: Colour, light: Colour) -> None:
    dark = mix(leaf, stem.canvas.faded((22, 52, 34), stem.forward), 0.6)
    stem.blob(0, 0.5, 0.09, 0.5, dark)
    stem.blob(-0.03, 0.5, 0.035, 0.38, mix(dark, light, 0.3))


def _bamboo(stem: _Stem, leaf: Colour, light: Colour) -> None:
    stalk = stem.canvas.faded((150, 160, 80), stem.forward)
    for x, tip in ((-0.12, -0.26), (-0.05, -0.1), (0.03, 0.06), (0.1, 0.25)):
        stem.twig(x, 0, tip, 0.92, stalk, 0.02)
        stem.blob(tip, 0.82, 0.13, 0.15, light if x < 0 else leaf)


def _shrub(stem: _Stem, leaf: Colour, light: Colour) -> None:
    stem.blob(-0.25, 0.35, 0.42, 0.38, leaf)
    stem.blob(0.25, 0.4, 0.42, 0.42, leaf)
    stem.blob(-0.1, 0.55, 0.3, 0.28, light)


def _rock(stem: _Stem, _leaf: Colour, _light: Colour) -> None:
    grey = stem.canvas.faded((128, 116, 104), stem.forward)
    pale = stem.canvas.faded((168, 156, 140), stem.forward)
    stem.shape(((-0.8, 0), (-0.5, 0.7), (0.1, 1.0), (0.7, 0.6), (0.9, 0)), grey)
    stem.shape(((-0.5, 0.7), (0.1, 1.0), (0.3, 0.55), (-0.2, 0.4)), pale)


PAINTERS: dict[str, Callable[[_Stem, Colour, Colour], None]] = {
    "acacia": _acacia,
    "bamboo": _bamboo,
    "bare": _bare,
    "birch": _birch,
    "broadleaf": _broadleaf,
    "cactus": _cactus,
    "conifer": _conifer,
    "cypress": _cypress,
    "eucalypt": _eucalypt,
    "palm": _palm,
    "rock": _rock,
    "shrub": _shrub,
}
HEIGHTS = {
    "acacia": (4.5, 8.0), "bamboo": (5.0, 9.0), "bare": (5.0, 10.0), "birch": (6.0, 11.0),
    "broadleaf": (5.0, 11.0),
    "cactus": (2.0, 4.5), "conifer": (6.0, 14.0), "cypress": (6.0, 10.0), "eucalypt": (7.0, 13.0),
    "palm": (5.5, 10.0), "rock": (0.5, 1.6), "shrub": (0.7, 1.8),
}  # fmt: skip
"""Least and greatest height of each kind, metres."""
EVERGREEN = frozenset({"conifer", "cypress", "eucalypt", "palm", "bamboo", "shrub"})
