"""The page of a report: whole, harmless, and what a reader finds on it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from html_page import ATTACK, Page, browser, needs_browser  # noqa: F401  # a fixture

from lostfound.data.dataset import Dataset
from lostfound.data.records import set_column
from lostfound.evaluation.evaluate import Evaluation, evaluate, score
from lostfound.evaluation.report import curves
from lostfound.evaluation.report.page import MOST_DOTS, render_report, write_report
from lostfound.partitions import build_partition
from lostfound.predict.locator import Locator
from lostfound.predict.predictions import Predictions


def section(page: Page, name: str) -> bool:
    return any(tag == "section" and has.get("id") == name for tag, has, _ in page.elements)


def renamed(predictions: pa.Table, name: str) -> pa.Table:
    """The same, of photos that are all called so."""
    names = pa.array([name] * predictions.num_rows)
    return predictions.set_column(predictions.column_names.index("original"), "original", names)


@pytest.fixture(scope="module")
def of_model(model_folder: Path, dataset: Dataset) -> tuple[Evaluation, Locator]:
    locator = Locator.load(model_folder, threads=1)
    return evaluate(locator, dataset, ranks=20), locator


@pytest.fixture(scope="module")
def whole(of_model: tuple[Evaluation, Locator], dataset: Dataset) -> str:
    """A page that has all there is."""
    measured, locator = of_model
    return render_report(measured, partition=locator.model.partition, dataset=dataset)


@pytest.fixture(scope="module")
def path(whole: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's file, for a browser."""
    pytest.importorskip("playwright")
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(whole, encoding="utf-8")
    return file


