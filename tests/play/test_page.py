"""The game played for real: the real server, a real Chromium, and players whose scores are known."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from html_page import needs_browser

from lostfound.data.dataset import Dataset
from lostfound.evaluation.evaluate import score
from lostfound.geo.countries import country_name
from lostfound.play.settings import Mode
from lostfound.play.store import read_study
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder
from lostfound.predict.predictions import Predictions

pytest.importorskip("segno", reason="the game is not installed: extra 'play'")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed: extra 'browser'")
pytestmark = needs_browser

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
ROUNDS, PRACTICE = 4, 1


class Player:
    """Somebody at the page."""

    def __init__(self, page: Any, url: str, name: str, *, own_clock: bool = False) -> None:
        if own_clock:
            page.clock.install()
        self.page, self.url = page, url
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else 0)
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(url)
        page.get_by_role("button", name="I agree").click()
        page.fill("#name", name)
        page.get_by_role("button", name="Start").click()
        self.ready()

    def ready(self) -> None:
        """Until the round's pictures are there."""
        self.page.wait_for_selector("#views.loaded")

    @property
    def game(self) -> str:
        return str(self.page.url).rpartition("/")[2]

    def number(self) -> int:
        return int(self.page.locator("#round-number").text_content())

    def type_countries(self, codes: list[str]) -> None:
        for code in codes:
            name = country_name(code)
            self.page.keyboard.type(name)
            self.page.locator(".offer", has_text=name).first.wait_for()
            self.page.keyboard.press("Enter")
            self.page.wait_for_function("() => !document.querySelector('[role=combobox]').value")
        self.page.keyboard.press("Enter")

    def after(self, number: int) -> None:
        """On to what follows a guess, past the truth where it is shown."""
        page = self.page
        page.wait_for_function(
            "(n) => !document.querySelector('#truth').hidden || !document.querySelector('#end').hidden"
            " || document.querySelector('#round-number').textContent !== n",
            arg=str(number),
        )
        if page.locator("#truth").is_visible():
            page.keyboard.press("Enter")  # the button has the focus
        page.wait_for_function(
            "(n) => !document.querySelector('#end').hidden"
            " || (document.querySelector('#round-number').textContent !== n"
            " && document.querySelector('#views').classList.contains('loaded'))",
            arg=str(number),
        )

    def play(self, answer: Callable[[int], None]) -> None:
        """All rounds, each answered by a function of its number."""
        while not self.page.locator("#end").is_visible():
            number = self.number()
            answer(number)
            self.after(number)

    def shown_scores(self) -> list[list[str]]:
        rows = self.page.locator("#end-words table").first.locator("tbody tr").all()
        return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Player]]:
    contexts = []

    def begin(
        url: str, name: str = "", size: dict[str, int] = DESKTOP, own_clock: bool = False, **options: Any
    ) -> Player:
        phone = {"is_mobile": True, "has_touch": True} if size == PHONE else {}
        context = browser.new_context(viewport=size, reduced_motion="reduce", **phone, **options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        return Player(context.new_page(), url, name, own_clock=own_clock)

    yield begin
    for context in contexts:
        context.close()


def images_of(folder: Path, game: str) -> dict[int, str]:
    """The image of each round, which no page ever says: from the records."""
    import sqlite3

    with sqlite3.connect(folder / "play.sqlite") as connection:
        return dict(connection.execute("SELECT round, image_id FROM rounds WHERE game = ?", (game,)))


def row_of(predictions: Predictions, image_id: str) -> int:
    return predictions.ids.tolist().index(image_id)


def scores_of(lostfound: Any, *arguments: object) -> dict[str, Any]:
    done = lostfound("evaluate", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["metrics"]


@pytest.mark.parametrize("mode", list(Mode))
def test_who_guesses_as_the_model_does_scores_as_it_is_evaluated_and_so_does_who_guesses_at_random(
    mode: Mode,
    visit: Callable[..., Player],
    start_game: Any,
    lostfound: Any,
    dataset_folder: Path,
    model_folder: Path,
    tmp_path: Path,
) -> None:
    folder, dataset = tmp_path / "play", Dataset.open(dataset_folder)
    options = ("--mode", mode, "--rounds", ROUNDS, "--practice", PRACTICE, "--model", model_folder)
    server = start_game(*options, to=folder)
    predictions = Locator.load(model_folder).predict(dataset, unit="image")
    partition = ModelFolder.open(model_folder).partition
    assert partition is not None
    draw = random.Random(0)

    def model_answer(image_id: str) -> Any:
        row = row_of(predictions, image_id)
        if mode is Mode.map:
            return predictions.points[row].tolist()
        assert predictions.cells is not None
        return predictions.cells[row].tolist()

    def random_answer(_: str) -> Any:
        if mode is Mode.map:
            return [draw.uniform(-60, 60), draw.uniform(-180, 180)]
        return draw.sample(sorted(partition.cell_ids), 3)

    for name, answer in (("Model", model_answer), ("Random", random_answer)):
        player = visit(server.url, name)
        images = images_of(folder, player.game)

        def guess(number: int) -> None:
            said = answer(images[number])  # noqa: B023
            if mode is Mode.countries:
                player.type_countries(said)  # noqa: B023
            elif mode is Mode.cities:
                name = partition.names[partition.numbers[said[0]]]
                player.page.get_by_role("radio", name=name).check(force=True)  # noqa: B023
                player.page.keyboard.press("Enter")  # noqa: B023
            else:
                player.page.fill("#coordinates", f"{said[0]!r}, {said[1]!r}")  # noqa: B023
                player.page.keyboard.press("Enter")  # noqa: B023

        player.play(guess)
        shown = player.shown_scores()
        assert player.errors == []
        assert all(request.startswith(server.url) for request in player.requests)
        if name == "Model":
            assert [row[1] for row in shown] == [row[2] for row in shown], "the page says the same of both"

    exported = lostfound("play", "--to", folder, "--export", tmp_path / "people.parquet")
    assert exported.returncode == 0, exported.stderr
    cells = ("--cells", folder / "cells.parquet") if mode is Mode.cities else ()
    _, guesses = read_study(folder)
    asked = [each.image_id for each in guesses if not each.practice and each.player == "Model"]
    rows = [row_of(predictions, image_id) for image_id in asked]
    theirs = Predictions.from_table(predictions.to_table().take(rows), predictions.partition)
    expected = score(theirs, dataset).metrics
    own = scores_of(
        lostfound, "--predictions", tmp_path / "people-Model.parquet", "--truth", dataset_folder, *cells
    )
    names = {
        Mode.countries: ("top_1_accuracy", "top_3_accuracy", "top_5_accuracy", "balanced_accuracy"),
        Mode.cities: ("top_1_accuracy", "median_distance_km"),
        Mode.map: ("geoguessr_score", "median_distance_km", "mean_distance_km", "within_750_km_country"),
    }[mode]
    for name in names:
        assert own[name]["value"] == expected[name].value, name
        assert (own[name]["low"], own[name]["high"]) == (expected[name].low, expected[name].high), name
    # the page's last table says of the random player what evaluate says
    at_random = scores_of(
        lostfound, "--predictions", tmp_path / "people-Random.parquet", "--truth", dataset_folder, *cells
    )
    from lostfound.evaluation.metrics import METRICS
    from lostfound.play.results import SCORED

    assert [row[1] for row in shown] == [
        METRICS[name].text(at_random[name]["value"]) for name in SCORED[mode]
    ]


@pytest.mark.slow
def test_two_tabs_of_one_player_count_each_round_once(
    visit: Callable[..., Player], start_game: Any, tmp_path: Path
) -> None:
    server = start_game("--rounds", 2, "--practice", 1, to=tmp_path / "play")
    player = visit(server.url, "Ada")
    second = player.page.context.new_page()
    second.goto(player.page.url)
    second.wait_for_selector("#views.loaded")
    player.type_countries(["FR"])
    player.page.wait_for_selector("#truth:visible")
    second.click("#skip")
    second.wait_for_selector("#truth:visible")
    assert "answered already" in second.locator("#details").inner_text()
    assert "France" in second.locator("#details").inner_text()
    _, guesses = read_study(tmp_path / "play")
    assert [each.answer.ranked for each in guesses] == [("FR",)]
    second.click("#next")
    second.wait_for_function("() => document.querySelector('#round-number').textContent === '2'")


@pytest.mark.slow
def test_the_game_goes_on_after_the_server_was_killed_and_the_tab_closed(
    visit: Callable[..., Player], start_game: Any, tmp_path: Path
) -> None:
    server = start_game("--rounds", 3, "--practice", 0, to=tmp_path / "play")
    player = visit(server.url, "Ada")
    player.type_countries(["FR"])
    player.after(1)
    server.kill()
    player.page.click("#skip")
    player.page.wait_for_selector("#away:visible")
    server.again()
    player.after(2)
    assert player.number() == 3
    address, context = player.page.url, player.page.context
    player.page.close()
    page = context.new_page()
    page.goto(server.url)
    page.get_by_role("button", name="Go on as Ada").click()
    page.wait_for_selector("#views.loaded")
    assert page.url == address
    _, guesses = read_study(tmp_path / "play")
    assert [(each.round, each.answer.skipped) for each in guesses] == [(1, False), (2, True)]


@pytest.mark.slow
def test_names_that_are_no_country_bring_candidates(
    visit: Callable[..., Player], start_game: Any, tmp_path: Path
) -> None:
    page = visit(start_game("--rounds", 1, "--practice", 0, to=tmp_path / "play").url).page
    page.fill("#country", "switserland")
    page.wait_for_selector(".offer")
    assert page.locator(".offer").all_inner_texts() == ["Switzerland"]
    page.keyboard.press("Enter")
    assert "do you mean Switzerland" in page.locator("#guess-problem").inner_text()
    assert page.locator("#round-number").text_content() == "1", "nothing was guessed"
    page.fill("#country", "xqzw")
    page.get_by_text("No country is called so. Try another spelling.").wait_for()
    page.fill("#country", "日本")
    page.wait_for_selector(".offer")
    assert page.locator(".offer").first.inner_text() == "Japan"


@pytest.mark.slow
def test_time_that_runs_out_answers_what_was_chosen(
    visit: Callable[..., Player], start_game: Any, tmp_path: Path
) -> None:
    server = start_game("--rounds", 2, "--practice", 0, "--timer", 600, to=tmp_path / "play")
    page = visit(server.url, own_clock=True).page
    page.keyboard.type("japan")
    page.wait_for_selector(".offer")
    page.keyboard.press("Enter")
    page.locator(".ranked .chip").wait_for()
    page.clock.fast_forward(601_000)
    page.wait_for_function("() => document.querySelector('#round-number').textContent === '2'")
    _, guesses = read_study(tmp_path / "play")
    assert [each.answer.ranked for each in guesses] == [("JP",)]


@pytest.mark.parametrize(
    ("mode", "size", "scheme"),
    [
        ("countries", PHONE, "dark"),
        ("cities", PHONE, "light"),
        ("map", DESKTOP, "dark"),
    ],
)
@pytest.mark.slow
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    visit: Callable[..., Player],
    start_game: Any,
    model_folder: Path,
    mode: str,
    size: dict[str, int],
    scheme: str,
    tmp_path: Path,
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = ("--rounds", 2, "--practice", 1, "--views", 2, "--model", model_folder, "--leaderboard")
    server = start_game("--mode", mode, *options, to=tmp_path / "play")
    player = visit(server.url, size=size, color_scheme=scheme)
    page, found = player.page, []

    def look() -> None:
        found.extend(axe.run(page).response["violations"])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    look()
    if mode == "countries":
        page.fill("#country", "guin")
        page.wait_for_selector(".offer")
        look()
        page.fill("#country", "")
    page.click("#skip")
    page.wait_for_selector("#truth:visible")
    look()
    page.click("#next")
    for number in (2, 3):
        page.wait_for_function(f"() => document.querySelector('#round-number').textContent === '{number}'")
        page.click("#skip")
        if mode == "map":
            page.wait_for_selector("#truth:visible")
            page.click("#next")
    page.wait_for_selector("#end:visible")
    look()
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []
    assert player.errors == []
