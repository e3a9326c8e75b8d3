"""The page of a partition: whole, harmless and really drawn."""

import base64
import hashlib
import re

import numpy as np
import pytest
import shapely
from html_page import ATTACK, Page, needs_browser

from lostfound.errors import LostFoundError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.shapes import area_km2
from lostfound.pages.partition import render_partition, write_partition_page
from lostfound.partitions import Partition

HOSTILE_NAMES = [
    ATTACK,
    "<!--<script>",
    "]]>&lt;b&gt;",
    "$title ${cells} %s {0}",
    "a\u2028b",
    "日本 🗺️",
    "\"quote'",
]


def cells(polygons, counts=None, ids=None, names=None):
    """A partition of the polygons (None: a cell without one)."""
    n = len(polygons)
    shapes = np.empty(n, dtype=object)
    shapes[:] = polygons
    middles = [
        (0.0, 10.0 * i) if shape is None else shape.centroid.coords[0][::-1] for i, shape in enumerate(shapes)
    ]
    return Partition(
        "polygons",
        tuple(ids or (f"c{i}" for i in range(n))),
        tuple(names or (f"Cell {i}" for i in range(n))),
        np.array(middles, dtype=float).reshape(n, 2),
        np.array([5 * (i + 1) for i in range(n)] if counts is None else counts, dtype=np.int64),
        (None,) * n,
        polygons=shapes,
    )


BOXES = [shapely.box(10, 40, 20, 50), shapely.box(20, 40, 30, 50)]


def page_of(partition, title="Cells", note=""):
    return Page(render_partition(partition, title=title, note=note))


class TestSelfContained:
    def test_nothing_in_it_names_another_file(self):
        page = page_of(cells(BOXES))
        loads = [
            has[key]
            for _, has, _ in page.elements
            for key in ("src", "href", "data", "action")
            if has.get(key)
        ]
        assert all(target.startswith("data:") for target in loads)
        styles = "".join(page.texts("style"))
        assert all(target.startswith(("data:", "#")) for target in re.findall(r"url\(['\"]?([^)]*)", styles))
        assert "@import" not in styles

    def test_policy_forbids_requests_and_all_scripts_and_styles_but_its_own(self):
        page = page_of(cells(BOXES))
        (policy,) = [
            has["content"]
            for _, has, _ in page.elements
            if has.get("http-equiv") == "Content-Security-Policy"
        ]
        rules = {name: values for name, *values in (rule.split() for rule in policy.split(";"))}
        scripts = [text for tag, has, text in page.elements if tag == "script" and "type" not in has]
        for rule, texts in (("script-src", scripts), ("style-src", page.texts("style"))):
            hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
            assert rules[rule] == [f"'sha256-{each}'" for each in hashes]
        assert rules["default-src"] == ["'none'"]

    def test_holds_the_licence_of_what_it_holds(self):
        text = render_partition(cells(BOXES), title="Cells")
        assert "Redistributions in binary form must reproduce the above copyright" in text
        assert "Natural Earth" in text


class TestContent:
    def test_cells_are_there_with_id_name_count_and_shape(self):
        first, second = page_of(cells(BOXES, counts=[7, 0])).data("cells")
        assert (first["id"], first["name"], first["count"], first["at"]) == ("c0", "Cell 0", 7, [45, 15])
        assert second["count"] == 0
        ((ring,),) = first["shape"]
        assert shapely.Polygon(ring).equals(BOXES[0]), "longitude first, latitude second"

    def test_a_cell_without_polygon_has_no_shape(self):
        (cell,) = page_of(cells([None])).data("cells")
        assert cell["shape"] is None

    @pytest.mark.parametrize(
        ("counts", "says"),
        [([1, 0], "2 cells, 1 image, 1 without"), ([900, 400], "2 cells, 1,300 images")],
    )
    def test_counts_cells_and_images(self, counts, says):
        assert page_of(cells(BOXES, counts)).texts("p", id="count") == [says]

    def test_large_shapes_lose_detail_that_nobody_sees(self):
        codes = ["HR", "RU", "FJ", "LU"]
        shapes = [Boundaries.packed().geometry(code) for code in codes]
        drawn = page_of(cells(shapes)).data("cells")
        made = [
            shapely.MultiPolygon([shapely.Polygon(part[0], part[1:]) for part in cell["shape"]])
            for cell in drawn
        ]
        assert area_km2(made) == pytest.approx(area_km2(shapes), rel=0.02)
        assert shapely.get_num_coordinates(made[1]) < 0.7 * shapely.get_num_coordinates(shapes[1])

    def test_small_shapes_keep_their_corners(self):
        small = shapely.box(0.1140, 52.2015, 0.1145, 52.2018)
        (cell,) = page_of(cells([small])).data("cells")
        assert shapely.Polygon(cell["shape"][0][0]).hausdorff_distance(small) < 1e-6