class TestContent:
    def test_every_part_is_there(self, whole: str) -> None:
        page = Page(whole)
        parts = ("short", "errors", "neighbourhoods", "distance", "calibration", "risk")
        for name in (*parts, "countries", "confusion", "guesses", "mistakes"):
            assert section(page, name), name

    def test_the_numbers_have_intervals(self, of_model: tuple[Evaluation, Locator]) -> None:
        measured, _ = of_model
        page = Page(render_report(measured))
        said = {text for *_, text in page.elements}
        accuracy = measured.metrics["top_1_accuracy"]
        assert f"{100 * accuracy.value:.1f} %" in said
        assert f"{100 * accuracy.low:.1f} to {100 * accuracy.high:.1f} %" in said

    def test_without_images_or_cells_the_rest_is_there(self, measured: Evaluation) -> None:
        page = Page(render_report(measured))
        assert not page.texts("img")
        assert not section(page, "neighbourhoods")
        assert section(page, "mistakes")
        assert section(page, "radii")

    def test_answers_without_coordinates_or_probabilities(self, dataset: Dataset) -> None:
        ids = dataset.records["image_id"].to_numpy(zero_copy_only=False)
        named = np.full(len(ids), "FR", dtype=object)
        answers = Predictions(ids, np.full((len(ids), 2), np.nan), countries=named)
        page = Page(render_report(score(answers, dataset)))
        assert section(page, "countries")
        for name in ("errors", "distance", "calibration", "risk", "radii"):
            assert not section(page, name), name

    def test_bins_of_few_images_are_said_to_jump(
        self, measured: Evaluation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said = "even for a model whose word is exact"
        assert said in render_report(measured)
        monkeypatch.setattr(curves, "FEW", 1)
        assert said not in render_report(measured)

    def test_pictures_of_mistakes_are_small_and_from_the_data_set(self, whole: str, dataset: Dataset) -> None:
        page = Page(whole)
        pictures = [has["src"] for tag, has, _ in page.elements if tag == "img"]
        assert 0 < len(pictures) <= 24
        assert all(base64.b64decode(each.removeprefix("data:image/jpeg;base64,")) for each in pictures)
        assert "holds small pictures of photos" in whole

    def test_an_image_that_is_gone_costs_no_page(
        self, of_model: tuple[Evaluation, Locator], dataset: Dataset
    ) -> None:
        ids = pa.array([f"other {row}" for row in range(len(dataset))])
        other = dataset.with_records(set_column(dataset.records, "image_id", ids))
        assert not Page(render_report(of_model[0], dataset=other)).texts("img")

    def test_the_map_of_errors_has_each_photo(self, measured: Evaluation) -> None:
        photos = Page(render_report(measured)).data("photos")
        assert len(photos) == measured.predictions.num_rows
        row = measured.predictions.slice(0, 1).to_pylist()[0]
        assert photos[0][:2] == [round(row["latitude"], 4), round(row["longitude"], 4)]
        assert photos[0][4] == round(row["distance_km"], 2)
        assert photos[0][5] == row["original"]

    def test_many_photos_are_drawn_at_random_and_it_says_so(
        self, measured: Evaluation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lostfound.evaluation.report.page.MOST_DOTS", 10)
        page = render_report(measured)
        assert len(Page(page).data("photos")) == 10
        assert f"10 of {measured.predictions.num_rows}, drawn at random" in page
        assert MOST_DOTS > 5000

    @pytest.mark.slow
    def test_ten_thousand_cells_stay_small(self, measured: Evaluation) -> None:
        generator = np.random.default_rng(0)
        points = np.stack([generator.uniform(-60, 70, 30_000), generator.uniform(-180, 180, 30_000)], axis=1)
        cells = build_partition("square", points, cells=10_000)
        assert len(cells) > 8_000
        assert len(render_report(measured, partition=cells)) < 3_000_000


class TestHarmless:
    def test_nothing_in_it_names_another_file(self, whole: str) -> None:
        targets = [
            has[key] for _, has, _ in Page(whole).elements for key in ("src", "href", "data") if has.get(key)
        ]
        assert all(target.startswith("data:") for target in targets)

    def test_names_stay_texts(self, measured: Evaluation) -> None:
        hostile = replace(
            measured,
            predictions=renamed(measured.predictions, ATTACK),
            about={**measured.about, "model": ATTACK, "dataset": ATTACK},
        )
        page = Page(render_report(hostile))
        assert not page.texts("img")
        assert [tag for tag, *_ in page.elements] == [
            tag for tag, *_ in Page(render_report(measured)).elements
        ]

    def test_it_is_written_whole(self, measured: Evaluation, tmp_path: Path) -> None:
        path = write_report(measured, tmp_path / "deep" / "report.html")
        assert [each.name for each in path.parent.iterdir()] == ["report.html"]


Opened = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def opened(browser: Any) -> Opened:  # noqa: F811
    """`opened(path)` is a page as Chromium opens it; no request may leave it, and no script may fail."""

    @contextmanager
    def opened(path: Path, *, width: int = 1280, phone: bool = False) -> Iterator[Any]:
        wrong: list[str] = []
        context = browser.new_context(
            viewport={"width": width, "height": 844}, has_touch=phone, is_mobile=phone
        )
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on(
            "request",
            lambda sent: None if sent.url.startswith(("file:", "data:")) else wrong.append(sent.url),
        )
        page.goto(path.as_uri())
        try:
            yield page
        finally:
            context.close()
        assert wrong == []

    return opened


@needs_browser
class TestInBrowser:
    @pytest.mark.parametrize(("width", "phone"), [(1280, False), (390, True)])
    @pytest.mark.slow
    def test_nothing_is_wider_than_the_screen(
        self, opened: Opened, path: Path, width: int, phone: bool
    ) -> None:
        with opened(path, width=width, phone=phone) as page:
            assert page.evaluate("document.documentElement.scrollWidth") == width

    @pytest.mark.slow
    def test_maps_are_drawn(self, opened: Opened, path: Path) -> None:
        with opened(path) as page:
            assert page.locator("#errors-map canvas").count() == 1
            assert page.locator("#cells-map canvas").count() == 1
            assert page.locator("#errors-legend li").count() == 5

    @pytest.mark.slow
    def test_a_table_sorts_by_its_heading(self, opened: Opened, path: Path) -> None:
        with opened(path) as page:
            head = page.locator("#countries thead button").nth(2)  # images
            column = "#countries tbody tr td:nth-child(3)"
            head.click()
            down = [int(text) for text in page.locator(column).all_text_contents()]
            assert down == sorted(down, reverse=True)
            head.click()
            assert [int(text) for text in page.locator(column).all_text_contents()] == sorted(down)
            assert page.locator("#countries th[aria-sort]").get_attribute("aria-sort") == "ascending"
            page.locator("#countries thead button").nth(0).click()
            names = page.locator("#countries tbody th").all_text_contents()
            assert names == sorted(names)

    @pytest.mark.slow
    def test_a_chosen_cell_says_where_its_photos_are_put(
        self, opened: Opened, path: Path, of_model: tuple[Evaluation, Locator]
    ) -> None:
        with opened(path, width=390, phone=True) as page:
            page.select_option("#cell", index=2)
            said = page.locator("#cells-said").text_content()
            name = page.locator("#cells-said strong").text_content()
            partition = of_model[1].model.partition
            assert partition is not None
            assert name in partition.names
            assert "photo" in said
            assert "%" in said

    @pytest.mark.slow
    def test_a_cell_under_the_pointer_is_shown(self, opened: Opened, path: Path) -> None:
        with opened(path) as page:
            before = page.locator("#cells-said").text_content()
            page.locator("#cells-map").scroll_into_view_if_needed()
            box = page.locator("#cells-map").bounding_box()
            spots = [(across, down) for across in range(5, 100, 3) for down in (25, 35, 45, 55, 65, 75)]
            for across, down in spots:
                page.mouse.move(box["x"] + box["width"] * across / 100, box["y"] + box["height"] * down / 100)
                if page.locator("#cells-said").text_content() != before:
                    break
            assert page.locator("#cells-said").text_content() != before

    @pytest.mark.slow
    def test_paper_shows_the_numbers(self, opened: Opened, path: Path, tmp_path: Path) -> None:
        with opened(path) as page:
            assert page.locator("details[open]").count() == 0
            page.pdf(path=tmp_path / "report.pdf", format="A4")
            assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
            assert page.locator("details:not([open])").count() == 0

    @pytest.mark.slow
    def test_names_can_run_nothing(self, opened: Opened, measured: Evaluation, tmp_path: Path) -> None:
        pytest.importorskip("playwright")
        hostile = replace(
            measured,
            predictions=renamed(measured.predictions, ATTACK),
            about={**measured.about, "model": ATTACK},
        )
        with opened(write_report(hostile, tmp_path / "report.html")) as page:
            assert page.title().startswith(ATTACK)
            assert page.locator("img").count() == 0
