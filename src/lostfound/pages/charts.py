"""Charts as SVG, drawn without a library: lines over two axes, a matrix of shares, and bars of shares.

Colours are classes of ``assets/report.css``. A chart of lines is drawn 360 units wide, so that its words can
be read on a phone. Each chart says in words what it shows, for those who can't see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from lostfound.pages.elements import element

_WIDTH, _HEIGHT = 360.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 10.0, 10.0, 42.0
_NAMES = 34.0  # the room for names beside a matrix
_CELLS = (13.0, 30.0, 400.0)  # the sides of a matrix's cells: the least, the most, and of all of them
COLOURS = 6
"""As many lines have colours and dashes of their own."""


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        label: What it measures, with the unit.
        low: Its lower end.
        high: Its upper end.
        ticks: Values with their texts.
        log: Are equal steps equal factors?
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value stands on it, 0 to 1."""
        low, high, at = (
            math.log(each) if self.log else each for each in (self.low, self.high, self._in(value))
        )
        return (at - low) / (high - low)

    def _in(self, value: float) -> float:
        return min(max(value, self.low), self.high)


def percent_axis(label: str, high: float = 1.0) -> Axis:
    """An axis of shares, in percent, from 0 to a round number that holds the highest."""
    high = next((each for each in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8) if high <= each), 1.0)
    return Axis(label, 0.0, high, [(high * i / 4, f"{100 * high * i / 4:g}") for i in range(5)])


@dataclass(frozen=True)
class Line:
    """A line, or dots, of a chart.

    Attributes:
        name: What it is of; empty for a help line.
        points: Its (x, y).
        band: The (x, low, high) of an interval about it.
        dots: Are the points themselves shown?
        joined: Is there a line between them?
    """

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]] = ()
    dots: bool = False
    joined: bool = True


def line_chart(x: Axis, y: Axis, lines: Sequence[Line], *, says: str) -> Element:
    """Lines over two axes.

    Args:
        x: The axis below.
        y: The axis at the left.
        lines: What is drawn; those with a name have colours in their order.
        says: What the chart shows, in words.
    """

    def across(value: float) -> float:
        return _LEFT + x.share(value) * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - y.share(value) * (_HEIGHT - _TOP - _BOTTOM)

    def path(points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{across(at):.1f} {up(value):.1f}" for at, value in points)

    drawn: list[Element] = []
    named = 0
    for line in lines:
        colour = f"c{named % COLOURS}" if line.name else "help"
        named += bool(line.name)
        if line.band:
            edge = [(at, high) for at, _, high in line.band] + [
                (at, low) for at, low, _ in reversed(line.band)
            ]
            drawn.append(element("path", d=path(edge) + "Z", class_=f"band {colour}"))
        if line.joined and len(line.points) > 1:
            drawn.append(element("path", d=path(line.points), class_=f"line {colour}"))
        if line.dots or len(line.points) == 1:
            drawn += [
                element("circle", cx=across(at), cy=up(value), r="3.5", class_=f"dot {colour}")
                for at, value in line.points
            ]
    return element(
        "svg",
        *(_grid(x, y, across, up)),
        *drawn,
        class_="chart",
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        aria_label=says,
    )


def _grid(x: Axis, y: Axis, across: object, up: object) -> list[Element]:
    assert callable(across)
    assert callable(up)
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    lines = [
        *(
            element("line", x1=across(at), x2=across(at), y1=_TOP, y2=bottom, class_="grid")
            for at, _ in x.ticks
        ),
        *(element("line", x1=_LEFT, x2=right, y1=up(at), y2=up(at), class_="grid") for at, _ in y.ticks),
    ]
    texts = [
        *(element("text", text, x=across(at), y=bottom + 14, class_="tick middle") for at, text in x.ticks),
        *(element("text", text, x=_LEFT - 5, y=up(at) + 3.5, class_="tick end") for at, text in y.ticks),
        element("text", x.label, x=(_LEFT + right) / 2, y=_HEIGHT - 8, class_="label middle"),
        element(
            "text",
            y.label,
            transform=f"translate(11 {(_TOP + bottom) / 2:.0f}) rotate(-90)",
            class_="label middle",
        ),
    ]
    return lines + texts


def legend(names: Sequence[str]) -> Element:
    """The names of a chart's lines beside their colours."""
    return element(
        "ul",
        *(
            element(
                "li",
                element(
                    "svg",
                    element("line", x1=0, x2=26, y1=6, y2=6, class_=f"line c{number % COLOURS}"),
                    width=26,
                    height=12,
                    aria_hidden="true",
                ),
                name,
            )
            for number, name in enumerate(names)
        ),
        class_="legend",
    )


def matrix_chart(
    names: Sequence[str],
    groups: Sequence[int],
    shares: Sequence[tuple[int, int, float, str]],
    *,
    says: str,
) -> Element:
    """A matrix of shares, in which darker is more.

    Args:
        names: Short ones, of the rows and the columns.
        groups: How many of them belong together, in order: lines stand between the groups.
        shares: Row, column, share (0 to 1) and what is said of it, of each cell that is not empty.
        says: What the matrix shows, in words.
    """
    least, most, whole = _CELLS
    side = min(max(whole / max(len(names), 1), least), most)
    size = side * len(names)
    rects = [
        element(
            "rect",
            element("title", text),
            x=_NAMES + column * side,
            y=_NAMES + row * side,
            width=side,
            height=side,
            class_="right" if row == column else "wrong",
            fill_opacity=0.12 + 0.88 * share,
        )
        for row, column, share, text in shares
    ]
    ends = [sum(groups[:number]) * side + _NAMES for number in range(len(groups) + 1)]
    lines = [
        each
        for end in ends
        for each in (
            element("line", x1=_NAMES, x2=_NAMES + size, y1=end, y2=end, class_="edge"),
            element("line", y1=_NAMES, y2=_NAMES + size, x1=end, x2=end, class_="edge"),
        )
    ]
    texts = [
        each
        for number, name in enumerate(names)
        for each in (
            element("text", name, x=_NAMES - 4, y=_NAMES + (number + 0.72) * side, class_="tick end"),
            element(
                "text",
                name,
                transform=f"translate({_NAMES + (number + 0.72) * side:.1f} {_NAMES - 4}) rotate(-90)",
                class_="tick",
            ),
        )
    ]
    total = _NAMES + size + 2
    return element(
        "svg",
        *rects,
        *lines,
        *texts,
        class_="matrix",
        viewBox=f"0 0 {total} {total}",
        width=total,
        height=total,
        role="img",
        aria_label=says,
    )


def bar(parts: Sequence[tuple[float, str, str]]) -> Element:
    """One bar of shares that add up to 1 at most: share, class and what is said of each, from the left."""
    drawn, at = [], 0.0
    for share, class_, text in parts:
        drawn.append(
            element(
                "rect",
                element("title", text),
                x=f"{100 * at:.2f}%",
                width=f"{100 * share:.2f}%",
                y=0,
                height=14,
                class_=class_,
            )
        )
        at += share
    return element("svg", *drawn, class_="bar", width="100%", height=14, aria_hidden="true")
