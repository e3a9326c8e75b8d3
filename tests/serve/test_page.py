"""The page, by the real server in a real Chromium: what people get who drop photos on it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from html_page import needs_browser
from page_visit import DROP, PASTE, PHONE, Visit
from PIL import Image

from lostfound.predict.outputs import LocatedPhoto, to_csv, to_geojson

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed: extra 'browser'")
pytestmark = needs_browser


@pytest.fixture(scope="module")
def expected(calibrated_model_folder: Path, pictures: list[Path]) -> list[LocatedPhoto]:
    """What the command line says of the same photos."""
    from lostfound.predict.locator import Locator

    locator = Locator.load(calibrated_model_folder).using(always_answer=True)
    return [LocatedPhoto(path.name, locator.locate(path)) for path in pictures[:3]]


class TestPhotosComeIn:
    def test_dropped_and_answered(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        one = visit()
        one.drop(pictures[:1])
        (card,) = one.done(1)
        assert pictures[0].name in card.inner_text()
        assert re.search(r"%|I don’t know", card.inner_text())
        assert one.page.locator("#answer-heading").inner_text() in card.inner_text()
        assert one.page.locator("#answer .candidate").count() >= 3
        one.page.wait_for_selector(".thumb img")  # it is made beside, and may come after the answer
        assert one.page.locator(".thumb img").count() == 1
        assert one.errors == []

    @pytest.mark.slow
    def test_pasted(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        buffer = io.BytesIO()
        Image.open(pictures[0]).save(buffer, "PNG")
        one = visit()
        one.give(PASTE, [("image.png", "image/png", buffer.getvalue())])
        (card,) = one.done(1)
        assert "pasted-1.png" in card.inner_text()

    @pytest.mark.slow
    def test_chosen_many_and_first_answers_come_first(
        self, visit: Callable[..., Visit], pictures: list[Path]
    ) -> None:
        one = visit()
        one.page.set_input_files("#choose", pictures)
        one.done(len(pictures))
        posts = [each for each in one.requests if "/v1/locate" in each]
        assert 1 < len(posts) < len(pictures), "several requests, each of several photos"
        assert one.page.locator("#progress").inner_text().startswith(f"{len(pictures)} photos")
        one.page.set_input_files("#choose", pictures[:2])
        assert one.page.locator(".card").count() == len(pictures), "the same are not taken twice"

    def test_taken_on_a_phone(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        one = visit(size=PHONE)
        assert one.page.get_by_text("Take a photo").is_visible()
        assert one.page.locator("#camera").get_attribute("capture") == "environment"
        one.page.set_input_files("#camera", pictures[:1])
        one.done(1)
        wide = one.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], "nothing runs out of the screen"

    @pytest.mark.slow
    def test_a_bad_file_costs_the_others_nothing(
        self, visit: Callable[..., Visit], pictures: list[Path]
    ) -> None:
        one = visit()
        good = [(path.name, "image/jpeg", path.read_bytes()) for path in pictures[:2]]
        bad = [
            ("broken.jpg", "image/jpeg", b"this is no photo at all"),
            ("notes.txt", "text/plain", b"nor is this"),
            ("nothing.jpg", "image/jpeg", b""),
        ]
        one.give(DROP, [good[0], *bad, good[1]])
        cards = [card.inner_text() for card in one.done(5)]
        assert ["No answer" in card for card in cards] == [False, True, True, True, False]
        assert "This is no photo (text/plain)." in cards[2]
        assert "The file is empty." in cards[3]

    @pytest.mark.slow
    def test_what_the_browser_can_not_show_is_answered_all_the_same(
        self, visit: Callable[..., Visit], pictures: list[Path]
    ) -> None:
        buffer = io.BytesIO()
        Image.open(pictures[0]).save(buffer, "TIFF")
        one = visit()
        one.give(DROP, [("scan.tiff", "image/tiff", buffer.getvalue())])
        (card,) = one.done(1)
        assert "No answer" not in card.inner_text()
        one.page.wait_for_selector(".thumb .kind")
        assert one.page.locator(".thumb .kind").inner_text() == "TIFF"
        assert "can’t show" in one.page.locator(".frame").inner_text()

    @pytest.mark.slow
    def test_a_name_can_run_nothing(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        name = "<img src=x onerror=\"document.title='taken'\">.jpg"
        one = visit()
        one.give(DROP, [(name, "image/jpeg", pictures[0].read_bytes())])
        (card,) = one.done(1)
        assert name in card.inner_text()
        assert one.page.title().startswith("Lost & Found")


class TestAnswers:
    @pytest.mark.slow
    def test_they_are_what_the_command_line_says(
        self, placed_for_all: Visit, expected: list[LocatedPhoto]
    ) -> None:
        wanted = [each["properties"] for each in json.loads(to_geojson(expected))["features"]]
        for told, want in zip(placed_for_all.located(), wanted, strict=True):
            assert told["photo"] == want["photo"]
            assert told["country"] == want["country"]
            assert told["latitude"] == pytest.approx(want["latitude"], abs=1e-4)
            assert [each["name"] for each in told["candidates"]] == [
                each["name"] for each in want["candidates"]
            ]
            assert told.keys() == want.keys()

    def test_the_map_has_the_candidates_and_the_circles(self, placed_for_all: Visit) -> None:
        assert (
            placed_for_all.page.locator(".marker").count()
            == placed_for_all.page.locator(".candidate").count()
        )
        assert placed_for_all.page.locator("path.ring.share-50").count() >= 1
        assert placed_for_all.page.locator("path.ring.share-90").count() >= 1
        assert placed_for_all.page.locator("path.country.shaded").count() >= 1

    @pytest.mark.slow
    def test_choosing_a_candidate_moves_the_map_there(self, placed: Visit) -> None:
        last = placed.page.locator(".candidate").last
        last.click()
        rank = placed.page.locator(".candidate").count() - 1
        marker = placed.page.locator(".marker").nth(rank).bounding_box()
        view = placed.page.locator("#map").bounding_box()
        assert abs(marker["x"] + marker["width"] / 2 - view["x"] - view["width"] / 2) < 60
        assert (
            placed.page.locator(".leaflet-tooltip")
            .inner_text()
            .startswith(last.locator(".label").inner_text())
        )

    @pytest.mark.slow
    def test_not_knowing_is_said_with_its_reason_and_claims_no_place(
        self, visit: Callable[..., Visit]
    ) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (640, 480), (90, 90, 90)).save(buffer, "JPEG")
        one = visit()
        one.give(DROP, [("grey.jpg", "image/jpeg", buffer.getvalue())])
        one.done(1)
        assert one.page.locator("#answer-heading").inner_text() == "I don’t know"
        assert "one colour" in one.page.locator("#answer .why").inner_text()
        assert one.page.locator("path.ring").count() == 0
        assert one.page.get_by_role("button", name="Copy coordinates").count() == 0
        one.page.get_by_role("button", name="Answer anyway").click()
        one.page.wait_for_selector(".candidates:not(.doubtful)")
        assert one.page.locator("#answer .beware").inner_text().startswith("Beware: ")

    @pytest.mark.slow
    def test_the_heat_map_lies_over_the_photo(self, placed: Visit) -> None:
        overlay = placed.page.locator(".overlay")
        assert not overlay.is_visible()
        placed.page.locator(".heat-controls .choice").nth(1).click()
        overlay.wait_for(state="visible")
        first = overlay.get_attribute("src")
        placed.page.locator(".heat-controls .choice").nth(2).click()
        placed.page.wait_for_function("(old) => document.querySelector('.overlay').src !== old", arg=first)
        picture, over = placed.page.locator(".picture").bounding_box(), overlay.bounding_box()
        assert over == pytest.approx(picture, abs=1)
        placed.page.locator(".heat-controls .choice").nth(0).click()
        assert not overlay.is_visible()

    @pytest.mark.slow
    def test_several_photos_as_one_place(self, placed: Visit) -> None:
        placed.page.get_by_text("All photos show one place").click()
        placed.page.wait_for_selector(".card.place[data-status=done]")
        (feature,) = placed.located()
        assert len(feature["photos"]) == 3
        assert placed.page.locator(".marker").count() == placed.page.locator(".candidate").count()
        placed.page.get_by_text("All photos show one place").click()
        placed.done(3)
        assert len(placed.located()) == 3

    @pytest.mark.slow
    def test_one_place_of_which_a_file_is_no_photo(
        self, visit: Callable[..., Visit], pictures: list[Path]
    ) -> None:
        one = visit()
        one.drop(pictures[:2])
        one.give(DROP, [("broken.jpg", "image/jpeg", b"this is no photo at all")])
        one.done(3)
        one.page.get_by_text("All photos show one place").click()
        one.page.wait_for_selector(".card.place[data-status=done]")
        parts = one.page.locator(".card.part").all_inner_texts()
        assert ["Left out" in part for part in parts] == [False, False, True]

    @pytest.mark.slow
    def test_restricted_to_countries(self, placed: Visit) -> None:
        placed.page.get_by_role("searchbox", name="Search countries").fill("bras")
        assert placed.page.locator("#country-none").is_visible()
        placed.page.get_by_role("searchbox", name="Search countries").fill("braz")
        placed.page.get_by_role("checkbox", name="Brazil").check()
        placed.page.wait_for_function(
            "() => [...document.querySelectorAll('.card')].every((card) => /Brazil/.test(card.innerText))"
        )
        assert {each["country"] for each in placed.located()} == {"BR"}
        assert "restriction leaves out" in " ".join(placed.page.locator("#answer .beware").all_inner_texts())
        placed.page.get_by_role("radio", name="Not in").check()
        placed.page.wait_for_function(
            "() => [...document.querySelectorAll('.words')].every("
            "(each) => each.innerText && !/Brazil/.test(each.innerText))"
        )
        placed.page.get_by_role("button", name="Remove Brazil").click()
        assert placed.page.locator("#chosen-countries").is_hidden()

    @pytest.mark.slow
    def test_restricted_to_what_the_map_shows(self, placed: Visit) -> None:
        page = placed.page
        page.get_by_role("button", name="Zoom out").click()
        page.locator(".candidate").last.click()
        page.locator("#area-set").click()
        page.wait_for_selector("#area-clear", state="visible")
        page.wait_for_function("() => document.querySelectorAll('.card[data-status=done]').length === 3")
        (asked,) = {each for each in placed.requests if "box=" in each}
        south, west, north, east = map(float, parse_qs(urlsplit(asked).query)["box"][0].split(","))
        for each in placed.located():
            assert south <= each["latitude"] <= north
            assert west <= each["longitude"] <= east
        assert page.locator("path.area").count() == 1
        page.locator("#area-clear").click()
        page.wait_for_selector("#area-set", state="visible")

    @pytest.mark.slow
    def test_another_model_answers_anew(
        self,
        visit: Callable[..., Visit],
        start_server: Callable[..., Any],
        calibrated_model_folder: Path,
        pictures: list[Path],
    ) -> None:
        server = start_server("--model", f"tiny={calibrated_model_folder}", "--model", "starter")
        one = visit(server.url)
        one.drop(pictures[:1])
        one.done(1)
        assert one.page.locator(".candidate").count() == 4
        one.page.locator("#more summary").click()
        one.page.get_by_label("Model", exact=True).select_option("starter")
        one.page.wait_for_function("() => document.querySelectorAll('.candidate').length === 5")


@pytest.fixture(scope="module")
def trip(pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of ten photos, and of what is none."""
    trip = tmp_path_factory.mktemp("many") / "trip"
    (trip / "day 2").mkdir(parents=True)
    for number in range(10):
        day = trip if number < 5 else trip / "day 2"
        Image.open(pictures[number % 6]).rotate(number).save(day / f"{number}.jpg")
    (trip / "notes.txt").write_text("no photo")
    return trip


