"""Our names and codes of countries beside pycountry's tables, which the package itself does without."""

import pycountry
import pytest

from lostfound.geo.iso_names import WITHDRAWN_CODES, former_names
from lostfound.geo.names import KOSOVO, cldr_names, listed_codes, name_index, name_key, unordered_key

FORMER = {former.name: former for former in pycountry.historic_countries}
NAMES = [
    (country.alpha_2, getattr(country, field))
    for country in pycountry.countries
    for field in ("name", "common_name", "official_name")
    if hasattr(country, field)
]


def test_the_countries_are_those_of_iso_3166():
    assert listed_codes() == {country.alpha_2 for country in pycountry.countries} | {KOSOVO}


def test_every_code_of_iso_3166_is_known():
    codes = name_index().codes
    for country in pycountry.countries:
        assert codes[country.alpha_2] == codes[country.alpha_3] == country.alpha_2


@pytest.mark.parametrize(("code", "name"), NAMES)
def test_every_name_of_iso_3166_is_known(code: str, name: str):
    assert code in name_index().english[name_key(name)]
    assert code in name_index().reordered[unordered_key(name)]


def test_a_name_that_is_two_countries_without_what_follows_the_comma_is_both():
    assert name_index().english["korea"] == {"KP", "KR"}
    assert name_index().english["congo"] == {"CD", "CG"}


def test_withdrawn_codes_are_no_country_s_and_were_one():
    assert not WITHDRAWN_CODES & name_index().codes.keys()
    assert {
        code for former in FORMER.values() for code in (former.alpha_2, former.alpha_3)
    } >= WITHDRAWN_CODES


def test_former_countries_have_the_successors_that_cldr_gives():
    ours: dict[str, set[str]] = {}
    for name, code in former_names():
        ours.setdefault(name, set()).add(code)
    assert ours.keys() <= FORMER.keys()
    aliases = cldr_names().aliases
    for name, former in FORMER.items():
        successors = aliases.get(getattr(former, "numeric", "")) or aliases.get(former.alpha_2) or []
        # HH marks a country that was divided: one successor alone would be wrong.
        listed = [] if former.alpha_4.endswith("HH") and len(successors) < 2 else successors
        assert ours.get(name, set()) == set(listed), name
