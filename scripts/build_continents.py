"""Builds the packed table of the countries' continents from GeoNames' countryInfo.txt.

    python scripts/build_continents.py countryInfo.txt

The file is at https://download.geonames.org/export/dump/countryInfo.txt, with or without its comments.

It writes
``src/lostfound/geo/data/continents.json``: for each continent's code the ISO 3166-1 alpha-2 codes of its
countries, Kosovo ``XK``; withdrawn codes are left out.
"""

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

from lostfound.geo.names import listed_codes

TARGET = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "geo" / "data" / "continents.json"
CODE, CONTINENT = 0, 8  # columns


def main() -> None:
    """Read the table, check that it has every country, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="GeoNames' countryInfo.txt")
    with parser.parse_args().table.open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) > CONTINENT
        ]
    known = listed_codes()
    continents = {row[CODE]: row[CONTINENT] for row in rows if row[CODE] in known}
    if missing := known - continents.keys():
        raise SystemExit(f"the table lacks {', '.join(sorted(missing))}")
    countries: defaultdict[str, list[str]] = defaultdict(list)
    for code in sorted(continents):
        countries[continents[code]].append(code)
    lines = [f'"{name}": "{" ".join(codes)}"' for name, codes in sorted(countries.items())]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    assert json.loads(text).keys() == countries.keys()
    TARGET.write_bytes(text.encode())
    print(f"{TARGET.name}: {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