@pytest.fixture(scope="module")
def many(visit_of_all: Callable[..., Visit], trip: Path) -> Visit:
    one = visit_of_all()
    one.page.set_input_files("#folder", trip)
    one.done(10)
    return one


class TestMany:
    def test_a_folder(self, many: Visit) -> None:
        names = many.page.locator(".card .name").all_inner_texts()
        assert len(names) == 10
        assert {"trip/0.jpg", "trip/day 2/9.jpg"} <= set(names)
        assert "1 file in the folder is no photo." in many.page.locator("#progress").inner_text()

    @pytest.mark.slow
    def test_found_and_put_in_order(self, many: Visit) -> None:
        many.page.get_by_label("Filter photos by name or place").fill("DAY 2")
        assert len(many.page.locator(".card").all()) == 5
        many.page.get_by_label("Filter photos by name or place").fill("nothing like it")
        assert many.page.locator("#no-match").is_visible()
        many.page.get_by_label("Filter photos by name or place").fill("")
        many.page.get_by_label("Order of photos").select_option("name")
        many.page.wait_for_function(
            "() => [...document.querySelectorAll('.card .name')].every(e => e.innerText)"
        )
        numbers = [int(name[-5]) for name in many.page.locator(".card .name").all_inner_texts()]
        assert numbers == list(range(10))
        many.page.get_by_label("Order of photos").select_option("surest")
        sure = [
            int(text)
            for text in re.findall(r"(\d+)\s%", " ".join(many.page.locator(".words").all_inner_texts()))
        ]
        assert sure == sorted(sure, reverse=True)

    @pytest.mark.slow
    def test_on_the_map_photos_of_one_place_are_counted(
        self, visit: Callable[..., Visit], trip: Path
    ) -> None:
        many = visit()
        many.page.set_input_files("#folder", trip)
        many.done(10)
        many.page.locator("#more summary").click()
        many.page.get_by_text("Always answer", exact=True).click()
        many.page.wait_for_function(
            "() => !document.querySelector('.card.abstained, .card:not([data-status=done])')"
        )
        many.page.keyboard.press("Escape")
        many.page.wait_for_selector(".dot")
        words = [each.get_attribute("aria-label") for each in many.page.locator(".dot").all()]
        counted = [int(found[1]) for word in words if (found := re.search(r": (\d+) photos", word))]
        assert sum(counted) + len(words) - len(counted) == 10

    def test_large_to_look_for_what_gives_it_away(self, many: Visit) -> None:
        many.page.get_by_role("button", name="Enlarge").click()
        picture = many.page.locator("dialog img")
        picture.wait_for()
        many.page.get_by_role("button", name="Full size").click()
        assert picture.bounding_box()["width"] == pytest.approx(640, abs=1)
        many.page.keyboard.press("Escape")
        many.page.locator("dialog").wait_for(state="detached")
        assert many.page.locator("#answer").is_visible(), "it closes only the large photo"


