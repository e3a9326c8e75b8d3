"""Draws pictures of no place that a model may be shown: pages of text, charts, drawings, forms and streets.

    python scripts/draw_placeless.py FOLDER

The same pictures each time. Those of `benchmarks/unlike.py`, on which models are tried, are drawn otherwise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve
from PIL import Image

from lostfound.world import render

EACH = 30
SEEDS = 1000  # of generated worlds, from here on: the demo and the tests have others
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "STIXGeneral", "cmr10", "cmtt10")
LETTERS = list("eeeeeeettttttaaaaaooooiiinnnsssrrrhhhdddlluuccmmffyywwggppbbvvk")
PAPER = ("white", "#fdf6e3", "#f2f2f2", "#1e1e1e", "#fffbe6", "#e8eef7")
TABLE = (90, 80, 70)
SIZES = ((4, 3), (3, 4), (3.6, 5), (5, 3), (4, 4))


def words(random: np.random.Generator, count: int) -> str:
    """Letters as often as in English, between spaces."""
    return " ".join("".join(random.choice(LETTERS, random.integers(2, 10))) for _ in range(count))


def page(random: np.random.Generator, axes: Axes) -> None:
    """A letter, a page of a book, a receipt or a screen of text."""
    paper = str(random.choice(PAPER))
    ink = "#ddd" if paper == "#1e1e1e" else str(random.choice(["black", "#222", "#134", "#300"]))
    axes.figure.set_facecolor(paper)
    font, size = str(random.choice(FONTS)), float(random.uniform(4, 13))
    columns, step = int(random.choice([1, 1, 2])), size / random.uniform(150, 220)
    for column in range(columns):
        for y in np.arange(0.95, 0.04, -step):
            if random.random() > 0.08:
                text = words(random, max(int(90 / size / columns), 1))
                axes.text(column / columns, y, text, fontsize=size, family=font, color=ink, clip_on=True)
    if random.random() < 0.5:
        axes.text(0.1, 0.97, words(random, 2).title(), fontsize=2 * size, family=font, color=ink)


def chart(random: np.random.Generator, axes: Axes) -> None:
    """Lines, bars, points, shares or a field of colours."""
    axes.axis("on")
    n, kind = int(random.integers(4, 30)), int(random.integers(6))
    values = random.random((int(random.integers(1, 5)), n)).cumsum(axis=1)
    if kind == 0:
        axes.plot(values.T, lw=random.uniform(0.5, 3))
    elif kind == 1:
        axes.bar(range(n), values[0], color=random.random((n, 3)) if n % 2 else None)
    elif kind == 2:
        axes.scatter(random.normal(size=20 * n), random.normal(size=20 * n), s=random.uniform(2, 30))
    elif kind == 3:
        axes.pie(values[0, :8] + 0.1, labels=words(random, min(n, 8)).split())
    elif kind == 4:
        axes.imshow(random.random((n, n)), cmap=str(random.choice(["viridis", "gray", "coolwarm"])))
    else:
        axes.hist(random.normal(size=500), bins=n, color=random.random(3))
    axes.set_title(words(random, 3), fontsize=8)
    if random.random() < 0.5:
        axes.grid()


def drawing(random: np.random.Generator, axes: Axes) -> None:
    """Curves with pen or brush, filled or not, on paper of some colour."""
    axes.figure.set_facecolor(tuple(1 - 0.6 * random.random(3) ** 2))
    flat = random.random() < 0.6
    for _ in range(int(random.integers(5, 40))):
        middle, n = random.random(2), int(random.integers(3, 9))
        corners = middle + random.uniform(0.03, 0.3) * random.normal(size=(n, 2))
        codes = [Curve.MOVETO, *[Curve.LINETO if random.random() < 0.4 else Curve.CURVE3] * (n - 1)]
        if Curve.CURVE3 in codes and n % 2 == 0:
            corners, codes = corners[:-1], codes[:-1]
        colour = tuple(random.random(3)) if flat else "none"
        axes.add_patch(PathPatch(Curve(corners, codes), fc=colour, ec="black", lw=random.uniform(0.4, 3)))


def form(random: np.random.Generator, axes: Axes) -> None:
    """A table, a form, or a window of a program."""
    axes.figure.set_facecolor(str(random.choice(PAPER)))
    rows, columns = int(random.integers(4, 22)), int(random.integers(2, 7))
    cells = [[words(random, 1) for _ in range(columns)] for _ in range(rows)]
    colours = np.ones((rows, columns, 3))
    colours[:: int(random.integers(1, 4))] = 1 - 0.3 * random.random(3)
    colours[0] = random.random(3)
    axes.table(cellText=cells, cellColours=colours, loc="center", bbox=[0.02, 0.02, 0.96, 0.9])
    axes.text(0.02, 0.95, words(random, 3), fontsize=10)


KINDS: tuple[Callable[[np.random.Generator, Axes], None], ...] = (page, chart, drawing, form)


def draw(folder: Path) -> list[Path]:
    """Draw those that are missing; all of them, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    random, files = np.random.default_rng(17), []
    for number in range(EACH):
        for kind in KINDS:
            figure = Figure(figsize=SIZES[int(random.integers(len(SIZES)))], dpi=100)
            axes = figure.add_axes((0.08, 0.08, 0.84, 0.84))
            axes.axis("off")
            kind(random, axes)
            angle = float(random.uniform(-8, 8))
            files.append(folder / f"{kind.__name__}-{number}.png")
            if not files[-1].exists():
                figure.savefig(files[-1])
                if number % 3 == 0:  # as it lies on a table
                    with Image.open(files[-1]) as flat:
                        turned = flat.convert("RGB").rotate(angle, Image.Resampling.BICUBIC, fillcolor=TABLE)
                    turned.save(files[-1])
        files.append(folder / f"street-{number}.png")
        spot = random.uniform((-50, -170, 0), (65, 170, 360))
        if not files[-1].exists():
            Image.fromarray(render(*spot, size=256, seed=SEEDS + number)).save(files[-1])
    return files


def main() -> None:
    """Draw them into a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    print(f"{len(draw(parser.parse_args().folder))} pictures")


if __name__ == "__main__":
    main()
