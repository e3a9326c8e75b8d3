"""Builds the packed names of countries, from Unicode CLDR as Babel 2.18.0 holds it, and of large cities.

Run it again to take up another version of Babel, or after `scripts/build_cities.py`:

    pip install babel==2.18.0 pycountry
    python scripts/build_names.py

It writes to ``src/lostfound/geo/data``, for `lostfound.geo.names` and `lostfound.geo.cities`, which would
otherwise take most of a second to work them out:

* ``country_names.json``: ``aliases`` (countries by other code: alpha-3, numeric, withdrawn; several for a
  country that was divided), ``english`` (name by CLDR's code of the territory) and ``foreign`` (keys of a
  country's names in other languages, as `lostfound.geo.names.name_key` makes them). Countries are
  ISO 3166-1 alpha-2, as pycountry lists them, and Kosovo ``XK``; the codes of ``foreign`` are all of them.
* ``city_names.json``: what could stand for a country: for each large city, and each smaller place of the same
  name, its country, its population, and the keys of its names. A country and a key are in it once, with the
  largest population.
* ``namesakes.json``: the names of places that `lostfound.geo.countries.read_name` takes for another country
  ("Tasmania" for Tanzania), with the countries where such a place is: of regions, of cities (100 000 people
  and more), of towns (15 000 and more), and of smaller places.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import babel
import pyarrow.parquet as pq
import pycountry
from babel import Locale
from babel.core import get_global

from lostfound.geo.cities import LARGE_CITY, city_table
from lostfound.geo.countries import read_name
from lostfound.geo.names import KOSOVO, name_key

BABEL = "2.18.0"
TARGET = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "geo" / "data"
LISTED = {country.alpha_2 for country in pycountry.countries} | {KOSOVO}
# Languages whose country names are known, besides English: those in which photos are commonly filed.
LANGUAGES = (
    *("ar", "bg", "ca", "cs", "da", "de", "el", "es", "et", "fa", "fi", "fr", "he", "hi", "hr", "hu", "id"),
    *("is", "it", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv"),
    *("th", "tr", "uk", "vi", "zh", "zh_Hant"),
)
# Languages of one country or few, and the countries whose own names they give.
OWN_LANGUAGES = {
    "am": "ET", "az": "AZ", "be": "BY", "bn": "BD", "bs": "BA", "cy": "GB", "fil": "PH", "fo": "FO",
    "ga": "IE", "hy": "AM", "ka": "GE", "kk": "KZ", "kl": "GL", "km": "KH", "ky": "KG", "lb": "LU",
    "lo": "LA", "mk": "MK", "mn": "MN", "mt": "MT", "my": "MM", "ne": "NP", "nn": "NO", "si": "LK",
    "so": "SO", "sq": "AL XK", "sw": "KE TZ", "uz": "UZ",
}  # fmt: skip


def territories(language: str) -> dict[str, str]:
    """Territory names of one language by CLDR code, without continents and other regions of the world."""
    return {code: name for code, name in Locale.parse(language).territories.items() if code.isalpha()}


def aliases() -> dict[str, list[str]]:
    """Countries by other code; codes of regions of the world left out."""
    return {alias: codes for alias, codes in get_global("territory_aliases").items() if {*codes} <= LISTED}


def foreign_names() -> dict[str, list[str]]:
    """Keys of names in other languages by country."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for language in LANGUAGES:
        for code, name in territories(language).items():
            keys[code].add(name_key(name))
    for language, codes in OWN_LANGUAGES.items():
        for code in codes.split():
            keys[code].add(name_key(territories(language)[code]))
    return {code: sorted(keys[code]) for code in LISTED}


def large_cities() -> dict[str, dict[str, int]]:
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


def compact(value: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def country_file() -> str:
    """What ``country_names.json`` says: a line for each code."""
    sections = {
        "aliases": aliases(),
        "english": territories("en"),
        "foreign": foreign_names(),
    }
    texts = []
    for title, section in sections.items():
        lines = [f"{compact(code)}:{compact(said)}" for code, said in sorted(section.items())]
        texts.append(f"{compact(title)}:{{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(texts) + "\n}\n"


def city_file() -> str:
    """What ``city_names.json`` says: a line for each country and population."""
    keys: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for key, places in large_cities().items():
        for place in places.items():
            keys[place].append(key)
    lines = [compact([*place, *sorted(keys[place])]) for place in sorted(keys)]
    return "[\n" + ",\n".join(lines) + "\n]\n"


@cache
def taken_for(name: str) -> str | None:
    """The country that a name alone says."""
    return read_name(name).code


def taken_elsewhere(places: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The countries of places whose names are taken for another country's, by the key of the name."""
    countries: defaultdict[str, set[str]] = defaultdict(set)
    for name, country in places:
        countries[name].add(country)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, own in countries.items():
        code = taken_for(name)
        if code is not None and own != {code}:
            found[name_key(name)] |= own
    return {key: " ".join(sorted(own)) for key, own in sorted(found.items())}


def city_names(least: int, below: float) -> Iterator[tuple[str, str]]:
    """Names and countries of the cities of so many people."""
    for city in city_table().to_pylist():
        if least <= city["population"] < below:
            yield from ((name, city["country"]) for name in (city["name"], *city["alternate_names"]))


def namesake_file() -> str:
    """What ``namesakes.json`` says: a line for each name."""
    regions, places = pq.read_table(TARGET / "regions.parquet"), pq.read_table(TARGET / "places.parquet")
    countries = [region.partition(".")[0] for region in places["region"].to_pylist()]
    sections = {
        "regions": taken_elsewhere(
            zip(*(regions[column].to_pylist() for column in ("name", "country")), strict=True)
        ),
        "cities": taken_elsewhere(city_names(100_000, math.inf)),
        "towns": taken_elsewhere(city_names(0, 100_000)),
        "villages": taken_elsewhere(zip(places["name"].to_pylist(), countries, strict=True)),
    }
    texts = []
    for title, section in sections.items():
        lines = [f"{compact(key)}:{compact(said)}" for key, said in section.items()]
        texts.append(f"{compact(title)}:{{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(texts) + "\n}\n"


def main() -> None:
    """Check the version of Babel, write the files."""
    if babel.__version__ != BABEL:
        raise SystemExit(f"this is Babel {babel.__version__}, not {BABEL}: pip install babel=={BABEL}")
    files = {
        "country_names.json": country_file,
        "city_names.json": city_file,
        "namesakes.json": namesake_file,
    }
    for name, build in files.items():  # the last by what the first two say
        text = build()
        (TARGET / name).write_bytes(text.encode())
        print(f"{name}: {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
