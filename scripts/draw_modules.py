"""Draw who imports whom in the package, for docs/images/modules.png.

    python scripts/draw_modules.py docs/images/modules.png

An arrow's width grows with the number of imports. The order from top to bottom is the import contract's; its
lowest layers (errors, files, progress, settings), which anyone may import, are left out.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from pathlib import Path

import grimp
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

ROOT = Path(__file__).parent.parent
ANYONES = {"errors", "files", "claims", "progress", "download", "settings"}


def layers() -> list[list[str]]:
    """The contract's layers, top first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = [
        [part.strip().removeprefix("lostfound.") for part in layer.split("|")]
        for layer in contracts[0]["layers"]
    ]
    return [layer for layer in named if not ANYONES & {*layer}]


def imports() -> Counter[tuple[str, str]]:
    """How many modules of one part import how many of another."""
    graph, found = grimp.build_graph("lostfound"), Counter[tuple[str, str]]()
    for module in graph.modules:
        own = module.split(".")[1:2]
        for other in graph.find_modules_directly_imported_by(module):
            theirs = other.split(".")[1:2]
            if own and theirs and own != theirs:
                found[own[0], theirs[0]] += 1
    return found


def main() -> None:
    """Write the picture."""
    rows = layers()
    place = {
        name: ((column + 1) / (len(row) + 1), -number)
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    figure = Figure(figsize=(9, 11), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    for number, ((own, other), count) in enumerate(sorted(imports().items())):
        if own not in place or other not in place:
            continue
        (x, y), (u, v) = place[own], place[other]
        bend = (0.12 + 0.05 * (y - v)) * (-1) ** number if y - v > 1 or x != u else 0.0
        axes.add_patch(
            FancyArrowPatch(
                (x, y),
                (u, v),
                arrowstyle="-|>",
                mutation_scale=11,
                shrinkA=18,
                shrinkB=18,
                connectionstyle=f"arc3,rad={bend}",
                linewidth=0.4 + 0.12 * min(count, 25),
                color="#4a5568",
                alpha=0.55,
            )
        )
    for name, (x, y) in place.items():
        axes.text(
            x, y, name, ha="center", va="center", fontsize=12,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": "#ebf4ff", "edgecolor": "#2b6cb0"},
        )  # fmt: skip
    axes.set_title("Who imports whom in lostfound")
    figure.savefig(sys.argv[1])


if __name__ == "__main__":
    main()
