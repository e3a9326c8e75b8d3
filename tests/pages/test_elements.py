import pytest
from html_page import ATTACK, Page

from lostfound.pages.elements import Cell, element, html, table


def test_texts_and_attributes_are_escaped():
    page = Page(html(element("p", ATTACK, element("b", "bold"), " after", title=ATTACK)))
    assert [tag for tag, *_ in page.elements] == ["p", "b"]
    assert page.elements[0][1]["title"] == ATTACK
    assert page.elements[0][2] == f"{ATTACK} after"


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"class_": "a", "aria_label": "b"}, {"class": "a", "aria-label": "b"}),
        ({"x": 1.5, "y": 2.0, "z": 3}, {"x": "1.5", "y": "2", "z": "3"}),
        ({"hidden": True, "open": False, "id": None}, {"hidden": ""}),
    ],
)
def test_attributes(attributes, found):
    assert Page(html(element("p", "", **attributes))).elements[0][1] == found


def test_nothing_is_left_out():
    assert html(element("p", "a", None, "b")) == "<p>ab</p>"


def test_a_table_says_what_it_is_sorted_by():
    page = Page(html(table(["who", "#how much"], [("a", Cell("1.5 %", 0.015))], caption="All", sorts=True)))
    assert page.texts("caption") == ["All"]
    assert page.texts("button") == ["who", "how much"]
    assert page.texts("th", scope="row") == ["a"]
    ((cell, text),) = [(has, text) for tag, has, text in page.elements if tag == "td"]
    assert (cell["data-value"], cell["class"], text) == ("0.015", "number", "1.5 %")