class TestTakenAway:
    @pytest.mark.slow
    def test_coordinates_are_copied(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        one = visit(permissions=["clipboard-read", "clipboard-write"])
        one.page.locator("#more summary").click()
        one.page.get_by_text("Always answer", exact=True).click()
        one.drop(pictures[:1])
        one.done(1)
        one.page.get_by_role("button", name="Copy coordinates").click()
        one.page.wait_for_selector("text=Copied")
        latitude, longitude = map(float, one.page.evaluate("navigator.clipboard.readText()").split(", "))
        (told,) = one.located()
        assert (latitude, longitude) == pytest.approx((told["latitude"], told["longitude"]), abs=1e-5)

    def test_csv_is_that_of_the_command_line(
        self, placed_for_all: Visit, expected: list[LocatedPhoto]
    ) -> None:
        told = list(csv.reader(io.StringIO(placed_for_all.download("CSV"))))
        want = list(csv.reader(io.StringIO(to_csv(expected))))
        assert told[0] == want[0]
        for row, other in zip(told[1:], want[1:], strict=True):
            assert row[0] == other[0]
            assert [float(each) for each in row[1:5]] == pytest.approx(
                [float(each) for each in other[1:5]], rel=1e-3
            )
            assert row[5] == other[5]

    def test_csv_computes_nothing_in_a_spreadsheet(
        self, visit: Callable[..., Visit], pictures: list[Path]
    ) -> None:
        one = visit()
        one.give(DROP, [('=HYPERLINK("x"),y.jpg', "image/jpeg", pictures[0].read_bytes())])
        one.done(1)
        _, row = csv.reader(io.StringIO(one.download("CSV")))
        assert row[0] == '\'=HYPERLINK("x"),y.jpg'

    def test_kml_has_points_and_closed_circles(self, placed_for_all: Visit) -> None:
        names = {"kml": "http://www.opengis.net/kml/2.2"}
        root = ElementTree.fromstring(placed_for_all.download("KML"))
        marks = root.findall(".//kml:Placemark", names)
        for mark, told in zip(marks, placed_for_all.located(), strict=True):
            assert mark.findtext("kml:name", None, names) == told["photo"]
            longitude, latitude = map(
                float, mark.findtext(".//kml:Point/kml:coordinates", "", names).split(",")
            )
            assert (latitude, longitude) == pytest.approx((told["latitude"], told["longitude"]))
            for ring in mark.findall(".//kml:LinearRing/kml:coordinates", names):
                corners = (ring.text or "").split()
                assert corners[0] == corners[-1]
                assert len(corners) > 60
