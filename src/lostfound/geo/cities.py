"""The packed tables of the world's cities and their names (GeoNames, CC BY 4.0: see ``data/NOTICE.md``)."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from lostfound.errors import nearest_name
from lostfound.geo.names import name_key

if TYPE_CHECKING:
    import pyarrow as pa

LARGE_CITY = 500_000
"""People from which a city's name can stand for its country; smaller names are too often plain words."""


@cache
def city_table() -> pa.Table:
    """Places of more than 15 000 people, and capitals; read once in a process.

    Returns:
        Columns ``name``, ``alternate_names`` (Latin script, places of `LARGE_CITY` and more), ``latitude``,
        ``longitude`` (degrees), ``country`` (alpha-2), ``admin1`` (GeoNames' region code) and ``population``.
    """
    from lostfound.geo.packed import read_packed  # here, for a name is looked up without pyarrow

    return read_packed("cities.parquet")


class City(NamedTuple):
    """A city of `city_table`.

    Attributes:
        name: As GeoNames writes it.
        latitude: Degrees.
        longitude: Degrees.
        country: ISO 3166-1 alpha-2.
    """

    name: str
    latitude: float
    longitude: float
    country: str


def largest_city(name: str, country: str | None = None) -> City | None:
    """The city of a name that has the most people.

    Args:
        name: In any case, and with or without accents.
        country: Only cities of this one, ISO 3166-1 alpha-2.

    Returns:
        The city; None if none of that name is known.
    """
    table = city_table()
    rows = _rows_by_key().get(name_key(name), [])
    if country is not None:
        rows = [row for row in rows if table["country"][row].as_py() == country]
    if not rows:
        return None
    row = max(rows, key=lambda each: table["population"][each].as_py())
    return City(*(table[field][row].as_py() for field in City._fields))


def similar_city(name: str) -> str | None:
    """The name of a city that is spelled almost like another; None if there is none."""
    near = nearest_name(name_key(name), _rows_by_key())
    return None if near is None else str(city_table()["name"][_rows_by_key()[near][0]])


@cache
def _rows_by_key() -> dict[str, list[int]]:
    """Rows of `city_table` by the key of their name."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(city_table()["name"].to_pylist()):
        rows[name_key(name)].append(row)
    return dict(rows)


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
    """Largest population by country, for each key of a large city's name (``scripts/build_names.py``)."""
    file = resources.files("lostfound.geo") / "data" / "city_names.json"
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for country, people, *keys in json.loads(file.read_text(encoding="utf-8")):
        for key in keys:
            found[key][country] = people
    return dict(found)
