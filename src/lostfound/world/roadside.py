"""What stands along a road: poles with wires, signs, posts, lamps and fences."""

from dataclasses import dataclass

from lostfound.world.canvas import Canvas
from lostfound.world.dice import Colour, mix

WOOD: Colour = (104, 80, 60)
CONCRETE: Colour = (172, 170, 164)
STEEL: Colour = (120, 124, 130)
WIRE: Colour = (60, 60, 64)


@dataclass(frozen=True)
class Pole:
    """A utility pole, and the wires to the next one.

    Attributes:
        kind: `wood` (with a crossarm), `concrete` (tapering), `ladder` (with holes) or `metal`.
        a, s: Its foot.
        to: Across and along of the next pole, or None for the last.
    """

    kind: str
    a: float
    s: float
    to: tuple[float, float] | None

    def paint(self, canvas: Canvas) -> None:
        """Draw the wires, then the pole."""
        forward = canvas.forward(self.a, self.s)
        if self.to is not None:
            self._paint_wires(canvas, self.to)
        place = canvas.stand(self.a, self.s, 2.0)
        if place is None:
            return
        u, v, m = place
        colour = canvas.faded({"wood": WOOD, "metal": STEEL}.get(self.kind, CONCRETE), forward)
        thick = {"wood": 0.15, "metal": 0.1}.get(self.kind, 0.2)
        foot, head = max(thick * m, 0.6), max(thick * m * 0.65, 0.5)
        canvas.polygon(
            ((u - foot, v), (u + foot, v), (u + head, v - 8.5 * m), (u - head, v - 8.5 * m)), colour
        )
        if self.kind == "ladder" and m > 3:
            dark = canvas.faded((96, 94, 90), forward)
            for step in range(1, 8):
                canvas.polygon(_box(u, v - step * m, 0.08 * m, 0.25 * m), dark)
        elif self.kind == "concrete":
            canvas.polygon(_box(u, v - 8.1 * m, 0.6 * m, 0.08 * m), colour)
            canvas.polygon(_box(u + 0.3 * m, v - 6.6 * m, 0.28 * m, 0.4 * m), colour)
        else:
            canvas.polygon(_box(u, v - 7.8 * m, 1.1 * m, max(0.1 * m, 0.6)), colour)

    def _paint_wires(self, canvas: Canvas, to: tuple[float, float]) -> None:
        middle = (self.a + to[0]) / 2, (self.s + to[1]) / 2
        colour = canvas.faded(WIRE, canvas.forward(*middle))
        for height in (7.9, 6.9):
            low = (*middle, height - 0.7)
            canvas.stroke((self.a, self.s, height), low, colour, 0.0)
            canvas.stroke(low, (*to, height), colour, 0.0)


def _box(u: float, v: float, wide: float, high: float) -> tuple[tuple[float, float], ...]:
    """A rectangle around a pixel; half extents."""
    return (u - wide, v - high), (u + wide, v - high), (u + wide, v + high), (u - wide, v + high)


@dataclass(frozen=True)
class Sign:
    """A road sign.

    Attributes:
        shape: `diamond`, `triangle`, `round` or `board`.
        a, s: Its foot.
        face, border: Colours.
        facing: -1 if it faces traffic that drives in the road's direction, 1 if the other.
    """

    shape: str
    a: float
    s: float
    face: Colour
    border: Colour
    facing: int

    def paint(self, canvas: Canvas) -> None:
        """Draw the post and the plate, grey from behind."""
        place = canvas.stand(self.a, self.s, 2.5)
        if place is None:
            return
        u, v, m = place
        forward = canvas.forward(self.a, self.s)
        steel = canvas.faded(STEEL, forward)
        seen = self.s * self.facing < 0
        face = canvas.faded(self.face, forward) if seen else steel
        border = canvas.faded(self.border, forward) if seen else steel
        half = max(0.05 * m, 0.5)
        canvas.polygon(
            ((u - half, v), (u + half, v), (u + half, v - 2.0 * m), (u - half, v - 2.0 * m)), steel
        )
        top = v - 2.5 * m
        for radius, colour in ((0.62 * m, border), (0.47 * m, face)):
            self._plate(canvas, u, top, radius, colour)
        if seen and m > 5:
            dark = canvas.faded((30, 30, 30), forward)
            ink = canvas.faded((250, 250, 250) if sum(self.face) < 450 else (30, 30, 30), forward)
            if self.shape == "board":
                for row in (-0.22, 0.15):
                    canvas.polygon(_box(u - 0.2 * m, top + row * m, 0.8 * m, 0.1 * m), ink)
            else:
                canvas.polygon(_box(u, top + 0.03 * m, 0.1 * m, 0.22 * m), dark)

    def _plate(self, canvas: Canvas, u: float, v: float, radius: float, colour: Colour) -> None:
        r = radius * 1.25
        if self.shape == "diamond":
            canvas.polygon(((u, v - r), (u + r, v), (u, v + r), (u - r, v)), colour)
        elif self.shape == "triangle":
            canvas.polygon(((u, v - r * 1.1), (u + r * 1.1, v + r * 0.8), (u - r * 1.1, v + r * 0.8)), colour)
        elif self.shape == "round":
            canvas.ellipse((u - radius, v - radius, u + radius, v + radius), colour)
        else:
            canvas.polygon(_box(u, v, radius * 2.4, radius * 1.1), colour)


