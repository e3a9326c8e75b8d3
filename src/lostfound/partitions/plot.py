"""The picture of a partition: its cells on a map, coloured by images."""

from __future__ import annotations

import io
import math

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from shapely.geometry.base import BaseGeometry

from lostfound.geo.boundaries import Boundaries
from lostfound.partitions import Partition

_COLOURS = "viridis_r"
_SEA, _LAND, _COAST, _LINE = "#edf2f7", "#fcfcfa", "#8795a5", "#2d3748"
# What the map leaves out of the Arctic and the Antarctic, unless cells lie there.
_WORLD = (-180.0, -60.0, 180.0, 84.0)
_MARGIN = 0.06
_LEAST_EXTENT = 0.002


def draw_partition(partition: Partition, *, title: str, width: float = 9.0, dpi: int = 110) -> bytes:
    """Draw the cells over the countries' outlines, coloured by how many training images they hold.

    Colours go by the logarithm of the count. Cells without an image are hatched; cells without a polygon are
    dots at their decoding points.

    Args:
        partition: What to draw.
        title: Above the picture.
        width: Inches.
        dpi: Pixels an inch.

    Returns:
        A PNG.
    """
    bounds = _bounds(partition)
    west, south, east, north = bounds
    # A degree of longitude is drawn as long as it is in the middle of the map, the world's middle being flat.
    stretch = 1.0 if east - west > 180 else 1 / math.cos(math.radians(min(85.0, abs(south + north) / 2)))
    tall = float(np.clip(0.86 * width * stretch * (north - south) / (east - west), 0.3 * width, 1.2 * width))
    figure = Figure(figsize=(width, tall + 0.7), dpi=dpi, layout="constrained")
    axes = figure.add_subplot()
    _draw_land(axes, bounds)
    counts = partition.counts
    norm = LogNorm(
        max(1, counts[counts > 0].min(initial=counts.max(initial=1))), max(2, counts.max(initial=1))
    )
    for group in _groups(partition, norm):
        axes.add_collection(group)
    bare = np.array([shape is None for shape in partition.polygons])
    if bare.any():
        at, own = partition.centroids[bare], counts[bare]
        axes.scatter(
            at[:, 1], at[:, 0], c=np.maximum(own, 1), cmap=_COLOURS, norm=norm, s=26,
            edgecolors=_LINE, linewidths=np.where(own > 0, 0.4, 1.2).tolist(), zorder=3,
        )  # fmt: skip
    axes.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[], facecolor=_SEA)
    axes.set_aspect(stretch)
    empty = int((counts == 0).sum())
    axes.set_title(title + (f" ({empty} cells without an image: hatched)" if empty else ""), fontsize=11)
    bar = figure.colorbar(ScalarMappable(norm, _COLOURS), ax=axes, shrink=0.8, pad=0.01)
    bar.set_label("training images a cell")
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    bar.ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _groups(partition: Partition, norm: LogNorm) -> list[PatchCollection]:
    """The cells with a polygon: those with images in colour, those without hatched."""
    has_shape = np.array([shape is not None for shape in partition.polygons])
    line = 0.5 if len(partition) < 2000 else 0.2
    groups = []
    filled = np.flatnonzero(has_shape & (partition.counts > 0))
    if len(filled):
        colours = PatchCollection([_patch(partition.polygons[cell]) for cell in filled], cmap=_COLOURS)
        colours.set(norm=norm, array=partition.counts[filled], edgecolor=_LINE, linewidth=line, alpha=0.85)
        groups.append(colours)
    empty = np.flatnonzero(has_shape & (partition.counts == 0))
    if len(empty):
        hatched = PatchCollection([_patch(partition.polygons[cell]) for cell in empty])
        hatched.set(facecolor="none", edgecolor=_LINE, linewidth=line, hatch="////")
        groups.append(hatched)
    return groups


def _draw_land(axes: Axes, bounds: tuple[float, float, float, float]) -> None:
    """The countries in view."""
    boundaries = Boundaries.packed()
    shapes = np.array([boundaries.geometry(code) for code in boundaries.codes], dtype=object)
    seen = shapes[shapely.intersects(shapes, shapely.box(*bounds))]
    if bounds[2] - bounds[0] > 60:
        # Finer than a pixel.
        seen = shapely.simplify(seen, 0.05)
    land = PatchCollection([_patch(shape) for shape in seen if not shape.is_empty])
    land.set(facecolor=_LAND, edgecolor=_COAST, linewidth=0.5, zorder=0)
    axes.add_collection(land)


def _patch(shape: BaseGeometry) -> PathPatch:
    rings = shapely.get_rings(shapely.get_parts(shape))
    return PathPatch(Outline.make_compound_path(*(Outline(shapely.get_coordinates(ring)) for ring in rings)))


def _bounds(partition: Partition) -> tuple[float, float, float, float]:
    """What the map shows: west, south, east and north, with a margin; the world for cells all over it."""
    at = shapely.points(partition.centroids[:, ::-1])
    west, south, east, north = shapely.total_bounds(np.concatenate([at, partition.polygons]))
    if east - west > 120 or north - south > 90:
        return _WORLD[0], min(_WORLD[1], south), _WORLD[2], max(_WORLD[3], north)
    margin = _MARGIN * max(east - west, north - south, _LEAST_EXTENT)
    return (
        max(-180.0, west - margin), max(-90.0, south - margin),
        min(180.0, east + margin), min(90.0, north + margin),
    )  # fmt: skip
