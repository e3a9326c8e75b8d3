"""Texts of strangers, made harmless where people look at them."""

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.texts import csv_text, json_text, shown, shown_name

HARMFUL = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u202e", "\u2066"} - {"\n", "\t"}


@given(st.text() | st.text(st.sampled_from(sorted(HARMFUL))))
def test_no_terminal_gets_a_command(text):
    assert not HARMFUL & set(shown(text))
    assert not (HARMFUL | {"\n", "\t"}) & set(shown_name(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred.jpg", r"\x1b[31mred.jpg"),
        ("a\rb\x07\x08\x7f", r"a\rb\x07\x08\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Ærø – 東京.jpg", "Ærø – 東京.jpg"),
    ],
)
def test_what_is_harmful_is_written_out_and_the_rest_stays(text, expected):
    assert shown(text) == expected


def test_a_name_stays_on_its_line():
    assert shown_name("a\nb\tc") == r"a\nb\tc"


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "- 1"]
)
def test_a_spreadsheet_computes_no_cell(cell):
    assert rows_of(csv_text([["a", cell]])) == [["a", f"'{cell}"]]
    assert rows_of(csv_text([["a", cell]], raw=True)) == [["a", cell]]


@pytest.mark.parametrize("cell", ["-33.868800", "+1", "-1e5", "a=b", "", "'=1", " =1"])
def test_numbers_and_other_texts_stay(cell):
    assert rows_of(csv_text([["a", cell]])) == [["a", cell]]


def test_numbers_and_nothing_are_written_plainly():
    assert csv_text([["x", "y"], [-1.5, None], [2, "a,b"]]) == 'x,y\n-1.5,\n2,"a,b"\n'


@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=3), max_size=4)
)
def test_csv_reads_back_whatever_cells_hold(rows):
    assert rows_of(csv_text(rows, raw=True)) == rows
    assert all(line.count("\r") == 0 for line in csv_text([["a\rb"]]).split('"')[::2])


def test_json_has_no_bare_nan_and_no_harmful_character():
    values = {"a": [math.nan, 1.5, (math.inf,)], "b": "\x7f\x9b\x1b\u202eé", "c": {"d": -math.inf}}
    text = json_text(values)

    assert not HARMFUL & set(text)
    assert json.loads(text) == {"a": [None, 1.5, [None]], "b": values["b"], "c": {"d": None}}
