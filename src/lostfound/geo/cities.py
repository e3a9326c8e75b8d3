"""The packed table of the world's cities (GeoNames, CC BY 4.0: see ``data/NOTICE.md``)."""

from functools import cache
from importlib import resources
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lostfound.geo.names import name_key

LARGE_CITY = 500_000
"""People from which a city's name can stand for its country; smaller names are too often plain words."""


@cache
def city_table() -> pa.Table:
    """Places of more than 15 000 people, and capitals; read once in a process.

    Returns:
        Columns ``name``, ``alternate_names`` (Latin script, places of `LARGE_CITY` and more), ``latitude``,
        ``longitude`` (degrees), ``country`` (alpha-2), ``admin1`` (GeoNames' region code) and ``population``.
    """
    file = Path(str(resources.files("lostfound.geo"))) / "data" / "cities.parquet"
    return pq.ParquetFile(file).read()  # unlike read_table it loads neither pyarrow.dataset nor pandas


def people_by_country(name: str) -> dict[str, int]:
    """Who a city's name could mean.

    Args:
        name: A city's name in Latin script, in any case and with or without accents.

    Returns:
        For each country the population of its largest city of that name; empty unless one of them is a
        `LARGE_CITY`.
    """
    return dict(_large_names().get(name_key(name), {}))


@cache
def _large_names() -> dict[str, dict[str, int]]:
    """Largest population by country, for each key of a large city's name."""
    table = city_table()
    keys = [name_key(name) for name in table["name"].to_pylist()]
    countries, population = table["country"].to_pylist(), table["population"].to_pylist()
    large = [row for row, people in enumerate(population) if people >= LARGE_CITY]

    found: dict[str, dict[str, int]] = {keys[row]: {} for row in large}
    # Small places of the same name count against it.
    for key, country, people in zip(keys, countries, population, strict=True):
        if (same := found.get(key)) is not None:
            same[country] = max(people, same.get(country, 0))
    # A by-name counts only where it is no place's own name: Hong Kong was once called Victoria.
    own_names = set(keys)
    others = table["alternate_names"].take(large).to_pylist()
    for row, spellings in zip(large, others, strict=True):
        for key in {name_key(spelling) for spelling in spellings} - own_names:
            same = found.setdefault(key, {})
            same[countries[row]] = max(population[row], same.get(countries[row], 0))
    return found
