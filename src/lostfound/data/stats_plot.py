"""A picture of what is in a data set; apart from the counts, so that these are there without Matplotlib."""

from __future__ import annotations

import io
import warnings

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lostfound.data.dataset import Dataset
from lostfound.data.records import SPLITS, coordinates, strings
from lostfound.data.stats import Stats, dataset_stats
from lostfound.geo.boundaries import outlines

SPLIT_COLORS = {"train": "#2b6cb0", "val": "#d69e2e", "test": "#c53030"}
_BARS, _BINS = 30, 20


def draw_stats(dataset: Dataset) -> bytes:
    """A picture of a data set: its places on a map, images by country and split, views, sizes.

    Returns:
        A PNG.
    """
    stats = dataset_stats(dataset)
    figure = Figure(figsize=(13, 9), dpi=120, layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=[1.5, 1], width_ratios=[2.2, 0.8, 0.8])
    title = f"{dataset.name}: {stats.images} images of {stats.places} places"
    figure.suptitle(title, parse_math=False)  # a folder's name may hold dollar signs
    _draw_map(figure.add_subplot(grid[0, :]), dataset)
    _draw_countries(figure.add_subplot(grid[1, 0]), dataset, stats)
    views = figure.add_subplot(grid[1, 1])
    views.bar([str(number) for number in stats.views], list(stats.views.values()), color="#4a5568")
    views.set_title("places by views")
    _draw_sizes(figure.add_subplot(grid[1, 2]), dataset)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in letters that the font lacks
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_outlines(axes: Axes) -> None:
    """Draw the countries' outlines in degrees, longitude to the right."""
    for feature in outlines()["features"]:
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
    draw_outlines(axes)
    points, split = coordinates(dataset.records), strings(dataset.records, "split")
    located = np.isfinite(points).all(axis=1)
    for name in SPLITS:
        own = np.unique(points[located & (split == name)], axis=0)
        axes.scatter(own[:, 1], own[:, 0], s=6, color=SPLIT_COLORS[name], label=f"{name} ({len(own)} spots)")
    axes.set_xlim(-180, 180)
    axes.set_ylim(
        min(-60, points[located, 0].min(initial=0) - 2), max(85, points[located, 0].max(initial=0) + 2)
    )
    axes.legend(loc="lower left", frameon=False)
    missing = int((~located).sum())
    axes.set_title("places with coordinates" + (f" ({missing} images have none)" if missing else ""))


def _draw_sizes(axes: Axes, dataset: Dataset) -> None:
    shorter = np.minimum(dataset.records["width"].to_numpy(), dataset.records["height"].to_numpy())
    step = max(1, -(-int(np.ptp(shorter)) // _BINS))  # whole pixels
    edges = np.arange(shorter.min(), shorter.max() + step + 1, step) - 0.5
    axes.hist(shorter, bins=edges.tolist(), color="#4a5568")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.set_title("shorter side, pixels")


def _draw_countries(axes: Axes, dataset: Dataset, stats: Stats) -> None:
    shown = list(stats.countries)[:_BARS]
    country = np.array([code or "unknown" for code in strings(dataset.records, "country")])
    split = strings(dataset.records, "split")
    bottom = np.zeros(len(shown))
    for name in SPLITS:
        heights = np.array([((country == code) & (split == name)).sum() for code in shown], dtype=float)
        axes.bar(shown, heights, bottom=bottom, color=SPLIT_COLORS[name], label=name)
        bottom += heights
    axes.tick_params(axis="x", rotation=90)
    more = len(stats.countries) - len(shown)
    axes.set_title("images by country" + (f" ({more} more not shown)" if more else ""))
    axes.legend(frameon=False)
