"""The map page: whole, harmless and really drawn."""

import base64
import hashlib
import io
import math
import re

import pytest
from html_page import ATTACK, Page, needs_browser
from PIL import Image

from lostfound.errors import LostFoundError
from lostfound.geo.boundaries import outlines
from lostfound.pages.map import MOST_WITHIN, MapEntry, render_map, write_map, write_photo_map
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.outputs import LocatedPhoto

HOSTILE_NAMES = [
    ATTACK,
    "<!--<script>",
    "</script onload=x",
    "<!-- <script ",
    "]]>&lt;b&gt;",
    "$title ${entries} %s {0}",
    "line\u2028separator\u2029.jpg",
    "\u202egpj.exe",
    "not text \udcff.jpg",
    "back\\slash\"quote'.jpg",
    "日本 🗺️.jpg",
]


def candidate(name, probability, country=None):
    return Candidate(country, name, probability, 0.0, 0.0, country)


def shown(page):
    """The photos in a page, as map.js reads them, their candidates by name and country."""
    located = page.data("located")
    return [
        {**each, "candidates": [(*located["labels"][label], share) for label, share in each["candidates"]]}
        for each in located["entries"]
    ]


CROATIA = (candidate("Croatia", 0.62, "HR"), candidate("Slovenia", 0.21, "SI"))
WHY = "nothing in it speaks clearly for one place"


def entry(name="photo.jpg", *, at=(45.8, 16.0), candidates=CROATIA, thumbnail=None, truth=None, **changes):
    truth_name = changes.pop("truth_name", None)
    guess = Guess(tuple(candidates), at, **changes)
    return MapEntry(name, guess, thumbnail, truth, truth_name)


def unsure(name="unsure.jpg", **changes):
    return entry(name, radius_50_km=900.0, radius_90_km=2287.0, warning=WHY, abstained=True, **changes)


def jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (90, 140, 60)).save(buffer, "JPEG")
    return buffer.getvalue()


class TestSelfContained:
    def test_no_element_or_style_names_another_file(self):
        page = Page(render_map([entry(thumbnail=jpeg())], title="Photos"))
        loads = [
            has[key]
            for _, has, _ in page.elements
            for key in ("src", "href", "srcset", "data", "action")
            if has.get(key)
        ]
        assert all(target.startswith("data:") for target in loads)
        styles = "".join(page.texts("style"))
        assert all(target.startswith(("data:", "#")) for target in re.findall(r"url\(['\"]?([^)]*)", styles))
        assert "@import" not in styles
        assert "sourceMappingURL" not in "".join(page.texts("script"))

    def test_policy_forbids_requests_and_all_scripts_and_styles_but_its_own(self):
        page = Page(render_map([entry()], title="Photos"))
        (policy,) = [
            has["content"]
            for _, has, _ in page.elements
            if has.get("http-equiv") == "Content-Security-Policy"
        ]
        rules = {name: values for name, *values in (rule.split() for rule in policy.split(";"))}
        assert rules["default-src"] == ["'none'"]
        assert rules["img-src"] == ["data:"]
        digests = lambda texts: [  # noqa: E731
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
        ]
        assert rules["script-src"] == digests(
            text for name, has, text in page.elements if name == "script" and "type" not in has
        )
        assert rules["style-src"] == digests(page.texts("style"))

    def test_holds_the_licence_of_what_it_holds(self):
        text = render_map([], title="Photos")
        assert "Redistributions in binary form must reproduce the above copyright" in text
        assert "Natural Earth" in text

    def test_thumbnail_is_embedded(self):
        image = jpeg()
        (data,) = shown(Page(render_map([entry(thumbnail=image)], title="Photos")))
        assert base64.b64decode(data["thumbnail"]) == image

    def test_every_country_is_there(self):
        ground = Page(render_map([], title="Photos")).data("ground")
        assert {code for code, *_ in ground["shapes"]} == COUNTRIES
        assert {name for name, *_ in ground["labels"]} == {name for _, name, _ in ground["shapes"]}


