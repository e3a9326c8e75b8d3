"""A picture for choosing thresholds of quality: both histograms, and the images next to the thresholds."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import open_image, shrink
from lostfound.data.preparing.quality import MEASURES, Threshold
from lostfound.errors import DatasetError

NEXT = 6
"""Images shown on each side of a threshold."""

_BINS = 80
_THUMBNAIL = 160
_TITLES = {
    "color_variance": "Colour variance (largest of the channels)",
    "sharpness": "Sharpness (variance of the Laplacian)",
}


def draw_quality(dataset: Dataset, measured: NDArray[np.float64], thresholds: Sequence[Threshold]) -> bytes:
    """Draw the histograms of both measures, with the images that lie next to each threshold.

    Args:
        dataset: Whose images were measured.
        measured: Their values, a column for each of `MEASURES`, (n, 2); NaN where one can't be decoded.
        thresholds: One for each measure at most.

    Returns:
        A PNG.

    Raises:
        DatasetError: No image could be measured.
    """
    readable = np.flatnonzero(np.isfinite(measured).all(axis=1))
    if not len(readable):
        raise DatasetError(f"{dataset.folder} has no image whose quality can be measured")
    figure = Figure(figsize=(13, 11), dpi=110, layout="constrained")
    figure.suptitle(f"{dataset.name}: quality of {len(readable)} images", parse_math=False)
    grid = figure.add_gridspec(4, 1, height_ratios=[2, 1, 2, 1])
    least = {
        each.measure: each.resolved(measured[readable, MEASURES.index(each.measure)]) for each in thresholds
    }
    for number, measure in enumerate(MEASURES):
        values = measured[readable, number]
        threshold = least.get(measure)
        axes = figure.add_subplot(grid[2 * number])
        _draw_histogram(axes, values, threshold, _TITLES[measure])
        _draw_next(figure, grid[2 * number + 1], dataset, readable, values, threshold)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_histogram(axes: Axes, values: NDArray[np.float64], threshold: float | None, title: str) -> None:
    # Both measures spread over several powers of ten; below 1 there is nothing to tell apart.
    shown = np.maximum(values, 1.0)
    low = min(shown.min(), max(threshold or 1.0, 1.0)) / 1.5
    edges = np.geomspace(low, max(shown.max(), threshold or 1.0) * 1.5, _BINS)
    axes.hist(shown, bins=edges.tolist(), color="#4a5568")
    axes.set_xscale("log")
    axes.set_xlim(low, edges[-1])
    for ticks in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        ticks(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5)))
    axes.set_ylabel("images")
    if threshold is None:
        axes.set_title(f"{title}: no threshold")
        return
    below = int((values < threshold).sum())
    axes.axvspan(low, max(threshold, low), color="#c53030", alpha=0.12, linewidth=0)
    axes.axvline(max(threshold, low), color="#c53030")
    share = f"{below} of {len(values)} images ({below / len(values):.1%})"
    axes.set_title(f"{title}: {share} are below {threshold:.4g}")


def _draw_next(
    figure: Figure,
    place: SubplotSpec,
    dataset: Dataset,
    rows: NDArray[np.intp],
    values: NDArray[np.float64],
    threshold: float | None,
) -> None:
    """The images just below the threshold, then those just above it; without one, the lowest."""
    order = np.argsort(values, kind="stable")
    cut = 0 if threshold is None else int(np.searchsorted(values[order], threshold))
    chosen = [*([None] * max(0, NEXT - cut)), *order[max(0, cut - NEXT) : cut], *order[cut : cut + NEXT]]
    cells = place.subgridspec(1, 2 * NEXT)
    for number, index in enumerate(chosen):
        axes = figure.add_subplot(cells[number])
        axes.set_xticks([])
        axes.set_yticks([])
        if index is None:
            axes.set_axis_off()
            continue
        dropped = number < NEXT
        colour = "#c53030" if dropped else "#2f855a"
        axes.set_title(f"{values[index]:.4g}", fontsize=9, color=colour)
        for edge in axes.spines.values():
            edge.set_color(colour)
            edge.set_linewidth(2)
        axes.imshow(shrink(open_image(dataset.read(int(rows[index]))), _THUMBNAIL))