@dataclass(frozen=True)
class Post:
    """A roadside post (bollard).

    Attributes:
        a, s: Its foot.
        colour, band: Colours of the post and of its reflecting band.
    """

    a: float
    s: float
    colour: Colour
    band: Colour

    def paint(self, canvas: Canvas) -> None:
        """Draw it, twice as thick as life so that it can be read."""
        place = canvas.stand(self.a, self.s, 0.3)
        if place is None:
            return
        u, v, m = place
        forward = canvas.forward(self.a, self.s)
        half = max(0.12 * m, 0.7)
        canvas.polygon(_box(u, v - 0.55 * m, half, 0.55 * m), canvas.faded(self.colour, forward))
        canvas.polygon(_box(u, v - 0.82 * m, half, 0.15 * m), canvas.faded(self.band, forward))


@dataclass(frozen=True)
class Lamp:
    """A street lamp.

    Attributes:
        a, s: Its foot.
        reach: Across to its head: towards the road.
    """

    a: float
    s: float
    reach: float

    def paint(self, canvas: Canvas) -> None:
        """Draw the mast, the arm and the head."""
        forward = canvas.forward(self.a, self.s)
        colour = canvas.faded(STEEL, forward)
        head = self.a + self.reach
        canvas.stroke((self.a, self.s, 0), (self.a, self.s, 6.5), colour, 0.14)
        canvas.stroke((self.a, self.s, 6.5), (head, self.s, 7.0), colour, 0.1)
        canvas.stroke(
            (head, self.s, 7.0),
            (head + self.reach * 0.4, self.s, 7.0),
            canvas.faded((235, 230, 205), forward),
            0.22,
        )


@dataclass(frozen=True)
class Fence:
    """One length of fence, wall or hedge along the road.

    Attributes:
        kind: `wall`, `hedge`, `picket` or `wire`.
        a, s: Its middle.
        start, end: (across, along) of its ends.
        colour: Of a wall or a hedge.
    """

    kind: str
    a: float
    s: float
    start: tuple[float, float]
    end: tuple[float, float]
    colour: Colour

    def paint(self, canvas: Canvas) -> None:
        """Draw it."""
        forward = max(0.0, canvas.forward(self.a, self.s))
        if canvas.forward(*self.start) < 0 and canvas.forward(*self.end) < 0:
            return
        height = {"wall": 1.6, "hedge": 1.3}.get(self.kind, 1.0)
        colour = {"picket": (236, 234, 228), "wire": (126, 108, 88)}.get(self.kind, self.colour)
        colour = canvas.faded(colour, forward, canvas.lit(-1.0 if self.a > 0 else 1.0, 0.0, 0.0))
        (a0, s0), (a1, s1) = self.start, self.end
        if self.kind in {"wall", "hedge"}:
            canvas.face(((a0, s0, 0), (a1, s1, 0), (a1, s1, height), (a0, s0, height)), colour)
            cap = mix(colour, (255, 255, 255), 0.25)
            canvas.face(
                ((a0, s0, height - 0.2), (a1, s1, height - 0.2), (a1, s1, height), (a0, s0, height)), cap
            )
            return
        for rail in (0.45, 0.9):
            canvas.stroke((a0, s0, rail), (a1, s1, rail), colour, 0.05 if self.kind == "wire" else 0.14)
        for index in range(4):
            a, s = a0 + (a1 - a0) * index / 4, s0 + (s1 - s0) * index / 4
            canvas.stroke((a, s, 0), (a, s, height), colour, 0.12)