class TestEscaping:
    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_stay_data(self, name):
        candidates = [candidate(name, 1.0)]
        page = Page(render_map([entry(name, candidates=candidates, truth_name=name)], title="Photos"))
        (data,) = shown(page)
        assert (data["name"], data["candidates"][0][0], data["truthName"]) == (name, name, name)
        harmless = Page(render_map([entry()], title="Photos"))
        assert [tag for tag, *_ in page.elements] == [tag for tag, *_ in harmless.elements]

    @pytest.mark.parametrize("text", HOSTILE_NAMES)
    def test_title_and_note_stay_text(self, text):
        page = Page(render_map([], title=text, note=text))
        assert page.texts("title") == page.texts("h1") == [text]
        assert page.texts("span", id="note") == [text]

    def test_names_that_are_no_text_can_be_written(self, tmp_path):
        path = write_map(tmp_path / "map.html", [entry("a\udcff.jpg")], title="b\udcff")
        page = Page(path.read_text(encoding="utf-8"))
        assert shown(page)[0]["name"] == "a?.jpg"
        assert page.texts("h1") == ["b?"]


class TestContent:
    def test_error_is_the_distance_to_the_truth(self):
        assert entry().error_km is None
        assert entry(truth=(45.8, 16.0)).error_km == 0
        assert entry(at=(0, 0), truth=(0, 90)).error_km == pytest.approx(math.pi / 2 * 6371.0088)

    def test_candidates_say_their_country(self):
        own = [candidate("Zagreb", 0.5, "HR"), candidate("Zagreb and Graz", 0.2)]
        (data,) = shown(Page(render_map([entry(candidates=own)], title="Photos")))
        assert data["candidates"] == [("Zagreb", "HR", 0.5), ("Zagreb and Graz", None, 0.2)]

    def test_a_name_is_written_once_for_all_photos(self):
        assert len(Page(render_map([entry()] * 50, title="Photos")).data("located")["labels"]) == 2

    @pytest.mark.parametrize(("count", "text"), [(0, "0 photos"), (1, "1 photo"), (1200, "1,200 photos")])
    def test_counts_photos(self, count, text):
        assert Page(render_map([entry()] * count, title="Photos")).texts("p", id="count") == [text]

    @pytest.mark.slow
    def test_counts_photos_that_were_not_placed(self):
        page = Page(render_map([entry(), unsure(), unsure()], title="Photos"))
        assert page.texts("p", id="count") == ["3 photos, 2 not placed"]

    def test_of_one_that_abstained_no_place_is_in_the_page(self):
        (data,) = shown(Page(render_map([unsure(truth=(1.0, 2.0), truth_name="At sea")], title="Photos")))
        assert not {"guess", "radii", "way", "error"} & data.keys()
        assert (data["truth"], data["truthName"], data["warning"]) == ([1.0, 2.0], "At sea", WHY)

    def test_circles_are_those_radii_that_are_known(self):
        of = lambda **radii: shown(Page(render_map([entry(**radii)], title="Photos")))[0].get("radii")  # noqa: E731
        assert of() is None
        assert of(radius_50_km=0.93124, radius_90_km=2287.31) == [[50, 0.9312], [90, 2287.0]]

    def test_says_that_guesses_are_estimates(self):
        page = render_map([], title="Photos", note="Model demo.")
        assert "Estimates by lostfound, from pixels alone; not measurements." in page
        assert "Model demo." in page

    @pytest.mark.parametrize("place", [(91, 0), (0, 181), (math.nan, 0), (0, math.inf)])
    def test_refuses_places_off_the_earth(self, place):
        with pytest.raises(ValueError, match="off the Earth"):
            entry(at=place)
        with pytest.raises(ValueError, match="off the Earth"):
            entry(truth=place)


class TestWriting:
    def test_replaces_the_file_and_leaves_nothing_else(self, tmp_path):
        path = tmp_path / "new folder" / "map.html"
        write_map(path, [], title="Old")
        assert write_map(path, [], title="New") == path
        assert "<title>New</title>" in path.read_text(encoding="utf-8")
        assert list(path.parent.iterdir()) == [path]

    def test_failing_says_where_and_leaves_nothing(self, tmp_path):
        taken = tmp_path / "map.html"
        taken.mkdir()
        with pytest.raises(LostFoundError, match=r"Can't write the page to .*map\.html"):
            write_map(taken, [], title="Photos")
        (tmp_path / "file").touch()
        with pytest.raises(LostFoundError, match="Can't write the page"):
            write_map(tmp_path / "file" / "map.html", [], title="Photos")
        assert sorted(tmp_path.iterdir()) == [tmp_path / "file", taken]


