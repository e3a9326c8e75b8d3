"""The page, by the real server in a real Chromium: what people get who drop photos on it."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from html_page import needs_browser
from PIL import Image

from lostfound.pages.lines import circle
from lostfound.predict.outputs import LocatedPhoto, to_csv, to_geojson, written_radius

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed: extra 'browser'")
pytestmark = needs_browser

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
DROP = """([files]) => {
  const transfer = new DataTransfer();
  for (const {name, type, data} of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type, lastModified: 0}));
  }
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.querySelector("#drop").dispatchEvent(
      new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
  }
}"""
PASTE = """([files]) => {
  const transfer = new DataTransfer();
  for (const {name, type, data} of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
  }
  const how = {clipboardData: transfer, bubbles: true, cancelable: true};
  document.dispatchEvent(new ClipboardEvent("paste", how));
}"""


class Visit:
    """A visit to the page, which says what was asked of whom and what went wrong."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else 0)
        page.goto(url)
        page.wait_for_selector("path.country", state="attached")

    def give(self, how: str, files: Sequence[tuple[str, str, bytes]]) -> None:
        """Drop or paste files: names, types, bytes."""
        self.page.evaluate(
            how,
            [
                [
                    {"name": name, "type": type_, "data": base64.b64encode(data).decode()}
                    for name, type_, data in files
                ]
            ],
        )

    def drop(self, paths: Sequence[Path]) -> None:
        self.give(DROP, [(path.name, "image/jpeg", path.read_bytes()) for path in paths])

    def done(self, count: int) -> list[Any]:
        """The cards, as soon as so many photos are answered for."""
        ended = ".card:is([data-status=done], [data-status=failed])"
        self.page.wait_for_function(f"(n) => document.querySelectorAll('{ended}').length === n", arg=count)
        return self.page.locator(".card").all()

    def download(self, kind: str) -> str:
        with self.page.expect_download() as started:
            self.page.get_by_role("button", name=f"Download {kind}").click()
        return Path(started.value.path()).read_text(encoding="utf-8-sig")

    def located(self) -> list[dict[str, Any]]:
        """What was answered, by the page's own file."""
        return [each["properties"] for each in json.loads(self.download("GeoJSON"))["features"]]


@pytest.fixture(scope="module")
def server(start_server: Callable[..., Any], calibrated_model_folder: Path) -> Any:
    return start_server("--model", calibrated_model_folder)


