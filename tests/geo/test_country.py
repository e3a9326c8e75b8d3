import os
from pathlib import Path

import pytest

from lostfound.errors import CountryNameError
from lostfound.geo.countries import country_codes, parse_country
from lostfound.geo.country import CONTINENTS, countries, countries_of, country

DATA = Path(os.environ.get("LOSTFOUND_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.parametrize(
    ("code", "alpha3", "numeric", "continent"),
    [
        ("FR", "FRA", "250", "EU"),
        ("AF", "AFG", "004", "AS"),
        ("TR", "TUR", "792", "AS"),
        ("XK", "XKX", None, "EU"),
        ("AQ", "ATA", "010", "AN"),
        ("GF", "GUF", "254", "SA"),
        ("GL", "GRL", "304", "NA"),
        ("EG", "EGY", "818", "AF"),
        ("FJ", "FJI", "242", "OC"),
    ],
)
def test_codes_and_continent(code, alpha3, numeric, continent):
    found = country(code)
    assert (found.code, found.alpha3, found.numeric, found.continent) == (code, alpha3, numeric, continent)
    assert found.continent_name == CONTINENTS[continent]


def test_names():
    swiss = country("CH")
    assert swiss.name == "Switzerland"
    assert swiss.official_name == "Swiss Confederation"
    assert {"Schweiz", "Suisse", "Svizzera"} <= set(swiss.local_names)
    assert country("XK").official_name == "Republic of Kosovo"
    assert country("AQ").local_names == ()


def test_all_countries_are_complete():
    listed = countries()
    assert tuple(one.code for one in listed) == country_codes()
    assert len({one.alpha3 for one in listed}) == len({one.numeric for one in listed}) == len(listed)
    assert all(len(one.numeric or "000") == 3 for one in listed)


@pytest.mark.parametrize("code", country_codes())
def test_alpha3_and_formal_name_lead_back(code):
    assert parse_country(country(code).alpha3) == code
    assert parse_country(country(code).official_name) == code


def test_continents_divide_the_countries():
    listed = [code for continent in CONTINENTS for code in countries_of(continent)]
    assert sorted(listed) == list(country_codes())


def test_wrong_codes_are_told():
    with pytest.raises(CountryNameError, match='"ZZ" is no country code'):
        country("ZZ")
    with pytest.raises(CountryNameError, match="EU \\(Europe\\)"):
        countries_of("Europe")


@pytest.mark.data
def test_agrees_with_geonames():
    path = DATA / "boundaries" / "geonames_countryInfo.tsv"
    if not path.is_file():
        pytest.skip(f"no table at {path}: set LOSTFOUND_TEST_DATA to the folder that holds it")
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    rows = {line[0]: line for line in lines if len(line) > 8}
    assert len(rows.keys() & set(country_codes())) == 250
    for code in country_codes():
        found, row = country(code), rows[code]
        assert (found.alpha3, found.continent) == (row[1], row[8])
        assert found.numeric in (row[2].zfill(3), None)
