"""From training images and the cells they fall in to a partition: counts, decoding points, names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostfound.errors import UsageError
from lostfound.geo.cities import city_table
from lostfound.geo.sphere import from_unit_vectors, unit_vectors
from lostfound.partitions.base import OUTSIDE, Partition
from lostfound.partitions.shapes import geometric_centroid

# A mean direction shorter than this is rounding noise: the images cancel out.
_DEGENERATE = 1e-9


@dataclass(frozen=True)
class TrainingPlaces:
    """The training images.

    Attributes:
        places: Degrees, (n, 2), longitudes in [-180, 180); NaN where unknown.
        known: Which places are known, (n,).
        countries: ISO alpha-2 or None, (n,).
    """

    places: NDArray[np.float64]
    known: NDArray[np.bool_]
    countries: NDArray[np.object_]

    @property
    def located(self) -> NDArray[np.float64]:
        """The known places, (m, 2)."""
        return self.places[self.known]


@dataclass(frozen=True)
class CandidateCells:
    """Candidate cells, before those with too few images are dropped.

    Attributes:
        ids: An id for each, (m,).
        numbers: The candidate that each training image lies in, or `OUTSIDE`, (n,).
        shapes: The polygons of some of the candidates, by their indices; None for kinds without polygons.
        names: A name for each; None: the nearest city, and the id.
        countries: The country of each; None: that of most of its images.
        parents: The id of the larger unit of each.
        middles: Geometric centroids of some candidates, by their indices; None: from the polygons.
    """

    ids: Sequence[str]
    numbers: NDArray[np.int64]
    shapes: Callable[[NDArray[np.intp]], NDArray[np.object_]] | None = None
    names: Sequence[str] | None = None
    countries: Sequence[str | None] | None = None
    parents: Sequence[str | None] | None = None
    middles: Callable[[NDArray[np.intp]], NDArray[np.float64]] | None = None


def build_cells(
    kind: str,
    training: TrainingPlaces,
    cells: CandidateCells,
    settings: Any,
    rule: dict[str, Any],
    least: int | None = None,
) -> Partition:
    """Count the images of cells, drop those with too few, and give the others what a partition needs.

    Args:
        kind: The partition's.
        training: The training images.
        cells: The candidates.
        settings: The kind's settings.
        rule: What the kind needs to assign points.
        least: The least number of images of a cell; that of the settings by default.

    Raises:
        UsageError: No cell has enough images.
    """
    least = settings.min_images if least is None else least
    total = len(cells.ids)
    inside = cells.numbers != OUTSIDE
    counts = np.bincount(cells.numbers[inside], minlength=total)
    kept = np.flatnonzero(counts >= least)
    rows: list[int] = kept.tolist()
    if not len(kept):
        most = counts.max(initial=0)
        raise UsageError(
            f"no cell of the {kind} partition has {least} training images (the most is {most}): lower "
            "min_images, make the cells larger, or import more"
        )
    renumbered = np.full(total + 1, OUTSIDE)
    renumbered[kept] = np.arange(len(kept))
    numbers = renumbered[cells.numbers]
    polygons = np.full(len(kept), None, dtype=object) if cells.shapes is None else cells.shapes(kept)

    def middles(which: NDArray[np.intp]) -> NDArray[np.float64]:
        if cells.middles is not None:
            return cells.middles(kept[which])
        return np.array([geometric_centroid(polygons[cell]) for cell in which]).reshape(-1, 2)

    centroids = _centroids(training, numbers, len(kept), settings.centroid, middles)
    ids = tuple(cells.ids[cell] for cell in rows)
    nowhere = [ids[cell] for cell in np.flatnonzero(np.isnan(centroids[:, 0])).tolist()]
    if nowhere:
        raise UsageError(
            f"{', '.join(nowhere[:10])}: no shape and no training image with a place, so nothing to decode to"
        )
    countries = cells.countries
    return Partition(
        kind,
        ids,
        tuple(cells.names[cell] for cell in rows) if cells.names is not None else _near(centroids, ids),
        centroids,
        counts[kept].astype(np.int64),
        _majorities(training.countries, numbers, len(kept))
        if countries is None
        else tuple(countries[cell] for cell in rows),
        () if cells.parents is None else tuple(cells.parents[cell] for cell in rows),
        polygons,
        settings.model_dump(mode="json"),
        rule,
    )


def _centroids(
    training: TrainingPlaces,
    numbers: NDArray[np.int64],
    count: int,
    choice: str,
    middles: Callable[[NDArray[np.intp]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Decoding points: the images' spherical mean, or the middle where that is asked for or not defined."""
    if choice == "geometric":
        return middles(np.arange(count))
    counted = training.known & (numbers != OUTSIDE)
    vectors = unit_vectors(training.places[counted])
    sums = np.stack([np.bincount(numbers[counted], axis, minlength=count) for axis in vectors.T], axis=1)
    images = np.bincount(numbers[counted], minlength=count)
    lost = np.flatnonzero(np.linalg.norm(sums, axis=1) <= _DEGENERATE * np.maximum(images, 1))
    sums[lost] = [1.0, 0.0, 0.0]
    points = from_unit_vectors(sums)
    if len(lost):
        points[lost] = middles(lost)
    return points


def _majorities(
    countries: NDArray[np.object_], numbers: NDArray[np.int64], count: int
) -> tuple[str | None, ...]:
    """The country of more than half of each cell's images, else None."""
    rows = np.flatnonzero(numbers != OUTSIDE)
    labels, codes = np.unique([code or "" for code in countries[rows]], return_inverse=True)
    pairs, votes = np.unique(numbers[rows] * max(1, len(labels)) + codes, return_counts=True)
    images = np.bincount(numbers[rows], minlength=count)
    found: list[str | None] = [None] * count
    for pair, share in zip(pairs.tolist(), votes.tolist(), strict=True):
        cell, code = divmod(pair, len(labels))
        if 2 * share > images[cell]:
            found[cell] = str(labels[code]) or None
    return tuple(found)


def _near(centroids: NDArray[np.float64], ids: tuple[str, ...]) -> tuple[str, ...]:
    """Names people can read: the city nearest to each cell, and the cell's id."""
    names, tree = _city_search()
    nearest = tree.query(unit_vectors(centroids))[1]
    return tuple(f"{names[row]} ({each})" for row, each in zip(nearest, ids, strict=True))


@cache
def _city_search() -> tuple[list[str], cKDTree]:
    table = city_table()
    points = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    return table["name"].to_pylist(), cKDTree(unit_vectors(points))
