"""Comparing partitions: how fine they are, how even, and the error that a perfect classifier would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from lostfound.geo.shapes import area_km2
from lostfound.geo.sphere import EARTH_RADIUS_KM, as_points, geoguessr_score, haversine_km, unit_vectors
from lostfound.partitions.base import OUTSIDE, Partition


@dataclass(frozen=True)
class PartitionReport:
    """What a partition is like.

    Attributes:
        kind: The partition's.
        cells: How many.
        empty_cells: Those that no test point lies in.
        outside: Test points that lie in no cell.
        images_min: Fewest training images of a cell.
        images_median: Their median.
        images_max: The most.
        images_gini: How unevenly they are spread over the cells: 0 all alike, towards 1 all in one.
        radius_km_median: Median over the cells of the radius of a circle with the cell's area, on the sphere;
            NaN for kinds without polygons.
        radius_km_p90: The 90th percentile.
        oracle_median_km: Median distance from test points to the decoding points of their own cells, what a
            perfect classifier would have; for points outside, to the nearest decoding point.
        oracle_mean_km: The mean.
        oracle_score: The mean GeoGuessr score (0 to 5000) at those distances.
    """

    kind: str
    cells: int
    empty_cells: int
    outside: int
    images_min: int
    images_median: float
    images_max: int
    images_gini: float
    radius_km_median: float
    radius_km_p90: float
    oracle_median_km: float
    oracle_mean_km: float
    oracle_score: float


def compare_partitions(
    partitions: Mapping[str, Partition],
    points: ArrayLike,
    countries: Sequence[str | None] | NDArray[np.object_] | None = None,
) -> dict[str, PartitionReport]:
    """Describe partitions side by side.

    Args:
        partitions: By any name.
        points: Places that they were not built from, (n, 2), degrees; those with NaN are left out.
        countries: Their labels, for partitions of countries.

    Raises:
        ValueError: No place is known, or a value is no coordinate.
    """
    places = as_points(points, unknown=True)
    known = ~np.isnan(places).any(axis=1)
    if not known.any():
        raise ValueError("no place is known to compare the partitions on")
    labels = None if countries is None else np.asarray(countries, dtype=object)[known]
    return {name: _report(each, places[known], labels) for name, each in partitions.items()}


def gini(counts: ArrayLike) -> float:
    """Gini coefficient of counts (n,): 0 where all are alike, (n - 1) / n where one has all.

    Half the mean difference between all pairs, over the mean; 0 where all are zero.
    """
    values = np.sort(np.asarray(counts, dtype=np.float64))
    if not values.sum():
        return 0.0
    ranks = np.arange(1, len(values) + 1)
    return float((2 * ranks - len(values) - 1) @ values / (len(values) * values.sum()))


def equivalent_radius_km(partition: Partition) -> NDArray[np.float64]:
    """The radius of a circle on the sphere with each cell's area, (cells,); NaN without polygon."""
    drawn = np.array([shape is not None for shape in partition.polygons], dtype=bool)
    radius = np.full(len(partition), np.nan)
    # A circle of angular radius r has the area 4 pi sin(r / 2)^2.
    share = area_km2(partition.polygons[drawn]) / (4 * np.pi * EARTH_RADIUS_KM**2)
    radius[drawn] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0)))
    return radius


def _report(
    partition: Partition, places: NDArray[np.float64], countries: NDArray[np.object_] | None
) -> PartitionReport:
    cells = partition.assign(places, countries)
    outside = cells == OUTSIDE
    distance = haversine_km(places, partition.decode(cells))
    nearest = cKDTree(unit_vectors(partition.centroids)).query(unit_vectors(places[outside]))[1]
    distance[outside] = haversine_km(places[outside], partition.centroids[nearest])
    radii = equivalent_radius_km(partition)
    radii = radii[np.isfinite(radii)]
    median, p90 = np.percentile(radii, [50, 90]) if len(radii) else (np.nan, np.nan)
    return PartitionReport(
        kind=partition.kind,
        cells=len(partition),
        empty_cells=len(partition) - len(np.unique(cells[~outside])),
        outside=int(outside.sum()),
        images_min=int(partition.counts.min()),
        images_median=float(np.median(partition.counts)),
        images_max=int(partition.counts.max()),
        images_gini=gini(partition.counts),
        radius_km_median=float(median),
        radius_km_p90=float(p90),
        oracle_median_km=float(np.median(distance)),
        oracle_mean_km=float(np.mean(distance)),
        oracle_score=float(geoguessr_score(distance).mean()),
    )
