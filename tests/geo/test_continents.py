import pytest

from lostfound.geo.continents import CONTINENTS, continent
from lostfound.geo.names import listed_codes


@pytest.mark.parametrize(
    ("country", "code"),
    [
        ("HR", "EU"), ("XK", "EU"), ("RU", "EU"), ("CY", "EU"), ("TR", "AS"), ("EG", "AF"), ("GL", "NA"),
        ("PA", "NA"), ("CO", "SA"), ("NA", "AF"), ("FJ", "OC"), ("AQ", "AN"), ("UK", None), (None, None),
    ],
)  # fmt: skip
def test_the_continent_of_a_country(country, code):
    assert continent(country) == code


def test_every_country_has_one_and_every_continent_a_country():
    assert {continent(code) for code in listed_codes()} == set(CONTINENTS)
