"""The continents of countries, as GeoNames has them (CC BY 4.0: see ``data/NOTICE.md``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources

CONTINENTS: Mapping[str, str] = {
    "AF": "Africa",
    "AN": "Antarctica",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
"""Names of the continents by GeoNames' code, in the order of their names."""


def continent(country: str | None) -> str | None:
    """The continent of a country: one, also for those on two (Russia is Europe, Turkey Asia).

    Args:
        country: ISO 3166-1 alpha-2, Kosovo ``XK``.

    Returns:
        A code of `CONTINENTS`; None where there is no country, or none of that code.

    Examples:
        >>> from lostfound.geo.continents import CONTINENTS, continent
        >>> continent("HR"), CONTINENTS[continent("JP")], continent(None)
        ('EU', 'Asia', None)
    """
    return None if country is None else _continents().get(country)


@cache
def _continents() -> Mapping[str, str]:
    """Continents by country; read once in a process."""
    file = resources.files("lostfound.geo") / "data" / "continents.json"
    listed = json.loads(file.read_text(encoding="utf-8"))
    return {country: code for code, countries in listed.items() for country in countries.split()}
