"""How fast each kind of partition assigns points, and how long it takes to build.

    python benchmarks/partitions.py [--points 1000000] [--repeat 5]

Cells are built from 100 000 places near towns of the whole world (and of one city for the kinds that are
made for cities). Then two sets of points are assigned: places near towns, and places even over the globe
(or the city). The first call prepares the search; the time is the median of the calls after it. The
requirement is under one second for a million points.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine, versions
from numpy.typing import NDArray
from shapely.geometry import box, mapping

from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sampling import sample_around, sample_inside, sample_near_towns
from lostfound.partitions import OUTSIDE, Partition, build_partition

RESULT = Path(__file__).parent / "results" / "partitions.txt"
CITIES = ["New York City", "Cairo", "Osaka", "Mumbai", "São Paulo", "Mexico City", "Delhi", "Tokyo"]
LONDON = (51.507, -0.128)


def seconds(partition: Partition, points: NDArray[np.float64], repeat: int) -> tuple[float, float, float]:
    """The first call, the median of those after it, and the share of the points inside."""
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        cells = partition.assign(points)
        times.append(time.perf_counter() - start)
    return times[0], statistics.median(times[1:]), float(np.mean(cells != OUTSIDE))


def main() -> None:
    """Build, assign, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    count = arguments.points
    world = sample_near_towns(100_000, radius_km=20, seed=1).points
    city = sample_around([LONDON], 20_000, radius_km=20, seed=1)[0]
    near, even = (
        sample_near_towns(count, radius_km=20, seed=2).points,
        sample_inside(box(-180, -90, 180, 90), count, seed=2),
    )
    in_city = sample_around([LONDON], count, radius_km=22, seed=2)[0]
    circle = [tuple(each) for each in sample_ring(20.0).tolist()]
    packed = Boundaries.packed()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "countries.geojson"
        features = [
            {"type": "Feature", "properties": {"name": code}, "geometry": mapping(packed.geometry(code))}
            for code in packed.codes
        ]
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        runs = [
            ("countries", world, {}, "world"),
            ("regions", world, {}, "world"),
            ("cities", world, {"cities": CITIES, "radius_km": 50}, "world"),
            ("square", world, {"cells": 2000}, "world"),
            ("voronoi", world, {"cells": 2000}, "world"),
            ("s2", world, {"min_images": 50, "max_images": 1000}, "world"),
            ("quadtree", world, {"split_at": 1000}, "world"),
            ("polygons", world, {"files": str(file)}, "world"),
            ("square", city, {"cells": 250}, "city"),
            ("voronoi", city, {"cells": 250, "boundary": circle}, "city"),
            ("s2", city, {"min_images": 5, "max_images": 100}, "city"),
            ("quadtree", city, {"split_at": 100}, "city"),
        ]
        lines = [
            f"{'kind':<10} {'where':<6} {'cells':>6} {'build s':>8} | {'near towns':^24} | {'even':^24}",
            f"{'':<10} {'':<6} {'':>6} {'':>8} | {'first s':>8} {'then s':>7} {'inside':>7} "
            f"| {'first s':>8} {'then s':>7} {'inside':>7}",
        ]
        for kind, training, settings, where in runs:
            start = time.perf_counter()
            partition = build_partition(kind, training, **settings)
            build = time.perf_counter() - start
            row = f"{kind:<10} {where:<6} {len(partition):>6} {build:>8.2f}"
            for points in (near, even) if where == "world" else (in_city,):
                first, then, inside = seconds(partition, points, arguments.repeat)
                row += f" | {first:>8.2f} {then:>7.2f} {inside:>7.1%}"
            lines.append(row)
            print(row, file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    head = [
        f"Assigning {count:,} points: the first call, and the median of {arguments.repeat} after it.",
        f"{machine()}; {versions('numpy', 'scipy', 'shapely')}; peak memory {peak:.0f} MB",
        "The points of a city lie within 22 km of its centre, its training images within 20 km.",
        "",
    ]
    RESULT.write_text("\n".join([*head, *lines]) + "\n")
    print(RESULT.read_text(), end="")


def sample_ring(radius_km: float) -> NDArray[np.float64]:
    """Corners of a circle around London, as a boundary."""
    from lostfound.geo.sphere import destination

    return destination(LONDON, np.arange(0.0, 360.0, 6.0), radius_km)


if __name__ == "__main__":
    main()