COUNTRIES = {each["properties"]["code"] for each in outlines(fine=True)["features"]}


class TestPhotosOfFiles:
    def located(self, folder, count, **about):
        (folder / "one.jpg").write_bytes(jpeg())
        guess = Guess(CROATIA, (45.8, 16.0))
        return [LocatedPhoto(str(folder / "one.jpg"), guess, **about) for _ in range(count)]

    def test_many_thumbnails_lie_beside_the_page(self, tmp_path):
        results = self.located(tmp_path, MOST_WITHIN + 1)
        path = write_photo_map(results, tmp_path / "my map.html")
        page = Page(path.read_text(encoding="utf-8"))
        assert shown(page)[-1]["thumbnail"] == "my%20map_files/000/000300.jpg"
        with Image.open(tmp_path / "my map_files" / "000" / "000300.jpg") as made:
            assert made.size == (32, 24)
        assert len(path.read_bytes()) < 700_000
        (policy,) = [
            has["content"] for _, has, _ in page.elements if "content" in has and "img-src" in has["content"]
        ]
        assert "img-src data: 'self' file:;" in policy

    def test_a_few_are_within_it(self, tmp_path):
        path = write_photo_map(self.located(tmp_path, 3), tmp_path / "map.html")
        assert sorted(each.name for each in tmp_path.iterdir()) == ["map.html", "one.jpg"]
        assert len({each["thumbnail"] for each in shown(Page(path.read_text(encoding="utf-8")))}) == 1

    def test_photos_of_one_place_are_one_card(self, tmp_path):
        results = self.located(tmp_path, 3)
        page = Page(
            write_photo_map(results, tmp_path / "map.html", same_place=True).read_text(encoding="utf-8")
        )
        (data,) = shown(page)
        assert [name for name, _ in data["also"]] == ["one.jpg", "one.jpg"]
        assert page.texts("p", id="count") == ["3 photos"]


def on_map(page, word):
    """The classes of what is drawn of the chosen photo and has this one."""
    return [
        has["class"].removesuffix(" leaflet-interactive")
        for has, _ in page.with_class(word)
        if "leaflet-interactive" in has["class"]
    ]


def legend(page):
    """What the legend says now."""
    return [text for tag, has, text in page.elements if tag == "li" and "hidden" not in has]