@pytest.fixture
def visit(browser: Any, server: Any) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def begin(url: str | None = None, size: dict[str, int] = DESKTOP, **options: Any) -> Visit:
        phone = {"is_mobile": True, "has_touch": True} if size == PHONE else {}
        context = browser.new_context(
            viewport=size, reduced_motion="reduce", accept_downloads=True, **phone, **options
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return Visit(context.new_page(), url or server.url)

    yield begin
    for context in contexts:
        context.close()


@pytest.fixture
def placed(visit: Callable[..., Visit], pictures: list[Path]) -> Visit:
    """Three photos, all placed: "always answer" is on."""
    one = visit()
    one.page.locator("#more summary").click()
    one.page.get_by_text("Always answer", exact=True).click()
    one.drop(pictures[:3])
    one.done(3)
    return one


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
        assert one.page.locator(".thumb img").count() == 1
        assert one.errors == []

    def test_pasted(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        buffer = io.BytesIO()
        Image.open(pictures[0]).save(buffer, "PNG")
        one = visit()
        one.give(PASTE, [("image.png", "image/png", buffer.getvalue())])
        (card,) = one.done(1)
        assert "pasted-1.png" in card.inner_text()

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

    def test_a_name_can_run_nothing(self, visit: Callable[..., Visit], pictures: list[Path]) -> None:
        name = "<img src=x onerror=\"document.title='taken'\">.jpg"
        one = visit()
        one.give(DROP, [(name, "image/jpeg", pictures[0].read_bytes())])
        (card,) = one.done(1)
        assert name in card.inner_text()
        assert one.page.title().startswith("Lost & Found")


class TestAnswers:
    def test_they_are_what_the_command_line_says(self, placed: Visit, expected: list[LocatedPhoto]) -> None:
        wanted = [each["properties"] for each in json.loads(to_geojson(expected))["features"]]
        for told, want in zip(placed.located(), wanted, strict=True):
            assert told["photo"] == want["photo"]
            assert told["country"] == want["country"]
            assert told["latitude"] == pytest.approx(want["latitude"], abs=1e-4)
            assert [each["name"] for each in told["candidates"]] == [
                each["name"] for each in want["candidates"]
            ]
            assert told.keys() == want.keys()

    def test_the_map_has_the_candidates_and_the_circles(self, placed: Visit) -> None:
        assert placed.page.locator(".marker").count() == placed.page.locator(".candidate").count()
        assert placed.page.locator("path.ring.share-50").count() >= 1
        assert placed.page.locator("path.ring.share-90").count() >= 1
        assert placed.page.locator("path.country.shaded").count() >= 1

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

    def test_several_photos_as_one_place(self, placed: Visit) -> None:
        placed.page.get_by_text("All photos show one place").click()
        placed.page.wait_for_selector(".card.place[data-status=done]")
        (feature,) = placed.located()
        assert len(feature["photos"]) == 3
        assert placed.page.locator(".marker").count() == placed.page.locator(".candidate").count()
        placed.page.get_by_text("All photos show one place").click()
        placed.done(3)
        assert len(placed.located()) == 3

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


class TestMany:
    @pytest.fixture
    def many(self, visit: Callable[..., Visit], pictures: list[Path], tmp_path: Path) -> Visit:
        """A folder of ten photos, and of what is none."""
        (tmp_path / "trip" / "day 2").mkdir(parents=True)
        for number in range(10):
            day = tmp_path / "trip" if number < 5 else tmp_path / "trip" / "day 2"
            Image.open(pictures[number % 6]).rotate(number).save(day / f"{number}.jpg")
        (tmp_path / "trip" / "notes.txt").write_text("no photo")
        one = visit()
        one.page.set_input_files("#folder", tmp_path / "trip")
        one.done(10)
        return one

    def test_a_folder(self, many: Visit) -> None:
        names = many.page.locator(".card .name").all_inner_texts()
        assert len(names) == 10
        assert {"trip/0.jpg", "trip/day 2/9.jpg"} <= set(names)
        assert "1 file in the folder is no photo." in many.page.locator("#progress").inner_text()

    def test_found_and_put_in_order(self, many: Visit) -> None:
        many.page.get_by_label("Filter photos by name or place").fill("DAY 2")
        assert len(many.page.locator(".card").all()) == 5
        many.page.get_by_label("Filter photos by name or place").fill("nothing like it")
        assert many.page.locator("#no-match").is_visible()
        many.page.get_by_label("Filter photos by name or place").fill("")
        many.page.get_by_label("Order of photos").select_option("name")
        numbers = [int(name[-5]) for name in many.page.locator(".card .name").all_inner_texts()]
        assert numbers == list(range(10))
        many.page.get_by_label("Order of photos").select_option("surest")
        sure = [
            int(text)
            for text in re.findall(r"(\d+)\s%", " ".join(many.page.locator(".words").all_inner_texts()))
        ]
        assert sure == sorted(sure, reverse=True)

    def test_on_the_map_photos_of_one_place_are_counted(self, many: Visit) -> None:
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

    def test_csv_is_that_of_the_command_line(self, placed: Visit, expected: list[LocatedPhoto]) -> None:
        told = list(csv.reader(io.StringIO(placed.download("CSV"))))
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

    def test_kml_has_points_and_closed_circles(self, placed: Visit) -> None:
        names = {"kml": "http://www.opengis.net/kml/2.2"}
        root = ElementTree.fromstring(placed.download("KML"))
        marks = root.findall(".//kml:Placemark", names)
        for mark, told in zip(marks, placed.located(), strict=True):
            assert mark.findtext("kml:name", None, names) == told["photo"]
            longitude, latitude = map(
                float, mark.findtext(".//kml:Point/kml:coordinates", "", names).split(",")
            )
            assert (latitude, longitude) == pytest.approx((told["latitude"], told["longitude"]))
            for ring in mark.findall(".//kml:LinearRing/kml:coordinates", names):
                corners = (ring.text or "").split()
                assert corners[0] == corners[-1]
                assert len(corners) > 60


class TestOffline:
    @pytest.mark.slow
    def test_no_other_origin_is_asked(self, placed: Visit) -> None:
        for _ in range(5):
            placed.page.locator(".leaflet-control-zoom-in").click()
        placed.page.wait_for_selector(".map-label", state="attached")
        others = [each for each in placed.requests if not each.startswith((placed.url, "blob:", "data:"))]
        assert others == []
        assert placed.errors == [], "the content security policy stops nothing"

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

    def computed(
        self, visit: Callable[..., Visit], module: str, function: str, values: Sequence[Any]
    ) -> list[Any]:
        one = visit()
        return one.page.evaluate(
            f"async (all) => {{ const own = await import('/static/{module}');"
            f" return all.map((each) => own.{function}(...each)); }}",
            list(values),
        )

    def test_circles(self, visit: Callable[..., Visit]) -> None:
        asked = [
            *[(46.3, 2.6, 340.0), (-17.0, 179.5, 900.0), (0.0, 0.0, 9600.0), (89.0, -40.0, 500.0)],
            *[(-85.0, 120.0, 2000.0), (60.0, -170.0, 5000.0), (12.5, 77.0, 0.3), (-30.0, 20.0, 17000.0)],
        ]
        for each, told in zip(asked, self.computed(visit, "circles.js", "circle", asked), strict=True):
            wanted = circle(each[:2], each[2])
            assert len(told) == len(wanted)
            assert np.allclose(told, wanted, atol=1e-6), each

    def test_radii_in_words(self, visit: Callable[..., Visit]) -> None:
        asked = [0.004, 0.94, 0.996, 1.04, 9.4, 9.96, 12.0, 99.4, 437.0, 995.0, 2287.0, 17_312.0]
        told = self.computed(visit, "words.js", "radius", [(each,) for each in asked])
        assert [each.replace("\xa0", " ") for each in told] == [written_radius(each) for each in asked]


class TestForEveryone:
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
            pytest.param(DESKTOP, "dark", id="desktop-dark", marks=pytest.mark.slow),
            pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.slow),
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

    def test_it_says_that_it_is_an_estimate_and_keeps_nothing(self, visit: Callable[..., Visit]) -> None:
        text = visit().page.locator("body").inner_text()
        assert "An estimate, not a measurement." in text
        assert "Photos are not kept." in text
