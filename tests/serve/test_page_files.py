"""The page's files: nothing but they are served, and the base map has what it should."""

from __future__ import annotations

import json
import re

import pytest
import shapely
from shapely.geometry import shape

from lostfound.serve.page import content_security_policy, page_file, page_files


def test_all_that_the_files_ask_for_is_there() -> None:
    texts = [
        page_file(name).body.decode() for name in page_files() if name.endswith((".html", ".js", ".css"))
    ]
    asked = {name for text in texts for name in re.findall(r"/static/([\w.-]+)", text)}
    asked |= {name for text in texts for name in re.findall(r'from "\./([\w.-]+)"', text)}
    assert len(asked) > 15
    assert asked <= page_files()


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    page = page_file("index.html").body.decode()
    assert re.findall(r"<script(?![^>]*src=)", page) == []
    assert re.findall(r"<style| style=| on\w+=", page) == []
    assert re.findall(r"(?:src|href)=\"(?!/static/)", page) == []


@pytest.mark.parametrize(
    "name", ["", "..", "../files.py", "files.py", "/etc/passwd", "static/app.js", "__init__.py"]
)
def test_other_files_are_not_served(name: str) -> None:
    with pytest.raises(KeyError):
        page_file(name)


@pytest.mark.slow
def test_types_and_hashes() -> None:
    assert page_file("app.js").media_type.startswith("text/javascript")
    assert page_file("world.json").media_type == "application/json"
    assert page_file("index.html").media_type == "text/html; charset=utf-8"
    assert len({page_file(name).etag for name in page_files()}) == len(page_files())


@pytest.mark.parametrize(("name", "least"), [("world.json", 170), ("borders.json", 235)])
@pytest.mark.slow
def test_names_stand_inside_their_countries(name: str, least: int) -> None:
    world = json.loads(page_file(name).body)
    shapes = {each["properties"]["name"]: shape(each["geometry"]) for each in world["shapes"]["features"]}
    assert len(shapes) >= least
    assert len(world["labels"]) == len(shapes)
    for label, latitude, longitude, width in world["labels"]:
        assert width > 0
        assert shapely.distance(shapes[label], shapely.Point(longitude, latitude)) < 0.02, label
    assert world["labels"][0][0] == "Russia"


def test_large_cities_come_first() -> None:
    cities = json.loads(page_file("cities.json").body)
    people = [row[3] for row in cities]
    assert people == sorted(people, reverse=True)
    assert len(cities) > 3000
    assert {"Tokyo", "São Paulo"} & {row[0] for row in cities[:40]}


def test_the_policy_lets_tiles_in_only_by_name() -> None:
    own = content_security_policy()
    assert "script-src 'self';" in own
    assert "unsafe" not in own
    assert "http" not in own
    tiles = content_security_policy("https://{s}.tiles.example/{z}/{x}/{y}.png")
    assert "img-src 'self' blob: data: https://*.tiles.example;" in tiles
