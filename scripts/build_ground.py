"""Make the base map that stands in every page with a map: borders, names of countries and of large cities.

    python scripts/build_ground.py

Writes src/lostfound/pages/assets/ground.json from the tables in the package; the same tables give the same
file. What it holds is said at `lostfound.pages.base_map.ground`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from lostfound.geo.boundaries import outlines
from lostfound.pages.base_map import countries, named_cities

FILE = Path(__file__).resolve().parents[1] / "src" / "lostfound" / "pages" / "assets" / "ground.json"
CITY = 250_000
"""People from which a city is named."""
STEPS = 100
"""A degree has so many: two decimals, as `outlines` has."""


def main() -> None:
    """Write the file."""
    text = ground_text()
    FILE.write_text(text, encoding="utf-8")
    print(f"{FILE}: {len(text)} characters")


def ground_text() -> str:
    """The file's text."""
    drawn = outlines(fine=True)
    shapes = [
        [
            each["properties"]["code"],
            each["properties"]["name"],
            ",".join(" ".join(map(encoded, rings)) for rings in each["geometry"]["coordinates"]),
        ]
        for each in drawn["features"]
    ]
    found = {"shapes": shapes, "labels": countries(drawn)["labels"], "cities": named_cities(CITY)}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"


def encoded(ring: Iterable[tuple[float, float]]) -> str:
    """An encoded polyline of a ring's (longitude, latitude)."""
    found, before = [], (0, 0)
    for longitude, latitude in ring:
        point = round(latitude * STEPS), round(longitude * STEPS)
        for step in (point[0] - before[0], point[1] - before[1]):
            number = ~(step << 1) if step < 0 else step << 1
            while number >= 0x20:
                found.append(chr((0x20 | (number & 0x1F)) + 63))
                number >>= 5
            found.append(chr(number + 63))
        before = point
    return "".join(found)


if __name__ == "__main__":
    main()