@needs_browser
class TestInBrowser:
    def test_draws_map_and_cards(self, tmp_path, render):
        entries = [entry(f"{i}.jpg", at=(i, 3 * i), thumbnail=jpeg()) for i in range(40)]
        page = render(write_map(tmp_path / "map.html", entries, title="Photos"))
        assert len(page.with_class("card")) == 40
        countries = page.with_class("country")
        assert len(countries) == len(COUNTRIES)
        assert sum(len(has["d"]) > 20 for has, _ in countries) > 200
        assert {"China", "India", "Kenya"} <= {text for _, text in page.with_class("of-country")}
        counted = [
            int(has["aria-label"].split()[0]) for has, _ in page.with_class("cluster") if "aria-label" in has
        ]
        assert 10 < sum(counted) <= 40, "photos that would lie over each other"
        assert page.with_class("name")[0][1] == "0.jpg"
        assert page.with_class("thumb")[0][0]["src"].startswith("data:image/jpeg;base64,")
        assert 0 < len(page.with_class("bars")) < 40, "cards far from view are not built yet"

    @pytest.mark.slow
    def test_chosen_photo_shows_candidates_truth_and_distance(self, tmp_path, render):
        across = entry(
            at=(-17.8, 178.0), truth=(-13.8, -171.8), truth_name="Samoa",
            candidates=[candidate("Fiji", 0.7, "FJ"), candidate("New Zealand", 0.2, "NZ")],
        )  # fmt: skip
        path = write_map(tmp_path / "map.html", [entry(), across], title="Photos")
        page = render(path, "#photo-2")
        chosen = [has for has, _ in page.with_class("card") if has["aria-selected"] == "true"]
        assert [has["aria-label"] for has in chosen] == [
            "photo.jpg: Fiji 70%, New Zealand 20%, 1,178 km from the truth"
        ]
        assert len(page.with_class("shaded")) == 4, "two candidates, on both sides of the date line"
        assert [each for word in ("arc", "truth", "guess") for each in on_map(page, word)] == [
            "arc",
            "truth",
            "guess",
        ]
        said = {text for *_, text in page.elements}
        assert {"Guess: Fiji 70%", "Truth: Samoa, 1,178 km off"} <= said

    @pytest.mark.slow
    def test_chosen_photo_shows_its_circles(self, tmp_path, render):
        known = entry(radius_50_km=930.0, radius_90_km=2287.0)
        page = render(write_map(tmp_path / "map.html", [known], title="Photos"))
        (card,) = page.with_class("card")
        assert card[0]["aria-label"].endswith("Slovenia 21%, 50 %: within 930 km, 90 %: within 2,300 km")
        assert [text for _, text in page.with_class("within")] == [
            "50 %: within 930 km",
            "90 %: within 2,300 km",
        ]
        assert on_map(page, "border") == ["border share-50", "border share-90"]
        assert {"holds the place 1 time in 2", "9 times in 10"} <= set(legend(page))

    @pytest.mark.parametrize(
        ("at", "radius_km", "times"),
        [((-17.8, 178.0), 2000.0, 1), ((80.0, 20.0), 5000.0, 3), ((0.0, 0.0), 15_000.0, 3)],
    )
    @pytest.mark.slow
    def test_circles_run_past_the_date_line_and_over_poles(self, tmp_path, render, at, radius_km, times):
        far = entry(at=at, radius_50_km=1.0, radius_90_km=radius_km)
        page = render(write_map(tmp_path / "map.html", [far], title="Photos"))
        assert len(on_map(page, "share-90")) == times
        worlds = len(page.with_class("country")) / len(COUNTRIES)
        assert worlds == (3 if times == 3 else 2), "the world goes on where the circle does"

    def test_without_radii_there_is_no_circle(self, tmp_path, render):
        page = render(write_map(tmp_path / "map.html", [entry()], title="Photos"))
        assert on_map(page, "border") == []
        assert legend(page) == ["guess", "probability"]

    def test_one_that_abstained_says_so_and_why_and_shows_its_truth(self, tmp_path, render):
        entries = [entry(), unsure(truth=(-13.8, -171.8), truth_name="Samoa")]
        path = write_map(tmp_path / "map.html", entries, title="Photos")
        page = render(path, "#photo-2")
        ((card, _),) = page.with_class("abstained")
        assert card["aria-selected"] == "true"
        assert card["aria-label"] == f"unsure.jpg: I don't know: {WHY}, Croatia 62%, Slovenia 21%"
        assert [text for _, text in page.with_class("unknown")] == ["I don't know"]
        assert [text for _, text in page.with_class("why")] == [WHY]
        assert (on_map(page, "guess"), on_map(page, "border")) == ([], [])
        assert on_map(page, "truth") == ["truth"]
        assert not page.with_class("shaded"), "no country is claimed"
        said = [text for *_, text in page.elements]
        assert said.count("Truth: Samoa") == 2, "on the card and on the map"
        assert [text for text in said if text.startswith("Guess: ")] == ["Guess: 45.800° N, 16.000° E"]

    @pytest.mark.slow
    def test_nothing_placed_at_all(self, tmp_path, render):
        page = render(write_map(tmp_path / "map.html", [unsure()] * 7, title="Photos"))
        assert len(page.with_class("unknown")) == 7
        assert not page.with_class("off")

    @pytest.mark.slow
    def test_one_that_had_to_be_answered_is_placed_and_warned_of(self, tmp_path, render):
        asked = entry(radius_50_km=900.0, radius_90_km=2287.0, warning=WHY)
        page = render(write_map(tmp_path / "map.html", [asked], title="Photos"))
        assert [text for _, text in page.with_class("why")] == [f"Beware: {WHY}"]
        assert on_map(page, "guess") == ["guess"]
        assert not page.with_class("unknown")

    @pytest.mark.slow
    def test_names_can_run_nothing(self, tmp_path, render):
        hostile = [
            entry(name, candidates=[candidate(name, 1.0, "HR")], truth=(1, 1), truth_name=name)
            for name in [ATTACK, *HOSTILE_NAMES]
        ]
        path = write_map(tmp_path / "map.html", hostile, title="Photos", note=ATTACK)
        page = render(path, "#photo-1")
        assert page.texts("title") == ["Photos"]
        assert not page.texts("img")
        assert page.with_class("name")[0][1] == ATTACK
        assert f"Guess: {ATTACK} 100%" in {text for *_, text in page.elements}

    @pytest.mark.slow
    def test_nothing_to_show(self, tmp_path, render):
        page = render(write_map(tmp_path / "map.html", [], title="Photos"))
        assert [has for _, has, _ in page.elements if has.get("id") == "empty" and "hidden" not in has]
        assert len(page.with_class("country")) == len(COUNTRIES)


