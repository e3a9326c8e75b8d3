"""The game played in a real Chromium by a script that guesses as a model does, and some that guess at random.

    lostfound demo --train --to lostfound-demo
    python benchmarks/people.py lostfound-demo/dataset-96 lostfound-demo/model

What the players' scores come out as must be, to the last digit, what `lostfound evaluate` says of the model's
answers to the same pictures. The scripts take the answers from the records, which no page gives away.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import machine, versions
from playwright.sync_api import Page, sync_playwright

from lostfound import Dataset, Locator, Predictions, score
from lostfound.geo.countries import country_name

RESULT = Path(__file__).parent / "results" / "people.md"
ROUNDS, PRACTICE, RANDOM_PLAYERS, PORT = 50, 25, 5, 8093
METRICS = ("top_1_accuracy", "top_3_accuracy", "top_5_accuracy")


def play(page: Page, url: str, name: str, answer: Any, folder: Path) -> float:
    """One game through the page; gives the seconds it took."""
    start = time.perf_counter()
    page.goto(url)
    page.get_by_role("button", name="I agree").click()
    page.fill("#name", name)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("#views.loaded")
    with sqlite3.connect(folder / "play.sqlite") as records:
        game = page.url.rpartition("/")[2]
        images = dict(records.execute("SELECT round, image_id FROM rounds WHERE game = ?", (game,)))
    for number in range(1, ROUNDS + PRACTICE + 1):
        page.wait_for_function(
            "(n) => document.querySelector('#round-number').textContent === n"
            " && document.querySelector('#views').classList.contains('loaded')",
            arg=str(number),
        )
        for code in answer(images[number]):
            page.keyboard.type(country_name(code))
            page.keyboard.press("Enter")
            page.locator(".ranked .chip", has_text=country_name(code)).wait_for()
        page.keyboard.press("Enter")
        if number <= PRACTICE:
            page.wait_for_selector("#truth:visible")
            page.keyboard.press("Enter")
    page.wait_for_selector("#end:visible")
    return time.perf_counter() - start


def run(*arguments: object) -> str:
    """The output of a command."""
    words = [sys.executable, "-m", "lostfound", *map(str, arguments)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Play, compare with `evaluate`, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model", type=Path)
    given = parser.parse_args()
    dataset = Dataset.open(given.dataset).split("test")
    predictions = Locator.load(given.model).predict(dataset, unit="image")
    rows = {image_id: row for row, image_id in enumerate(predictions.ids.tolist())}
    assert predictions.cells is not None
    cells = predictions.cells
    codes = sorted({each for each in cells.ravel().tolist() if each})
    folder = Path(tempfile.mkdtemp()) / "play"
    options = ["--model", f"demo-model={given.model}", "--rounds", ROUNDS, "--practice", PRACTICE]
    command = ["play", given.dataset, *options, "--port", PORT, "--to", folder]
    server = subprocess.Popen(
        [sys.executable, "-m", "lostfound", *map(str, command)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        seconds = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            for number in range(RANDOM_PLAYERS + 1):
                page = browser.new_context().new_page()
                draw = random.Random(number)
                if number == 0:
                    name, answer = "As the model", lambda image: cells[rows[image]].tolist()
                else:
                    name = f"Random {number}"
                    answer = lambda _, draw=draw: draw.sample(codes, 5)  # noqa: E731
                seconds.append(play(page, f"http://127.0.0.1:{PORT}/", name, answer, folder))
            browser.close()
    finally:
        server.terminate()
        server.wait()
    run("play", "--to", folder, "--export", folder / "people.parquet")
    own = Predictions.load(folder / "people-As-the-model.parquet")
    theirs = Predictions.from_table(predictions.to_table().take([rows[each] for each in own.ids.tolist()]))
    expected = score(theirs, dataset, metrics=METRICS).metrics
    told = ("--predictions", folder / "people-As-the-model.parquet", "--truth", given.dataset, "--json")
    found = json.loads(run("evaluate", *told))["metrics"]
    for metric in METRICS:
        assert found[metric]["value"] == expected[metric].value, metric
        assert (found[metric]["low"], found[metric]["high"]) == (expected[metric].low, expected[metric].high)
    table = run("compare-people", folder, given.dataset, "--model", f"demo-model={given.model}")
    shares = ", ".join(f"{100 * expected[metric].value:.1f} %" for metric in METRICS)
    text = f"""# The game, played by scripts

`python benchmarks/people.py`: {machine()}; {versions("lostfound", "playwright", "numpy")}.

{RANDOM_PLAYERS + 1} players, {PRACTICE} rounds of practice and {ROUNDS} that count, each typed into the
page in Chromium: one that answers as the demo's model does, the others at random of its {len(codes)}
countries. A game took {min(seconds):.0f} to {max(seconds):.0f} s. The first one's scores and
intervals are, to the last digit, those of the model on the same pictures: {shares} (top-1, 3, 5).

```
{table.strip()}
```
"""
    RESULT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
