"""A picture of what is in a data set; apart from the counts, so that these are there without Matplotlib."""

from __future__ import annotations

import io
import warnings
from collections import Counter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import SPLITS, coordinates, strings
from lostfound.data.stats import dataset_stats
from lostfound.geo.boundaries import outlines

SPLIT_COLORS = {"train": "#2b6cb0", "val": "#d69e2e", "test": "#c53030"}
_BARS, _BINS = 60, 20  # countries in a row; bins of sizes
_LEAST_DEGREES, _WORLD_DEGREES = 1.0, 200.0  # what a map shows at least; what is shown as the whole world
_MAP_SHAPE = 2.4  # width to height, of the panel
_NEAR_DEGREES = 60.0  # below it coasts are drawn finely


def draw_stats(dataset: Dataset) -> bytes:
    """A picture of a data set: its places on a map, images by country and split, views, sizes.

    Returns:
        A PNG. The map shows where there are places, and is left out where there are none with coordinates;
        all countries are shown, in rows.
    """
    stats = dataset_stats(dataset)
    rows = [list(stats.countries)[first : first + _BARS] for first in range(0, len(stats.countries), _BARS)]
    located = np.isfinite(coordinates(dataset.records)).all(axis=1)
    heights = [*([5.5] if located.any() else []), *([2.0] * len(rows)), 2.2]
    figure = Figure(figsize=(13, 1.2 + sum(heights)), dpi=120, layout="constrained")
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    title = f"{dataset.name}: {stats.images} images of {stats.places} places"
    figure.suptitle(title, parse_math=False)  # a folder's name may hold dollar signs
    if located.any():
        _draw_map(figure.add_subplot(grid[0, :]), dataset)
    country, split = (strings(dataset.records, name) for name in ("country", "split"))
    counted = Counter(zip((code or "unknown" for code in country), split, strict=True))
    for number, codes in enumerate(rows):
        which = f": {number * _BARS + 1} to {number * _BARS + len(codes)} of {len(stats.countries)}"
        axes = figure.add_subplot(grid[len(heights) - 1 - len(rows) + number, :])
        _draw_countries(axes, counted, codes, which if len(rows) > 1 else "")
    missing = int((~located).sum())
    handles = [Patch(color=SPLIT_COLORS[name], label=name) for name in SPLITS]
    without = f"; {missing} images have no coordinates" if missing else ""
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(SPLITS),
        frameon=False,
        title=f"splits{without}",
    )
    views = figure.add_subplot(grid[-1, 0])
    views.bar([str(number) for number in stats.views], list(stats.views.values()), color="#4a5568", width=0.6)
    views.set_xlim(-0.9, max(len(stats.views), 4) - 0.1)  # or one bar is as wide as the picture
    views.set_title("places by how many views they have")
    _draw_sizes(figure.add_subplot(grid[-1, 1]), dataset)
    for axes in figure.axes[bool(located.any()) :]:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in letters that the font lacks
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_outlines(axes: Axes, *, fine: bool = False) -> None:
    """Draw the countries' outlines in degrees, longitude to the right; at 1:50m if fine."""
    for feature in outlines(fine=fine)["features"]:
        geometry = feature["geometry"]
        polygons = (
            geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
        )
        for polygon in polygons:
            x, y = np.array(polygon[0]).T
            axes.fill(x, y, facecolor="#edf2f7", edgecolor="#a0aec0", linewidth=0.4)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])


def _draw_map(axes: Axes, dataset: Dataset) -> None:
    points = coordinates(dataset.records)
    located = np.isfinite(points).all(axis=1)
    draw_outlines(axes, fine=bool(np.ptp(points[located], axis=0).max() < _NEAR_DEGREES))
    split = strings(dataset.records, "split")
    counts = []
    for name in SPLITS:
        own = np.unique(points[located & (split == name)], axis=0)
        axes.scatter(own[:, 1], own[:, 0], s=8, color=SPLIT_COLORS[name])
        counts.append(f"{name} {len(own)}")
    _zoom(axes, points[located])
    axes.set_title(f"spots with coordinates: {', '.join(counts)}")


def _zoom(axes: Axes, points: NDArray[np.float64]) -> None:
    """Show where there are points, (n, 2) in degrees; the whole world if they are all over it."""
    (south, west), (north, east) = points.min(axis=0), points.max(axis=0)
    if east - west > _WORLD_DEGREES:
        axes.set_xlim(-180, 180)
        axes.set_ylim(min(-60, south - 2), max(85, north + 2))
        return
    margin = max(_LEAST_DEGREES / 2, 0.1 * max(north - south, east - west))
    widening = 1 / max(0.2, np.cos(np.radians((south + north) / 2)))  # a degree east is shorter far north
    half_height = max((north - south) / 2 + margin, ((east - west) / 2 + margin) / (_MAP_SHAPE * widening))
    half_width = half_height * _MAP_SHAPE * widening
    axes.set_xlim((west + east) / 2 - half_width, (west + east) / 2 + half_width)
    axes.set_ylim((south + north) / 2 - half_height, (south + north) / 2 + half_height)
    axes.set_aspect(widening)


def _draw_sizes(axes: Axes, dataset: Dataset) -> None:
    shorter = np.minimum(dataset.records["width"].to_numpy(), dataset.records["height"].to_numpy())
    step = max(1, -(-int(np.ptp(shorter)) // _BINS))  # whole pixels
    edges = np.arange(shorter.min(), shorter.max() + step + 1, step) - 0.5
    axes.hist(shorter, bins=edges.tolist(), color="#4a5568")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    if len(edges) <= 2:  # one size: no bar as wide as the picture
        axes.set_xlim(shorter.min() - 8, shorter.max() + 8)
    axes.set_title("images by their shorter side, in pixels")


def _draw_countries(axes: Axes, counted: Counter[tuple[str, str]], codes: list[str], which: str) -> None:
    """Bars of some countries, by how many images each has in a split."""
    bottom = np.zeros(len(codes))
    for name in SPLITS:
        heights = np.array([counted[code, name] for code in codes], dtype=float)
        axes.bar(codes, heights, bottom=bottom, color=SPLIT_COLORS[name])
        bottom += heights
    axes.set_xlim(-0.9, max(len(codes), 12) - 0.1)
    axes.tick_params(axis="x", rotation=90, labelsize=8)
    axes.set_title(f"images by country{which}")
