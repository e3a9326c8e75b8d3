"""Building a partition: from the training images, and the cells they fall in, to what a partition needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from lostfound.errors import UsageError
from lostfound.geo.boundaries import label_countries
from lostfound.geo.cities import city_table
from lostfound.geo.points import check_points
from lostfound.geo.sphere import from_unit_vectors, unit_vectors, wrap_longitude
from lostfound.partitions.base import OUTSIDE, Partition, TrainingPlaces, kinds
from lostfound.partitions.shapes import geometric_centroid

# A mean direction shorter than this is rounding noise: the images cancel out.
_DEGENERATE = 1e-9
# The search for a size.
_TRIES = 12
# A number this near to the one asked for will do.
_CLOSE = 0.01


def build_partition(
    kind: str,
    points: ArrayLike,
    countries: Sequence[str | None] | NDArray[np.object_] | None = None,
    **settings: Any,
) -> Partition:
    """Build a partition from the training images' places, the same for the same arguments.

    Args:
        kind: One of `lostfound.partitions.PARTITION_KINDS`.
        points: Coordinates in degrees, (n, 2), of the training split alone; NaN where unknown.
        countries: ISO alpha-2 codes, (n,); None where unknown, which is then looked up by point.
        settings: Of the kind, see `lostfound.partitions.settings`; `min_images` is the least number of
            images of a cell.

    Raises:
        UsageError: The kind or a setting is unknown or wrong, or the training split or the settings leave no
            cell.
        DatasetError: A point is no coordinate, latitude and longitude are swapped, or a file that the
            settings name can't be used.

    Examples:
        >>> import lostfound
        >>> paris, boulogne, lyon = (48.86, 2.35), (48.84, 2.24), (45.76, 4.84)
        >>> cells = lostfound.build_partition("square", [paris, boulogne, lyon], cell_km=50)
        >>> cells.names
        ('Lyon 03 (r0c3)', 'Paris 15 Vaugirard (r6c0)')
        >>> cells.counts.tolist()
        [1, 2]
    """
    # Only building needs pydantic; locating, which only loads a partition, starts faster without.
    from lostfound.partitions.settings import check_settings

    checked = check_settings(kind, settings)
    places = check_points(points, "the training split", unknown=True, towns=False)
    places = np.column_stack([places[:, 0], wrap_longitude(places[:, 1])])
    known = np.asarray(np.isfinite(places).all(axis=1))
    labels = label_countries(places, countries)
    usable = known | (np.array([code is not None for code in labels], dtype=bool) & kinds()[kind].labelled)
    if not usable.any():
        lacking = "no images" if not len(places) else f"{len(places)} images, none of them with a place"
        raise UsageError(
            f"the training split has {lacking}: a partition is built from the training images' places; "
            "import images that have them, or give the training split a share"
        )
    return kinds()[kind].build(TrainingPlaces(places, known, labels), checked)


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
    kept, counts = _filled(kind, cells, settings.min_images if least is None else least)
    rows: list[int] = kept.tolist()
    renumbered = np.full(len(cells.ids) + 1, OUTSIDE)
    renumbered[kept] = np.arange(len(kept))
    numbers = renumbered[cells.numbers]
    polygons = np.full(len(kept), None, dtype=object) if cells.shapes is None else cells.shapes(kept)

    def middles(which: NDArray[np.intp]) -> NDArray[np.float64]:
        if cells.middles is not None:
            return cells.middles(kept[which])
        return np.array([geometric_centroid(polygons[cell]) for cell in which]).reshape(-1, 2)

    ids = tuple(cells.ids[cell] for cell in rows)
    centroids = _centroids(training, numbers, len(kept), settings.centroid, middles)
    _check_centroids(centroids, ids)
    return Partition(
        kind,
        ids,
        _near(centroids, ids) if cells.names is None else tuple(cells.names[cell] for cell in rows),
        centroids,
        counts.astype(np.int64),
        _majorities(training.countries, numbers, len(kept))
        if cells.countries is None
        else tuple(cells.countries[cell] for cell in rows),
        () if cells.parents is None else tuple(cells.parents[cell] for cell in rows),
        polygons,
        settings.model_dump(mode="json"),
        rule,
    )


def _filled(kind: str, cells: CandidateCells, least: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The candidates that hold enough training images, and how many each of them holds."""
    counts = np.bincount(cells.numbers[cells.numbers != OUTSIDE], minlength=len(cells.ids))
    kept = np.flatnonzero(counts >= least)
    if not len(kept):
        most = counts.max(initial=0)
        raise UsageError(
            f"no cell of the {kind} partition has {least} training images (the most is {most}): lower "
            "min_images, make the cells larger, or import more"
        )
    return kept, counts[kept]


def _check_centroids(centroids: NDArray[np.float64], ids: tuple[str, ...]) -> None:
    nowhere = [ids[cell] for cell in np.flatnonzero(np.isnan(centroids[:, 0])).tolist()]
    if nowhere:
        raise UsageError(
            f"{', '.join(nowhere[:10])}: no shape and no training image with a place, so nothing to decode to"
        )


def size_for_cell_count(wanted: int, images: int, cells: Callable[[float], int], guess_km: float) -> float:
    """Search for a size.

    Args:
        wanted: The number of cells asked for.
        images: How many training images there are.
        cells: How many cells a size gives, 0 where it fits none.
        guess_km: Where to begin.

    Returns:
        Of the sizes tried, the first that comes nearest.

    Raises:
        UsageError: There are fewer images than cells, or no size tried gives a third of the cells asked for.
    """
    if images < wanted:
        raise UsageError(
            f"{images} training images can't fill {wanted} cells: ask for fewer cells, or import more"
        )
    best_km, best, size_km = guess_km, 0, guess_km
    shrunk, before = False, 0
    for _ in range(_TRIES):
        found = cells(size_km)
        if abs(found - wanted) < abs(best - wanted):
            best_km, best = size_km, found
        if abs(found - wanted) <= _CLOSE * wanted:
            break
        if found < 0.9 * wanted and shrunk and found < 1.05 * before:
            # Smaller cells find no more images.
            break
        # Cells grow with the square of the size, where images are everywhere; too few steps less far.
        factor = min(2.0, max(0.5, math.sqrt(max(found, 0.25) / wanted)))
        size_km *= factor
        shrunk, before = factor < 0.95, max(found, 1)
    if best < wanted / 3:
        raise UsageError(
            f"the training images are too few or too close together for {wanted} cells (the most found is "
            f"{best}): ask for fewer cells, or import more"
        )
    return best_km


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


def near_cities(points: NDArray[np.float64]) -> tuple[str, ...]:
    """The names of the cities nearest to points (n, 2), degrees."""
    names, tree = _city_search()
    return tuple(names[row] for row in tree.query(unit_vectors(points), workers=-1)[1])


@cache
def _city_search() -> tuple[list[str], cKDTree]:
    table = city_table()
    points = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    return table["name"].to_pylist(), cKDTree(unit_vectors(points))
