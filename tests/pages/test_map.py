"""The map page: whole, harmless and really drawn."""

import base64
import hashlib
import io
import math
import re
from itertools import pairwise

import pytest
from html_page import ATTACK, Page, needs_browser, render
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lostfound.errors import LostFoundError
from lostfound.geo.boundaries import outlines
from lostfound.geo.sphere import haversine_km
from lostfound.pages.map import MapEntry, great_circle, render_map, write_map
from lostfound.predict.guess import Candidate

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
points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def candidate(name, probability, country=None):
    return Candidate(country, name, probability, 0.0, 0.0, country)


def entry(name="photo.jpg", **changes):
    values = {
        "latitude": 45.8,
        "longitude": 16.0,
        "candidates": [candidate("Croatia", 0.62, "HR"), candidate("Slovenia", 0.21, "SI")],
    }
    return MapEntry(name, **(values | changes))


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
        (data,) = Page(render_map([entry(thumbnail=image)], title="Photos")).data("entries")
        assert base64.b64decode(data["thumbnail"]) == image

    def test_every_country_is_there(self):
        drawn = Page(render_map([], title="Photos")).data("outlines")["features"]
        assert {each["properties"]["code"] for each in drawn} == {
            each["properties"]["code"] for each in outlines()["features"]
        }


class TestEscaping:
    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_stay_data(self, name):
        candidates = [candidate(name, 1.0)]
        page = Page(render_map([entry(name, candidates=candidates, truth_name=name)], title="Photos"))
        (data,) = page.data("entries")
        assert (data["name"], data["candidates"][0]["name"], data["truthName"]) == (name, name, name)
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
        assert page.data("entries")[0]["name"] == "a?.jpg"
        assert page.texts("h1") == ["b?"]


class TestContent:
    def test_error_is_the_distance_to_the_truth(self):
        assert entry().error_km is None
        assert entry(truth=(45.8, 16.0)).error_km == 0
        assert entry(latitude=0, longitude=0, truth=(0, 90)).error_km == pytest.approx(
            math.pi / 2 * 6371.0088
        )

    def test_candidates_say_their_country(self):
        own = [candidate("Zagreb", 0.5, "HR"), candidate("Zagreb and Graz", 0.2)]
        (data,) = Page(render_map([entry(candidates=own)], title="Photos")).data("entries")
        assert [(each["name"], each["code"]) for each in data["candidates"]] == [
            ("Zagreb", "HR"),
            ("Zagreb and Graz", None),
        ]

    @pytest.mark.parametrize(("count", "text"), [(0, "0 photos"), (1, "1 photo"), (1200, "1,200 photos")])
    def test_counts_photos(self, count, text):
        assert Page(render_map([entry()] * count, title="Photos")).texts("p", id="count") == [text]

    def test_says_that_guesses_are_estimates(self):
        page = render_map([], title="Photos", note="Model demo.")
        assert "Estimates by lostfound, from pixels alone; not measurements." in page
        assert "Model demo." in page

    @pytest.mark.parametrize("place", [(91, 0), (0, 181), (math.nan, 0), (0, math.inf)])
    def test_refuses_places_off_the_earth(self, place):
        with pytest.raises(ValueError, match="off the Earth"):
            entry(latitude=place[0], longitude=place[1])
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


class TestLines:
    @given(points, points)
    def test_great_circle_is_the_shortest_way_in_small_steps(self, start, end):
        way = great_circle(start, end)
        direct = float(haversine_km(start, end))
        assert way[0] == start
        assert way[-1][0] == end[0]
        assert math.remainder(way[-1][1] - end[1], 360) == pytest.approx(0, abs=1e-9)
        assert all(abs(a[1] - b[1]) <= 180 + 1e-9 for a, b in pairwise(way))
        steps = [float(haversine_km(a, b)) for a, b in pairwise(way)]
        assert sum(steps) == pytest.approx(direct, rel=1e-4, abs=1e-3)
        if direct < 20_000:
            assert max(steps) <= 300 * 1.001

    def test_great_circle_runs_on_past_the_date_line(self):
        way = great_circle((-17.8, 178.0), (-13.8, -171.8))
        assert [longitude for _, longitude in way] == sorted(longitude for _, longitude in way)
        assert way[-1] == pytest.approx((-13.8, 188.2))

    def test_antipodes_are_joined(self):
        assert great_circle((0.0, 10.0), (0.0, -170.0)) == [(0.0, 10.0), (0.0, -170.0)]


@needs_browser
class TestInBrowser:
    def test_draws_map_and_cards(self, tmp_path):
        entries = [entry(f"{i}.jpg", latitude=i, longitude=3 * i, thumbnail=jpeg()) for i in range(40)]
        page = render(write_map(tmp_path / "map.html", entries, title="Photos"), tmp_path / "profile")
        assert len(page.with_class("card")) == 40
        countries = page.with_class("country")
        assert len(countries) == len(outlines()["features"])
        assert sum(len(has["d"]) > 20 for has, _ in countries) > 100
        assert any(tag == "canvas" for tag, *_ in page.elements)
        assert page.with_class("name")[0][1] == "0.jpg"
        assert page.with_class("thumb")[0][0]["src"].startswith("data:image/jpeg;base64,")
        assert 0 < len(page.with_class("bars")) < 40, "cards far from view are not built yet"

    def test_chosen_photo_shows_candidates_truth_and_distance(self, tmp_path):
        across = entry(
            latitude=-17.8, longitude=178.0, truth=(-13.8, -171.8), truth_name="Samoa",
            candidates=[candidate("Fiji", 0.7, "FJ"), candidate("New Zealand", 0.2, "NZ")],
        )  # fmt: skip
        path = write_map(tmp_path / "map.html", [entry(), across], title="Photos")
        page = render(path, tmp_path / "profile", "#photo-2")
        chosen = [has for has, _ in page.with_class("card") if has["aria-selected"] == "true"]
        assert [has["aria-label"] for has in chosen] == [
            "photo.jpg: Fiji 70%, New Zealand 20%, 1,178 km from the truth"
        ]
        assert len(page.with_class("shaded")) == 4, "two candidates, on both sides of the date line"
        on_map = [
            word
            for word in ("arc", "truth", "guess")
            for has, _ in page.with_class(word)
            if "leaflet-interactive" in has["class"]
        ]
        assert on_map == ["arc", "truth", "guess"]
        said = {text for *_, text in page.elements}
        assert {"Guess: Fiji 70%", "Truth: Samoa, 1,178 km off"} <= said

    def test_names_can_run_nothing(self, tmp_path):
        hostile = [
            entry(name, candidates=[candidate(name, 1.0, "HR")], truth=(1, 1), truth_name=name)
            for name in [ATTACK, *HOSTILE_NAMES]
        ]
        path = write_map(tmp_path / "map.html", hostile, title="Photos", note=ATTACK)
        page = render(path, tmp_path / "profile", "#photo-1")
        assert page.texts("title") == ["Photos"]
        assert not page.texts("img")
        assert page.with_class("name")[0][1] == ATTACK
        assert f"Guess: {ATTACK} 100%" in {text for *_, text in page.elements}

    def test_nothing_to_show(self, tmp_path):
        page = render(write_map(tmp_path / "map.html", [], title="Photos"), tmp_path / "profile")
        assert [has for _, has, _ in page.elements if has.get("id") == "empty" and "hidden" not in has]
        assert len(page.with_class("country")) == len(outlines()["features"])
