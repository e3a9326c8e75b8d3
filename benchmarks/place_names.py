"""Which places get another country: by their name alone, and by their coordinates.

    python benchmarks/place_names.py [--out benchmarks/results/place_names.md]

By name: `find_country` is asked for the names of all regions (admin-1) and of all cities of 100 000 people
and more that the package knows (GeoNames). Another country than the place's own is silent if that one is not
among the candidates, and told if it is: countries with an English name, and cities that dwarf the place.

By coordinates: `country_at` is asked for all cities of 15 000 people and more, and all places of 1 000.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from machine import machine, versions

import lostfound.geo
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import find_country

DATA = Path(lostfound.geo.__path__[0]) / "data"
MANY_PEOPLE = 100_000


def by_name(title: str, places: Iterable[tuple[str, str]]) -> list[str]:
    """A line of numbers, and the places that another country is told for."""
    silent, told, count, undecided = [], [], 0, 0
    for name, country in places:
        count += 1
        match = find_country(name)
        undecided += match.method == "ambiguous"
        if match.code in (None, country):
            continue
        listed = country in [candidate.code for candidate in match.candidates]
        (told if listed else silent).append(f"{name} ({country}: {match.code})")
    row = f"| {title} | {count} | {len(silent)} | {len(told)} | {undecided} |"
    return [row, "; ".join(silent) or "none", "; ".join(told) or "none"]


def by_coordinates(
    title: str, names: Sequence[str], points: np.ndarray, countries: Sequence[str]
) -> list[str]:
    """A line of numbers, and the places that another country holds."""
    found = Boundaries.packed().country_at(points)
    rows = np.flatnonzero(found != np.array(countries, dtype=object))
    none = sum(found[row] is None for row in rows)
    listed = "; ".join(f"{names[row]} ({countries[row]}: {found[row]})" for row in rows)
    return [f"| {title} | {len(names)} | {len(rows)} | {none} |", listed]


def report() -> str:
    """Measure, and say it as Markdown."""
    start = time.perf_counter()
    find_country("Germny")
    first = time.perf_counter() - start
    regions = pq.read_table(DATA / "regions.parquet").to_pylist()
    cities = pq.read_table(DATA / "cities.parquet")
    large = [city for city in cities.to_pylist() if city["population"] >= MANY_PEOPLE]
    names = [
        by_name("regions", ((region["name"], region["country"]) for region in regions)),
        by_name("cities of 100 000", ((city["name"], city["country"]) for city in large)),
    ]
    places = pq.read_table(DATA / "places.parquet")
    tables = {
        "cities of 15 000": (cities, cities["country"].to_pylist()),
        "places of 1 000": (places, [region.partition(".")[0] for region in places["region"].to_pylist()]),
    }
    held = [
        by_coordinates(
            title,
            table["name"].to_pylist(),
            np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()]),
            countries,
        )
        for title, (table, countries) in tables.items()
    ]
    lines = [
        *("# Places that get another country", "", "`python benchmarks/place_names.py`", "", machine()),
        *(versions("numpy", "pyarrow", "shapely", "rapidfuzz"), "", "## By name", ""),
        *("| places | number | silent | told | undecided |", "|---|---|---|---|---|"),
        *(row for row, *_ in names),
        "",
        f"The first look-up of a misspelt name took {1000 * first:.0f} ms.",
        "",
        *(
            f"- {kind}: {line}"
            for _, *both in names
            for kind, line in zip(("silent", "told"), both, strict=True)
        ),
        *("", "## By coordinates", "", "| places | number | other country | none |", "|---|---|---|---|"),
        *(row for row, _ in held),
        *("", "The place's country by GeoNames, and the one that holds it:", ""),
        *(f"- {listed}" for _, listed in held),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print; with --out, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    text = report()
    print(text)
    if out:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
