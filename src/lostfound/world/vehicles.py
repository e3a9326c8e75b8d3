"""Cars and other vehicles, driving or parked along the road."""

from dataclasses import dataclass

from lostfound.world.canvas import Canvas
from lostfound.world.dice import Colour, mix

GLASS: Colour = (48, 58, 70)
TYRE: Colour = (26, 26, 28)
# (width, length, height of the body, height of the cabin, cabin's start and end as shares from the rear)
SHAPES = {
    "car": (1.8, 4.2, 0.95, 1.5, 0.12, 0.72),
    "van": (1.9, 4.6, 1.2, 2.1, 0.0, 0.9),
    "bus": (2.5, 9.5, 1.5, 3.1, 0.0, 1.0),
    "pickup": (1.9, 5.0, 1.05, 1.75, 0.4, 0.78),
    "tuktuk": (1.3, 2.7, 0.8, 1.8, 0.0, 0.75),
}


@dataclass(frozen=True)
class Vehicle:
    """One vehicle.

    Attributes:
        kind: A key of `SHAPES`.
        a, s: Its middle.
        onward: Whether it drives in the road's direction.
        colour: Of its body.
        plate: Colour of its number plates.
    """

    kind: str
    a: float
    s: float
    onward: bool
    colour: Colour
    plate: Colour

    def paint(self, canvas: Canvas) -> None:
        """Draw shadow, body, cabin, and the end that is seen: red lights behind, white in front."""
        wide, long, body, cabin, first, last = SHAPES[self.kind]
        if canvas.stand(self.a, self.s, long) is None:
            return
        canvas.shadow(self.a, self.s, long * 0.5)
        way = 1 if self.onward else -1
        rear, front = self.s - way * long / 2, self.s + way * long / 2
        near = min(rear, front) if self.s > 0 else max(rear, front)
        forward = max(0.0, canvas.forward(self.a, near))
        ground = canvas.faded(TYRE, forward)
        self._sides(canvas, wide * 0.94, rear, front, (0.0, 0.4), ground, ground)
        colour = canvas.faded(self.colour, forward, canvas.lit(0.0, -1.0 if self.s > 0 else 1.0, 0.3))
        side = canvas.faded(self.colour, forward, canvas.lit(-1.0 if self.a > 0 else 1.0, 0.0, 0.2))
        self._sides(canvas, wide, rear, front, (0.3, body), colour, side)
        start, end = rear + way * long * first, rear + way * long * last
        roof = canvas.faded(mix(self.colour, (255, 255, 255), 0.15), forward)
        glass = canvas.faded(GLASS, forward)
        self._sides(canvas, wide * 0.86, start, end, (body, cabin - 0.15), glass, glass)
        self._sides(canvas, wide * 0.86, start, end, (cabin - 0.2, cabin), roof, roof)
        self._paint_end(canvas, wide, body, near, near == rear, forward)

    def _sides(
        self,
        canvas: Canvas,
        wide: float,
        rear: float,
        front: float,
        span: tuple[float, float],
        end: Colour,
        side: Colour,
    ) -> None:
        """The long side and the end of a box that the viewer sees."""
        low, high = span
        west, east = self.a - wide / 2, self.a + wide / 2
        if west > 0 or east < 0:
            a = west if west > 0 else east
            canvas.face(((a, rear, low), (a, front, low), (a, front, high), (a, rear, high)), side)
        if rear * front > 0:
            s = min(rear, front) if rear > 0 else max(rear, front)
            canvas.face(((west, s, low), (east, s, low), (east, s, high), (west, s, high)), end)

    def _paint_end(
        self, canvas: Canvas, wide: float, body: float, s: float, rear: bool, forward: float
    ) -> None:
        lights = canvas.faded((225, 25, 25) if rear else (255, 250, 215), forward)
        plate = canvas.faded(self.plate, forward)
        for middle, half, low, high, colour in (
            (-0.38 * wide, 0.2, body - 0.38, body - 0.1, lights),
            (0.38 * wide, 0.2, body - 0.38, body - 0.1, lights),
            (0.0, 0.3, 0.42, 0.62, plate),
        ):
            a = self.a + middle
            canvas.face(
                ((a - half, s, low), (a + half, s, low), (a + half, s, high), (a - half, s, high)), colour
            )
