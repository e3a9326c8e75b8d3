"""Houses, blocks and traditional dwellings."""

from dataclasses import dataclass

from lostfound.world.canvas import Canvas, Point
from lostfound.world.dice import Colour, mix

GLASS: Colour = (62, 76, 92)
DOOR: Colour = (92, 58, 40)
STOREY = 3.0


@dataclass(frozen=True)
class Building:
    """A house with walls along and across the road.

    Attributes:
        a, s: Its middle, metres.
        wide: Extent across the road, metres.
        long: Extent along the road, metres.
        storeys: How many.
        wall, roof: Colours.
        shape: `gable`, `hip`, `pagoda` or `flat`.
        board: Colour of the upright shop board on its front, or None.
    """

    a: float
    s: float
    wide: float
    long: float
    storeys: int
    wall: Colour
    roof: Colour
    shape: str
    board: Colour | None

    def paint(self, canvas: Canvas) -> None:
        """Draw the walls the viewer can see, then the roof."""
        forward = canvas.forward(self.a, self.s)
        reach = self.wide + self.long
        if canvas.stand(self.a, self.s, reach) is None and forward < -reach:
            return
        west, east = self.a - self.wide / 2, self.a + self.wide / 2
        south, north = self.s - self.long / 2, self.s + self.long / 2
        if south > 0:
            self._wall(canvas, (west, south), (east, south), (0.0, -1.0))
        elif north < 0:
            self._wall(canvas, (east, north), (west, north), (0.0, 1.0))
        if west > 0:
            self._wall(canvas, (west, north), (west, south), (-1.0, 0.0))
        elif east < 0:
            self._wall(canvas, (east, south), (east, north), (1.0, 0.0))
        self._paint_roof(canvas, forward, (west, east, south, north))

    def _wall(
        self,
        canvas: Canvas,
        left: tuple[float, float],
        right: tuple[float, float],
        normal: tuple[float, float],
    ) -> None:
        """One wall from left to right as seen from outside, with windows where they can be seen."""
        top = self.storeys * STOREY
        middle = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2
        forward = max(0.0, canvas.forward(*middle))
        shade = canvas.lit(*normal, 0.0)
        canvas.face(_upright(left, right, 0, 1, -0.2, top), canvas.faded(self.wall, forward, shade))
        metre = canvas.focal / max(forward, 1.0)
        if metre < 1.6 or forward > 90:
            return
        glass = canvas.faded(GLASS, forward, shade)
        length = abs(left[0] - right[0]) + abs(left[1] - right[1])
        count = max(1, int(length / (3.2 if self.storeys < 4 else 4.5)))
        door = count // 2
        for floor in range(self.storeys):
            low = floor * STOREY + 1.0
            for index in range(count):
                start, end = (index + 0.28) / count, (index + 0.72) / count
                if floor == 0 and index == door:
                    colour = canvas.faded(DOOR, forward, shade)
                    canvas.face(
                        _upright(left, right, (index + 0.33) / count, (index + 0.67) / count, 0, 2.1), colour
                    )
                else:
                    canvas.face(_upright(left, right, start, end, low, low + 1.3), glass)
        if self.board is not None:
            colour = canvas.faded(self.board, forward)
            canvas.face(_upright(left, right, 0.05, 0.95, 2.3, 3.0), colour)

    def _paint_roof(self, canvas: Canvas, forward: float, box: tuple[float, float, float, float]) -> None:
        west, east, south, north = box
        top = self.storeys * STOREY
        if self.shape == "flat":
            rim = canvas.faded(mix(self.wall, (60, 60, 60), 0.25), forward)
            for side in _sides(west, east, south, north, top, top + 0.35):
                canvas.face(side, rim)
            return
        hang = 0.9 if self.shape == "pagoda" else 0.4
        rise = min(self.wide, 9.0) * (0.42 if self.shape == "gable" else 0.34)
        inset = 0.0 if self.shape == "gable" else min(self.long, self.wide) * 0.42
        eave = top - 0.1 + (0.35 if self.shape == "pagoda" else 0)
        ridge_south, ridge_north = (
            (self.a, south - hang + inset, top + rise),
            (self.a, north + hang - inset, top + rise),
        )
        corners = [
            (west - hang, south - hang, eave), (west - hang, north + hang, eave),
            (east + hang, north + hang, eave), (east + hang, south - hang, eave),
        ]  # fmt: skip
        ends = (
            ((corners[0], corners[3], ridge_south), south > 0, (0.0, -0.6)),
            ((corners[1], corners[2], ridge_north), north < 0, (0.0, 0.6)),
        )
        for triangle, seen, (across, along) in ends:
            if seen:
                colour = self.wall if self.shape == "gable" else self.roof
                canvas.face(triangle, canvas.faded(colour, forward, canvas.lit(across, along, 0.4)))
        for hand, first, last in ((-1.0, corners[0], corners[1]), (1.0, corners[3], corners[2])):
            if self.a * hand < self.wide / 2:
                shade = canvas.lit(hand * 0.6, 0.0, 0.8)
                canvas.face((first, last, ridge_north, ridge_south), canvas.faded(self.roof, forward, shade))


