import re

import pytest
from html_page import ATTACK, Page
from hypothesis import given
from hypothesis import strategies as st

from lostfound.pages.charts import Axis, Line, bar, legend, line_chart, matrix_chart, percent_axis
from lostfound.pages.elements import html

SHARE = percent_axis("share (%)")
KM = Axis("km", 1.0, 10_000.0, [(1, "1"), (100, "100")], log=True)


def drawn(*lines):
    return Page(html(line_chart(KM, SHARE, lines, says="What is there")))


def test_a_logarithmic_axis_has_equal_steps_for_equal_factors():
    assert [KM.share(each) for each in (1, 100, 10_000)] == pytest.approx([0, 0.5, 1])
    assert KM.share(0.001) == 0, "what is below the axis stands at its end"


@pytest.mark.parametrize(("highest", "end"), [(0.03, 0.05), (0.2, 0.2), (0.61, 0.8), (1.0, 1.0)])
def test_an_axis_of_shares_ends_at_a_round_number(highest, end):
    axis = percent_axis("wrong (%)", highest)
    assert axis.high == end
    assert axis.ticks[-1] == (end, f"{100 * end:g}")


@given(st.lists(st.tuples(st.floats(0.001, 1e6), st.floats(0, 1)), min_size=2, max_size=9))
def test_lines_stay_within_the_chart(points):
    page = drawn(Line("a", points))
    (has,) = [has for _, has, _ in page.elements if has.get("class") == "line c0"]
    numbers = [float(each) for each in re.findall(r"[\d.]+", has["d"])]
    assert all(44 <= each <= 350 for each in numbers[::2])
    assert all(10 <= each <= 208 for each in numbers[1::2])


def test_a_chart_says_in_words_what_it_shows():
    page = drawn(Line("a", [(1, 0), (10, 1)], dots=True), Line("", [(1, 0), (10, 1)]))
    assert page.elements[0][1]["aria-label"] == "What is there"
    assert len(page.with_class("dot")) == 2
    assert len(page.with_class("help")) == 1


def test_names_are_texts():
    assert [text for *_, text in Page(html(legend([ATTACK]))).elements if text] == [ATTACK]


def test_a_matrix_has_a_cell_for_each_share_and_a_line_between_groups():
    page = Page(html(matrix_chart(["A", "B"], [1, 1], [(0, 0, 1.0, "all"), (1, 0, 0.5, "half")], says="m")))
    assert page.texts("title") == ["all", "half"]
    assert [has["class"] for tag, has, _ in page.elements if tag == "rect"] == ["right", "wrong"]
    assert len(page.with_class("edge")) == 6


def test_a_bar_has_its_parts_side_by_side():
    page = Page(html(bar([(0.25, "right", "a"), (0.5, "w0", "b")])))
    parts = [has for tag, has, _ in page.elements if tag == "rect"]
    assert [(has["x"], has["width"]) for has in parts] == [("0.00%", "25.00%"), ("25.00%", "50.00%")]
