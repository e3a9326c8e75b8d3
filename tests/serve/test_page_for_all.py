"""The page without a network, with a server that fails, by keys and for readers; and what it computes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from circles import circle
from html_page import needs_browser
from page_visit import DESKTOP, DROP, PHONE, Visit

from lostfound.predict.outputs import written_radius

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed: extra 'browser'")
pytestmark = needs_browser


@pytest.fixture(scope="module")
def empty(visit_of_all: Callable[..., Visit]) -> Visit:
    """The page without a photo, for tests that only read it."""
    return visit_of_all()


class TestOffline:
    @pytest.mark.slow
    def test_no_other_origin_is_asked(self, placed: Visit) -> None:
        for direction in ("in", "out"):  # near a place at sea there are no names
            for _ in range(5):
                placed.page.locator(f".leaflet-control-zoom-{direction}").click()
            placed.page.wait_for_load_state("networkidle")
        placed.page.wait_for_selector(".map-label", state="attached")
        others = [each for each in placed.requests if not each.startswith((placed.url, "blob:", "data:"))]
        assert others == []
        assert placed.errors == [], "the content security policy stops nothing"

    @pytest.mark.slow
    def test_names_on_the_map_do_not_lie_on_each_other(self, visit: Callable[..., Visit]) -> None:
        one = visit()
        for _ in range(5):
            boxes = one.page.evaluate(
                "() => [...document.querySelectorAll('.map-label')]"
                ".map((each) => each.getBoundingClientRect().toJSON())"
            )
            assert len(boxes) > 3
            for number, box in enumerate(boxes):
                for other in boxes[number + 1 :]:
                    apart = (
                        box["right"] <= other["left"]
                        or other["right"] <= box["left"]
                        or box["bottom"] <= other["top"]
                        or other["bottom"] <= box["top"]
                    )
                    assert apart, (box, other)
            one.page.locator(".leaflet-control-zoom-in").click()
            one.page.wait_for_timeout(50)

    @pytest.mark.slow
    def test_tiles_come_only_from_where_the_server_says(
        self, visit: Callable[..., Visit], start_server: Callable[..., Any], calibrated_model_folder: Path
    ) -> None:
        tiles = "http://127.0.0.1:9/{z}/{x}/{y}.png"
        server = start_server("--model", calibrated_model_folder, "--tiles", tiles)
        one = visit(server.url)
        one.page.wait_for_selector("#map.tiled")
        others = {each.partition("/")[2] for each in one.requests if not each.startswith(server.url)}
        assert others
        assert all(each.startswith("/127.0.0.1:9/") for each in others)
        assert not [each for each in one.errors if "Content Security Policy" in each]


class TestWhenTheServerCanNot:
    @pytest.mark.slow
    def test_it_dies_in_the_middle_and_nothing_is_lost(
        self,
        visit: Callable[..., Visit],
        start_server: Callable[..., Any],
        calibrated_model_folder: Path,
        pictures: list[Path],
    ) -> None:
        server = start_server("--model", calibrated_model_folder)
        one = visit(server.url)
        one.drop(pictures[:1])
        one.done(1)
        server.kill()
        one.drop(pictures[1:4])
        one.page.wait_for_selector("text=The server does not answer")
        assert one.page.locator(".card[data-status=done]").count() == 1, "what was answered stays"
        server.again()
        one.done(4)
        assert one.page.locator(".card[data-status=done]").count() == 4
        assert "does not answer" not in one.page.locator("#progress").inner_text()

    @pytest.mark.parametrize("status", [429, pytest.param(503, marks=pytest.mark.slow)])
    @pytest.mark.slow
    def test_busy_is_said_and_it_asks_again(
        self, visit: Callable[..., Visit], pictures: list[Path], status: int
    ) -> None:
        one = visit()
        answers = iter([status, status])

        def busy(route: Any) -> None:
            if next(answers, None) is None:
                route.continue_()
            else:
                route.fulfill(status=status, headers={"Retry-After": "1"}, json={"error": "busy"})

        one.page.route("**/v1/locate*", busy)
        one.drop(pictures[:1])
        one.page.wait_for_selector("text=The server is busy; asked again in 1 second.")
        one.done(1)
        assert one.page.locator(".card[data-status=done]").count() == 1

    @pytest.mark.slow
    def test_more_than_it_takes_is_not_even_sent(
        self,
        visit: Callable[..., Visit],
        start_server: Callable[..., Any],
        calibrated_model_folder: Path,
        pictures: list[Path],
    ) -> None:
        server = start_server("--model", calibrated_model_folder, "--max-bytes", 1)
        one = visit(server.url)
        noise = pictures[0].read_bytes() + bytes(1_200_000)
        one.give(DROP, [("large.jpg", "image/jpeg", noise)])
        (card,) = one.done(1)
        assert "Too large: 1" in card.inner_text()
        assert not [each for each in one.requests if "/v1/locate" in each]

    @pytest.mark.slow
    def test_too_large_for_one_request_is_sent_one_by_one(
        self, visit: Callable[..., Visit], pictures: list[Path]
    ) -> None:
        one = visit()

        def too_large(route: Any) -> None:
            if (route.request.post_data_buffer or b"").count(b"filename=") > 1:
                route.fulfill(status=413, json={"error": "too much at once"})
            else:
                route.continue_()

        one.page.route("**/v1/locate*", too_large)
        one.drop(pictures)
        one.done(len(pictures))
        assert one.page.locator(".card[data-status=done]").count() == len(pictures)

    @pytest.mark.slow
    def test_an_error_of_the_server_is_shown_in_its_words(
        self, visit: Callable[..., Visit], pictures: list[Path]
    ) -> None:
        one = visit()
        said = "<b>none</b> of it: try other options"
        one.page.route("**/v1/locate*", lambda route: route.fulfill(status=400, json={"error": said}))
        one.drop(pictures[:1])
        (card,) = one.done(1)
        assert said in card.inner_text()
        one.page.unroute("**/v1/locate*")
        one.page.get_by_role("button", name="Try again").click()
        one.page.wait_for_selector(".card[data-status=done]")

    @pytest.mark.slow
    def test_a_token_is_asked_for(
        self,
        visit: Callable[..., Visit],
        start_server: Callable[..., Any],
        calibrated_model_folder: Path,
        pictures: list[Path],
        tmp_path: Path,
    ) -> None:
        (tmp_path / "tokens").write_text("correct-horse-battery-staple\n")
        server = start_server("--model", calibrated_model_folder, "--token-file", tmp_path / "tokens")
        one = visit(server.url)
        one.drop(pictures[:1])
        one.page.get_by_label("This server asks for a token").fill("correct-horse-battery-staple")
        one.page.keyboard.press("Enter")
        one.done(1)
        assert one.page.locator(".card[data-status=done]").count() == 1


class TestTheSameAsInPython:
    """What the page computes itself is what the package computes."""

    def computed(self, empty: Visit, module: str, function: str, values: Sequence[Any]) -> list[Any]:
        return empty.page.evaluate(
            f"async (all) => {{ const own = await import('/static/{module}');"
            f" return all.map((each) => own.{function}(...each)); }}",
            list(values),
        )

    def test_circles(self, empty: Visit) -> None:
        asked = [
            *[(46.3, 2.6, 340.0), (-17.0, 179.5, 900.0), (0.0, 0.0, 9600.0), (89.0, -40.0, 500.0)],
            *[(-85.0, 120.0, 2000.0), (60.0, -170.0, 5000.0), (12.5, 77.0, 0.3), (-30.0, 20.0, 17000.0)],
        ]
        for each, told in zip(asked, self.computed(empty, "circles.js", "circle", asked), strict=True):
            wanted = circle(each[:2], each[2])
            assert len(told) == len(wanted)
            assert np.allclose(told, wanted, atol=1e-6), each

    @pytest.mark.slow
    def test_radii_in_words(self, empty: Visit) -> None:
        asked = [0.004, 0.94, 0.996, 1.04, 9.4, 9.96, 12.0, 99.4, 437.0, 995.0, 2287.0, 17_312.0]
        told = self.computed(empty, "words.js", "radius", [(each,) for each in asked])
        assert [each.replace("\xa0", " ") for each in told] == [written_radius(each) for each in asked]


class TestForEveryone:
    @pytest.mark.slow
    def test_by_keys_alone(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        one = visit()
        press = one.page.keyboard.press
        focused = "document.activeElement.id || document.activeElement.className"
        press("Tab")
        assert one.page.evaluate(focused) == "choose"
        one.page.set_input_files("#choose", pictures[:3])
        one.done(3)
        order = []
        for _ in range(14):
            press("Tab")
            order.append(one.page.evaluate(focused))
            if order[-1] == "open":
                break
        assert order.index("same-place") < order.index("clear") < order.index("open")
        press("ArrowDown")
        assert one.page.locator(".card.current").get_attribute("data-id") == one.page.evaluate(
            "document.activeElement.closest('li').dataset.id"
        )
        assert pictures[1].name in one.page.locator(".card.current").inner_text()
        press("Delete")
        assert one.page.locator(".card").count() == 2
        assert one.page.evaluate(focused) == "open", "the focus stays in the list"
        for _ in range(30):
            press("Tab")
            if one.page.evaluate("document.activeElement.classList.contains('candidate')"):
                break
        press("Enter")
        assert one.page.locator(".leaflet-tooltip").count() == 1

    @pytest.mark.slow
    def test_readers_are_told_the_answer(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        one = visit()
        one.drop(pictures[:1])
        one.done(1)
        live = one.page.locator("[role=status]#live").inner_text()
        assert re.match(r"Answer: |I don't know: ", live)

    @pytest.mark.parametrize(
        ("size", "scheme"),
        [
            pytest.param(DESKTOP, "light", id="desktop-light"),
            pytest.param(PHONE, "dark", id="phone-dark"),
        ],
    )
    @pytest.mark.slow
    def test_axe_finds_nothing(
        self, visit: Callable[..., Visit], pictures: list[Path], size: dict[str, int], scheme: str
    ) -> None:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        one = visit(size=size, color_scheme=scheme)
        found = axe.run(one.page).response["violations"]
        one.drop(pictures)
        one.give(DROP, [(f"broken-{number}.jpg", "image/jpeg", b"no photo at all") for number in "ab"])
        one.done(8)
        one.page.locator("#more summary").click()
        found += axe.run(one.page).response["violations"]
        one.page.get_by_role("button", name="Enlarge").click()
        found += axe.run(one.page).response["violations"]
        one.page.keyboard.press("Escape")
        one.page.get_by_text("All photos show one place").click()
        one.page.wait_for_selector(".card.place[data-status=done]")
        found += axe.run(one.page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []

    @pytest.mark.slow
    def test_it_says_that_it_is_an_estimate_and_keeps_nothing(self, empty: Visit) -> None:
        text = empty.page.locator("body").inner_text()
        assert "An estimate, not a measurement." in text
        assert "Photos are not kept." in text