def _upright(
    left: tuple[float, float], right: tuple[float, float], start: float, end: float, low: float, high: float
) -> tuple[Point, Point, Point, Point]:
    """The corners of an upright rectangle between two shares of the way from left to right."""
    across, along = right[0] - left[0], right[1] - left[1]
    a0, s0 = left[0] + across * start, left[1] + along * start
    a1, s1 = left[0] + across * end, left[1] + along * end
    return (a0, s0, low), (a1, s1, low), (a1, s1, high), (a0, s0, high)


def _sides(
    west: float, east: float, south: float, north: float, low: float, high: float
) -> list[tuple[Point, ...]]:
    """The upright sides of a box that can be seen from the origin."""
    sides: list[tuple[Point, ...]] = []
    if south > 0 or north < 0:
        s = south if south > 0 else north
        sides.append(_upright((west, s), (east, s), 0, 1, low, high))
    if west > 0 or east < 0:
        a = west if west > 0 else east
        sides.append(_upright((a, south), (a, north), 0, 1, low, high))
    return sides


@dataclass(frozen=True)
class Dwelling:
    """A round traditional house: `ger` (felt tent) or `hut` (thatched).

    Attributes:
        kind: `ger` or `hut`.
        a, s: Its middle, metres.
        wall: Colour of its wall.
    """

    kind: str
    a: float
    s: float
    wall: Colour

    def paint(self, canvas: Canvas) -> None:
        """Draw it as it faces the viewer."""
        place = canvas.stand(self.a, self.s, 4.0)
        if place is None:
            return
        canvas.shadow(self.a, self.s, 3.2)
        u, v, m = place
        forward = canvas.forward(self.a, self.s)
        ger = self.kind == "ger"
        wall = canvas.faded((240, 238, 230) if ger else self.wall, forward)
        roof = canvas.faded((222, 220, 212) if ger else (150, 118, 70), forward)
        wide, eave, top = (3.0, 1.7, 2.9) if ger else (2.2, 1.9, 4.2)
        hang = 0.0 if ger else 0.7
        canvas.polygon(
            (
                (u - wide * m, v),
                (u + wide * m, v),
                (u + wide * m, v - eave * m),
                (u - wide * m, v - eave * m),
            ),
            wall,
        )
        low = eave - hang * 0.6
        canvas.polygon(
            ((u - (wide + hang) * m, v - low * m), (u + (wide + hang) * m, v - low * m), (u, v - top * m)),
            roof,
        )
        canvas.polygon(
            ((u - 0.5 * m, v), (u + 0.5 * m, v), (u + 0.5 * m, v - 1.5 * m), (u - 0.5 * m, v - 1.5 * m)),
            canvas.faded((200, 90, 40) if ger else (70, 50, 36), forward),
        )
