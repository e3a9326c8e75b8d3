"""Points to countries and regions: speed, memory, and whether the answers are those of the exact polygons.

    pip install geopandas reverse_geocoder
    python benchmarks/earth.py [--points 1000000] [--out benchmarks/results/earth.md]

Each job runs in a process of its own, so that its peak of memory is its own, and starts with its tables read
and its index not built. The points are the same for all, drawn from a fixed seed:

* land: uniform on the surface of the packed countries;
* globe: uniform on the sphere, 71 % of it sea;
* streets: beside populated places, spread like photos by a road: 10 km around a place drawn at random.

`geopandas` joins the points with the same polygons (`sjoin`, predicate "intersects"), and finds nothing for
points at sea, where `country_at` finds the nearest country within 50 km. `reverse_geocoder` gives the country
and region of the nearest place (mode 2, all cores). Identity is checked on 200 000 points of the globe and
50 000 within 20 km of borders, against shapely's search tree on the whole polygons.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from machine import machine, versions
from numpy.typing import NDArray

from lostfound.geo.boundaries import Boundaries
from lostfound.geo.regions import Regions
from lostfound.geo.sphere import destination

SEED = 7
RUNS = 3
Points = NDArray[np.float64]


def globe(n: int, rng: np.random.Generator) -> Points:
    """Uniform on the sphere."""
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return np.column_stack([latitude, rng.uniform(-180, 180, n)])


def land(n: int, rng: np.random.Generator) -> Points:
    """Uniform on the surface of the packed countries."""
    drawn = globe(4 * n, rng)
    return drawn[Boundaries.packed().index_at(drawn, max_distance_km=0) >= 0][:n]


def streets(n: int, rng: np.random.Generator) -> Points:
    """Within some kilometres of populated places."""
    import pyarrow.parquet as pq

    import lostfound.geo

    table = pq.read_table(Path(lostfound.geo.__path__[0]) / "data" / "places.parquet")
    places = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    chosen = places[rng.integers(0, len(places), n)]
    return destination(chosen, rng.uniform(0, 360, n), np.abs(rng.normal(0, 10, n)))


KINDS: dict[str, Callable[[int, np.random.Generator], Points]] = {
    "land": land,
    "globe": globe,
    "streets": streets,
}


def near_borders(n: int, rng: np.random.Generator) -> Points:
    """Within 20 km of a border or coast."""
    packed = Boundaries.packed()
    shapes = [packed.geometry(code) for code in packed.codes]
    rings = shapely.get_rings(shapely.get_parts(shapes))
    corners = shapely.get_coordinates(shapely.segmentize(rings, 0.1))[:, ::-1]
    chosen = corners[rng.integers(0, len(corners), n)]
    return destination(chosen, rng.uniform(0, 360, n), rng.uniform(0, 20, n))


def our_countries() -> Callable[[Points], Any]:
    """`Boundaries.country_at`, as it is by default."""
    return Boundaries.packed().country_at


def our_regions() -> Callable[[Points], Any]:
    """`Regions.region_at` by the nearest populated place."""
    return Regions.nearest_place().region_at


def their_countries() -> Callable[[Points], Any]:
    """The spatial join of geopandas with the same polygons."""
    import geopandas

    packed = Boundaries.packed()
    shapes = geopandas.GeoDataFrame(
        {"code": packed.codes}, geometry=[packed.geometry(code) for code in packed.codes], crs="EPSG:4326"
    )

    def join(points: Points) -> Any:
        geometry = geopandas.points_from_xy(points[:, 1], points[:, 0], crs="EPSG:4326")
        frame = geopandas.GeoDataFrame(geometry=geometry)
        return geopandas.sjoin(frame, shapes, how="left", predicate="intersects")["code"].to_numpy()

    return join


def their_regions() -> Callable[[Points], Any]:
    """reverse_geocoder's nearest place."""
    import reverse_geocoder

    geocoder = reverse_geocoder.RGeocoder(mode=2, verbose=False)
    return lambda points: [
        row["admin1"] for row in geocoder.query([tuple(point) for point in points.tolist()])
    ]


JOBS = {
    "lostfound country": our_countries,
    "geopandas sjoin country": their_countries,
    "lostfound region": our_regions,
    "reverse_geocoder region": their_regions,
}


def peak_mb() -> float:
    """The largest memory of this process so far, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux's ru_maxrss is at least the parent's, even in a new program.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_job(job: str, path: Path) -> dict[str, float]:
    """Time one job in this process: the first call, with its index to build, and the best of the others."""
    points = np.load(path)
    answer = JOBS[job]()
    loaded = peak_mb()
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        answer(points)
        seconds.append(time.perf_counter() - start)
    return {"first": seconds[0], "best": min(seconds[1:]), "loaded": loaded, "peak": peak_mb()}


def differences(points: Points) -> int:
    """How many points `country_at` gives to another country than the exact join."""
    packed = Boundaries.packed()
    tree = shapely.STRtree([packed.geometry(code) for code in packed.codes])
    row, shape = tree.query(shapely.points(points[:, ::-1]), predicate="intersects")
    exact = np.full(len(points), len(packed.codes))
    np.minimum.at(exact, row, shape)
    exact[exact == len(packed.codes)] = -1
    return int((packed.index_at(points, max_distance_km=0) != exact).sum())


def report(count: int, scratch: Path) -> str:
    """Run everything and say it as Markdown."""
    rng = np.random.default_rng(SEED)
    lines = [
        "# Points to countries and regions",
        "",
        f"`python benchmarks/earth.py --points {count}`",
        "",
        f"{machine()}",
        f"{versions('numpy', 'scipy', 'shapely', 'geopandas', 'reverse_geocoder')}; {platform.system()}",
        "",
        f"{count} points; seconds of the first call (which builds the index) and of the best of the next "
        f"{RUNS - 1}; memory of the whole process in MB before the first call and at its peak.",
        "",
        "| points | job | first s | best s | MB before | MB peak | times faster (first, best) |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, draw in KINDS.items():
        path = scratch / f"{kind}.npy"
        np.save(path, draw(count, rng))
        ours: dict[str, float] = {}
        for job in JOBS:
            command = [sys.executable, __file__, "--job", job, "--scratch", str(path)]
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            ratio = ""
            if job.startswith("lostfound"):
                ours = found
            else:
                ratio = f"{found['first'] / ours['first']:.1f}, {found['best'] / ours['best']:.1f}"
            lines.append(
                f"| {kind} | {job} | {found['first']:.2f} | {found['best']:.2f} | {found['loaded']:.0f} "
                f"| {found['peak']:.0f} | {ratio} |"
            )
            print(lines[-1], flush=True)
    random, beside = globe(200_000, rng), near_borders(50_000, rng)
    lines += [
        "",
        "Points with another country than by the exact join: "
        f"{differences(random)} of {len(random)} on the globe, {differences(beside)} of {len(beside)} within "
        "20 km of borders.",
        "",
        f"{machine()}",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print; with --out, write."""
    import tempfile

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(run_job(arguments.job, arguments.scratch)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        text = report(arguments.points, Path(scratch))
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
