"""Do Voronoi cells leave fewer empty and thin cells than squares? The London system's claim, checked.

python benchmarks/voronoi_claim.py ../shared/data > benchmarks/results/voronoi_claim.md

The places are those of a city centre (`street-cambridge`), of a country (`street-croatia`), and 10 000
generated ones inside one city: evenly, and crowded towards its middle. Each run draws nine tenths of the
places and draws other centres. Squares and Voronoi cells are as many as asked for (within a few), all of them
cells that meet the boundary of the places; cells without a place are kept and counted.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from machine import machine, versions
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.sampling import sample_around, sample_inside
from lostfound.geo.shapes import area_km2
from lostfound.partitions import Partition, build_partition
from lostfound.partitions.compare import gini

RUNS = 20
SHARE = 0.9
GENERATED = 10_000
# The mainland of a city, much as London's zone: (latitude, longitude) corners.
CITY = (
    (51.62, -0.26), (51.66, -0.13), (51.62, 0.02), (51.57, 0.07), (51.51, 0.10), (51.46, 0.06),
    (51.40, 0.03), (51.37, -0.10), (51.40, -0.20), (51.42, -0.28), (51.47, -0.24), (51.52, -0.30),
    (51.57, -0.24),
)  # fmt: skip
CENTRE = (51.51, -0.12)
# London's own rule: a draw is kept when its distance to the nearest centre, and twice that to the border,
# is 0.5 to 0.7 of the cell width; stop after 100 misses.
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "square": ("square", {}),
    "Voronoi, as here": ("voronoi", {}),
    "Voronoi, London's rule": ("voronoi", {"border": 0.5, "reach": 1.4, "misses": 100}),
}
# In sides of a square with a cell's share of the area; Poisson disc sampling usually needs 0.85.
_SIZES = np.array(sorted(np.geomspace(0.6, 1.5, 37), key=lambda size: abs(size - 0.85)))


@dataclass(frozen=True)
class Case:
    """Places, what bounds them, and how many cells."""

    name: str
    points: NDArray[np.float64]
    corners: tuple[tuple[float, float], ...] | None
    cells: int


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of street-cambridge and street-croatia")
    data: Path = parser.parse_args().data
    print("# Empty and thin cells: squares against Voronoi\n")
    print("Written by `benchmarks/voronoi_claim.py`, which says what is measured.\n")
    print(machine() + "; " + versions("lostfound", "numpy", "shapely", "scipy") + "\n")
    print(
        f"{RUNS} runs each; median over the runs, least and most in brackets. Thin: fewer than a quarter of "
        "the mean\nplaces a cell, but not empty. A run is won by Voronoi where fewer of its cells are empty "
        "or thin.\n"
    )
    print("| places | n | cells of | cells | empty % | thin % | Gini | fewer empty or thin than squares |")
    print("|---|---:|---|---:|---:|---:|---:|---|")
    for case in _cases(data):
        _compare(case)


def _cases(data: Path) -> list[Case]:
    cambridge, croatia = _cambridge(data), _croatia(data)
    polygon = shapely.Polygon([(x, y) for y, x in CITY])
    even = sample_inside(polygon, GENERATED, seed=1)
    # Half of the places within 6 km of the middle, where a city's streets are densest.
    (crowd,) = sample_around([CENTRE], GENERATED, radius_km=6.0, seed=2)
    crowd = crowd[shapely.contains_xy(polygon, crowd[:, 1], crowd[:, 0])][: GENERATED // 2]
    crowded = np.concatenate([even[: GENERATED - len(crowd)], crowd])
    return [
        Case("street-cambridge, within its bounds", cambridge, None, 100),
        Case("street-cambridge, within its hull", cambridge, _hull(cambridge), 100),
        Case("street-croatia, within its bounds", croatia, None, 25),
        Case("street-croatia, within its hull", croatia, _hull(croatia), 25),
        Case("one city, even", even, CITY, 250),
        Case("one city, crowded in the middle", crowded, CITY, 250),
    ]


def _compare(case: Case) -> None:
    measured: dict[str, list[tuple[float, ...]]] = {name: [] for name in KINDS}
    for run in range(RUNS):
        random = np.random.default_rng(run)
        some = np.sort(random.choice(len(case.points), round(SHARE * len(case.points)), replace=False))
        for name, (kind, settings) in KINDS.items():
            options = (
                dict(settings) if kind == "square" else {**settings, "seed": run, "boundary": case.corners}
            )
            measured[name].append(_measure(kind, case, case.points[some], options))
    squares = np.array(measured["square"])
    for name, rows in measured.items():
        values = np.array(rows)
        bad, theirs = values[:, 1] + values[:, 2], squares[:, 1] + squares[:, 2]
        verdict = "" if name == "square" else f"{int((bad < theirs).sum())} of {RUNS} runs"
        shown = [_spread(values[:, 0], 1, 0), *(_spread(values[:, i], 100, 1) for i in (1, 2))]
        print(
            f"| {case.name} | {round(SHARE * len(case.points)):,} | {name} | {' | '.join(shown)} | "
            f"{_spread(values[:, 3], 1, 2)} | {verdict} |",
            flush=True,
        )


def _measure(
    kind: str, case: Case, points: NDArray[np.float64], options: dict[str, object]
) -> tuple[float, ...]:
    """Number of cells, shares of empty and thin ones, and Gini."""
    size = "cell_km" if kind == "square" else "spacing_km"
    corners = case.corners or _box(points)
    area = shapely.Polygon([(x, y) for y, x in corners])

    def counts(km: float) -> NDArray[np.int64]:
        built = build_partition(kind, points, None, min_images=0, **{size: km}, **options)
        return built.counts[_meets(built, area)]

    found = _nearest(counts, case.cells, math.sqrt(float(area_km2([area])[0]) / case.cells))
    thin = (found > 0) & (found < found.mean() / 4)
    return float(len(found)), float((found == 0).mean()), float(thin.mean()), gini(found)


def _meets(built: Partition, area: shapely.Polygon) -> NDArray[np.bool_]:
    """Cells of which more than a sliver lies in the area, and those with a place."""
    share = shapely.area(shapely.intersection(built.polygons, area)) / shapely.area(built.polygons)
    return np.asarray((share > 1e-6) | (built.counts > 0))


def _nearest(counts: Callable[[float], NDArray[np.int64]], wanted: int, guess_km: float) -> NDArray[np.int64]:
    """The cells at the size, of those tried, whose number comes nearest to the one wanted: 2 % will do."""
    best = np.empty(0, dtype=np.int64)
    for km in guess_km * _SIZES:
        try:
            found = counts(float(km))
        except UsageError:  # 100 misses in a row may come before the first centre
            continue
        if abs(len(found) - wanted) < abs(len(best) - wanted):
            best = found
        if abs(len(best) - wanted) <= 0.02 * wanted:
            break
    return best


def _spread(values: NDArray[np.float64], scale: float, decimals: int) -> str:
    low, middle, high = (scale * np.percentile(values, [0, 50, 100])).round(decimals)
    return f"{middle:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


def _box(points: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    (south, west), (north, east) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return ((south, west), (south, east), (north, east), (north, west))


def _hull(points: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """The convex hull, a hair wider so that the places on it lie inside."""
    hull = shapely.MultiPoint(points[:, ::-1]).convex_hull
    wider = hull.buffer(1e-6 * max(np.ptp(points, axis=0)), join_style="mitre")
    return tuple((y, x) for x, y in shapely.get_coordinates(wider)[:-1].tolist())


def _cambridge(data: Path) -> NDArray[np.float64]:
    return _places(data / "street-cambridge" / "table.csv")


def _croatia(data: Path) -> NDArray[np.float64]:
    files = sorted((data / "street-croatia").glob("*/data.csv"))
    return np.unique(np.concatenate([_places(file) for file in files]), axis=0)


def _places(file: Path) -> NDArray[np.float64]:
    with file.open(encoding="utf-8") as lines:
        rows = [(float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(lines)]
    return np.unique(np.array(rows), axis=0)


if __name__ == "__main__":
    main()