class TestEscaping:
    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_stay_data(self, name):
        page = page_of(cells(BOXES, ids=[name, "b"], names=[name, "B"]), title=name, note=name)
        cell, _ = page.data("cells")
        assert (cell["id"], cell["name"]) == (name, name)
        assert page.texts("title") == page.texts("h1") == [name]
        assert [tag for tag, *_ in page.elements] == [tag for tag, *_ in page_of(cells(BOXES)).elements]


class TestWriting:
    def test_failing_says_where_and_leaves_nothing(self, tmp_path):
        (tmp_path / "cells.html").mkdir()
        with pytest.raises(LostFoundError, match=r"cells\.html"):
            write_partition_page(tmp_path / "cells.html", cells(BOXES), title="Cells")
        assert [each.name for each in tmp_path.iterdir()] == ["cells.html"]


@needs_browser
class TestInBrowser:
    @staticmethod
    def tooltip(page):
        """What the open tooltip says, line by line."""
        at = next(
            i
            for i, (_, has, _) in enumerate(page.elements)
            if "leaflet-tooltip" in has.get("class", "").split()
        )
        return [text for _, _, text in page.elements[at + 1 : at + 5] if text]

    def test_draws_cells_and_countries(self, tmp_path, render):
        path = write_partition_page(
            tmp_path / "cells.html", cells([*BOXES, None], [3, 0, 1200]), title="Cells"
        )
        page = render(path)
        assert any(tag == "canvas" for tag, *_ in page.elements)
        countries = [has for _, has, _ in page.elements if "country" in has.get("class", "").split()]
        assert sum(len(has["d"]) > 20 for has in countries) > 100
        assert (page.texts("span", id="least"), page.texts("span", id="most")) == (["3"], ["1,200"])
        assert [has for _, has, _ in page.elements if has.get("id") == "empties" and "hidden" not in has]
        assert [has["value"] for tag, has, _ in page.elements if tag == "option"] == [
            "Cell 0",
            "Cell 1",
            "Cell 2",
        ]

    @pytest.mark.parametrize(
        ("fragment", "says"),
        [
            ("#cell-c1", ["Cell 1", "c1", "1,200 images"]),
            ("#cell-a%20%2F%C3%A9", ["Not c", "a /é", "1 image"]),
        ],
    )
    @pytest.mark.slow
    def test_a_cell_tells_name_id_and_count(self, tmp_path, render, fragment, says):
        chosen = cells(BOXES, [1, 1200], ids=["a /é", "c1"], names=["Not c", "Cell 1"])
        path = write_partition_page(tmp_path / "cells.html", chosen, title="Cells")
        assert self.tooltip(render(path, fragment)) == says

    def test_names_can_run_nothing(self, tmp_path, render):
        hostile = cells(BOXES, ids=[ATTACK, "b"], names=[ATTACK, ATTACK])
        path = write_partition_page(tmp_path / "cells.html", hostile, title="Cells", note=ATTACK)
        page = render(path, "#cell-b")
        assert page.texts("title") == ["Cells"]
        assert not page.texts("img")
        assert self.tooltip(page)[0] == ATTACK

    def test_cells_over_the_poles_and_the_whole_map(self, tmp_path, render):
        wide = cells([shapely.box(-180, 60, 180, 90), shapely.box(-180, -90, 180, -60)])
        page = render(write_partition_page(tmp_path / "c.html", wide, title="Cells"))
        assert any(tag == "canvas" for tag, *_ in page.elements)
        assert page.texts("span", id="most") == ["10"]
