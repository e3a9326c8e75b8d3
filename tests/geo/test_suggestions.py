"""Countries that are offered while one types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.geo.countries import country_codes, country_name
from lostfound.geo.suggestions import suggest_countries


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("fra", "FR"),
        ("FRANCE", "FR"),
        ("us", "US"),
        ("uk", "GB"),
        ("allem", "DE"),
        ("deutsch", "DE"),
        ("日本", "JP"),
        ("korea", "KP"),
        ("cote d", "CI"),
        ("ivory", "CI"),
        ("holland", "NL"),
        ("switserland", "CH"),
        ("paris", "FR"),
        ("new z", "NZ"),
    ],
)
def test_what_is_meant_comes_first(text: str, first: str) -> None:
    assert suggest_countries(text)[0].code == first


def test_a_word_within_a_name_comes_after_its_beginning() -> None:
    names = [each.name for each in suggest_countries("guinea")]
    assert names == ["Guinea", "Guinea-Bissau", "Equatorial Guinea", "Papua New Guinea"]


def test_what_is_merely_alike_says_so() -> None:
    assert [each.sure for each in suggest_countries("switserland")] == [False]
    assert suggest_countries("xqzw") == suggest_countries(" ") == suggest_countries("") == []


def test_every_country_is_found_by_its_own_name() -> None:
    for code in country_codes():
        assert suggest_countries(country_name(code))[0].code == code


@given(st.text(max_size=30))
def test_whatever_is_typed(text: str) -> None:
    found = suggest_countries(text, most=5)
    assert len(found) <= 5
    assert len({each.code for each in found}) == len(found)
