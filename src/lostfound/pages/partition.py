"""The page of a partition: its cells on a map, coloured by images, with no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from lostfound.pages.base_map import ground
from lostfound.pages.frame import fill_page, write_page
from lostfound.partitions import Partition

# Corners closer to the line than this share of the cell's extent are left out: nobody sees them, and
# countries drawn in full are megabytes.
_FINENESS = 1 / 1000
_COARSEST_DEG = 0.02


def write_partition_page(path: str | Path, partition: Partition, *, title: str, note: str = "") -> Path:
    """Write the page. The file appears whole or not at all.

    Args:
        path: The HTML file to write; its folder is made if need be.
        partition: What to draw. Cells without a polygon become dots at their decoding points.
        title: The page's heading.
        note: A sentence for the footer, such as how it was built.

    Returns:
        The path written.

    Raises:
        LostFoundError: The file can't be written there.
    """
    return write_page(path, render_partition(partition, title=title, note=note))


def render_partition(partition: Partition, *, title: str, note: str = "") -> str:
    """The page's HTML; see `write_partition_page`."""
    cells, images, empty = len(partition), int(partition.counts.sum()), int((partition.counts == 0).sum())
    count = f"{cells:,} cell{'' if cells == 1 else 's'}, {images:,} image{'' if images == 1 else 's'}"
    return fill_page(
        "partition",
        title=title,
        count=f"{count}, {empty:,} without" if empty else count,
        note=note,
        data={"ground": ground(), "cells": _cells(partition)},
    )


def _cells(partition: Partition) -> list[dict[str, object]]:
    """What partition.js reads of each cell."""
    return [
        {"id": cell_id, "name": name, "count": int(count), **drawn}
        for cell_id, name, count, drawn in zip(
            partition.cell_ids, partition.names, partition.counts, drawn_cells(partition), strict=True
        )
    ]


def drawn_cells(partition: Partition, *, fineness: float = _FINENESS) -> list[dict[str, object]]:
    """How a page draws each cell: `at`, its decoding point, and `shape`, its rings; None without a polygon.

    Args:
        partition: The cells.
        fineness: The detail that is left out, as a share of a cell's extent.
    """
    shapes = _simplified(partition.polygons, fineness)
    return [
        {
            "at": [round(latitude, 6), round(longitude, 6)],
            "shape": None if shape is None else _coordinates(shape, fineness),
        }
        for (latitude, longitude), shape in zip(partition.centroids, shapes, strict=True)
    ]


def _extents(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    """The longer side of each shape's bounds, degrees."""
    west, south, east, north = shapely.bounds(shapes).T
    longer: NDArray[np.float64] = np.maximum(east - west, north - south)
    return longer


def _simplified(shapes: NDArray[np.object_], fineness: float) -> NDArray[np.object_]:
    tolerance = np.minimum(_extents(shapes) * fineness, _COARSEST_DEG * fineness / _FINENESS)
    simple: NDArray[np.object_] = shapely.simplify(shapes, np.nan_to_num(tolerance))
    return simple


def _coordinates(shape: shapely.Geometry, fineness: float) -> list[list[list[list[float]]]]:
    """The rings of each part, (longitude, latitude), as fine as the part is small."""
    west, south, east, north = shape.bounds
    extent = max(east - west, north - south, 1e-6)
    decimals = int(np.clip(np.ceil(-np.log10(extent * fineness)), 2, 7))
    return [
        [shapely.get_coordinates(ring).round(decimals).tolist() for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(shape)
    ]