@pytest.mark.slow
class TestMany:
    @pytest.fixture(scope="class")
    @staticmethod
    def many(browser, tmp_path_factory):
        """A page of 2500 photos, a fifth of them at one spot, the others on a grid."""
        entries = [
            entry(f"{i:04}.jpg", at=(45.8, 16.0) if i % 5 == 0 else (-40 + i // 50, -120 + 4 * (i % 50)))
            for i in range(2500)
        ]
        path = write_map(tmp_path_factory.mktemp("many") / "map.html", entries, title="Photos")
        opened = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        opened.goto(path.as_uri())
        yield opened
        opened.close()

    def test_photos_at_one_spot_are_counted_and_listed(self, many):
        circles = many.locator("#map .cluster")
        assert 0 < circles.count() < 300
        for _ in range(20):
            count, label = max(
                (int(each.split()[0].replace(",", "")), each)
                for each in circles.evaluate_all("all => all.map((each) => each.getAttribute('aria-label'))")
            )
            many.get_by_label(label, exact=True).first.click()
            if count == 500:
                break
        assert many.locator("#count").inner_text() == "500 of 2,500, at one spot"
        many.get_by_role("button", name="Show all photos").click()
        assert many.locator("#count").inner_text() == "2,500 photos"

    def test_the_list_grows_where_it_is_scrolled_to(self, many):
        assert many.locator(".card").count() == 100
        many.locator("#list").evaluate("list => { list.scrollTop = list.scrollHeight; }")
        many.locator(".card").nth(100).wait_for(state="attached")
        many.locator(".card").first.focus()
        many.keyboard.press("End")
        assert many.locator(".card[aria-selected=true] .name").inner_text() == "2499.jpg"
        assert many.locator(".card[aria-selected=true]").get_attribute("aria-posinset") == "2500"
        many.keyboard.press("ArrowUp")
        assert many.locator(".card[aria-selected=true] .name").inner_text() == "2498.jpg"
        many.keyboard.press("Escape")

    def test_a_filter_holds_for_the_list_and_the_map(self, many):
        many.locator("#filter").fill("0001")
        many.locator("#map .cluster").first.wait_for(state="detached")
        assert [each.inner_text() for each in many.locator(".card .name").all()] == ["0001.jpg"]
        many.locator("#filter").fill("")
        many.locator("#map .cluster").first.wait_for()


@pytest.mark.slow
def test_a_phone_shows_all_places_and_circles_of_a_sensible_size(browser, tmp_path):
    entries = [entry(at=(45.8, 16.0), radius_90_km=9000.0), entry(at=(46.0, 16.2), radius_90_km=800.0)]
    path = write_map(tmp_path / "map.html", entries, title="Photos")
    page = browser.new_page(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    page.goto(path.as_uri())
    names = set(page.locator(".of-country").all_inner_texts())
    assert "Italy" in names, "not at the scale of the points alone"
    assert "Brazil" not in names, "nor at that of the largest circle"
    page.close()
