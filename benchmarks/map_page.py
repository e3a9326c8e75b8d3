"""How large is the map page, and how soon is it there? Generated answers, a real Chromium.

    python benchmarks/map_page.py

Photos lie at cities of the world, a fifth of them at one spot. Thumbnails beside the page are not made: the
time is that of the page itself, until it is drawn.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine, versions
from playwright.sync_api import sync_playwright

from lostfound.geo.cities import city_table
from lostfound.geo.countries import country_name
from lostfound.pages.map import MapEntry, write_map
from lostfound.predict.guess import Candidate, Guess

COUNTS = (1, 6, 3000, 100_000)
SCREENS = ((1280, 800), (390, 844))


def main() -> None:
    """Measure and print a Markdown text."""
    browser_file = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])))
    print("# The map page\n\n`python benchmarks/map_page.py`")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_file, args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"on {machine()}; {versions('lostfound', 'playwright')}, Chromium {browser.version}.\n")
        print("| photos | written in | megabytes | drawn in, 1280 pixels wide | 390 pixels |")
        print("|---|---|---|---|---|")
        for count in COUNTS:
            entries = entries_of(count)
            start = time.perf_counter()
            page = write_map(Path(folder) / f"{count}.html", entries, title="Photos")
            wrote = time.perf_counter() - start
            drawn = " | ".join(f"{opened(browser, page, *screen):.2f} s" for screen in SCREENS)
            print(f"| {count:,} | {wrote:.2f} s | {page.stat().st_size / 1e6:.1f} | {drawn} |")
        browser.close()


def entries_of(count: int) -> list[MapEntry]:
    """Photos with five candidates each."""
    random = np.random.default_rng(count)
    towns = city_table().select(["latitude", "longitude", "country"]).to_pylist()
    found = []
    for number in range(count):
        town = towns[0 if number % 5 == 0 else random.integers(len(towns))]
        codes = dict.fromkeys(
            [town["country"], *(towns[row]["country"] for row in random.integers(len(towns), size=9))]
        )
        candidates = tuple(
            Candidate(
                code, country_name(code) or code, 0.5 / 2**rank, town["latitude"], town["longitude"], code
            )
            for rank, code in enumerate(list(codes)[:5])
        )
        radii = random.uniform(100, 900), random.uniform(900, 6000)
        found.append(MapEntry(f"2019/summer/IMG_{number:06}.jpg", Guess(candidates, None, *radii)))
    return found


def opened(browser: object, page: Path, width: int, height: int) -> float:
    """The seconds from opening to the first picture after the scripts, the least of three."""
    took = []
    for _ in range(3):
        tab = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")  # type: ignore[attr-defined]
        start = time.perf_counter()
        tab.goto(page.as_uri(), timeout=120_000)
        tab.evaluate(
            "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
        )
        took.append(time.perf_counter() - start)
        tab.close()
    return min(took)


if __name__ == "__main__":
    main()
