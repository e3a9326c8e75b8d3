import pytest

from lostfound.geo.cities import largest_city, similar_city


@pytest.mark.parametrize(
    ("name", "country", "found"),
    [
        ("Zagreb", None, ("Zagreb", "HR")),
        ("sao paulo", None, ("São Paulo", "BR")),
        ("Paris", None, ("Paris", "FR")),
        ("paris", "US", ("Paris", "US")),
        ("Paris", "JP", None),
        ("Nowhere at all", None, None),
    ],
)
def test_the_city_of_a_name_with_the_most_people(name, country, found):
    city = largest_city(name, country)
    assert (city and (city.name, city.country)) == found


def test_a_city_has_its_place():
    city = largest_city("Zagreb")
    assert (city.latitude, city.longitude) == pytest.approx((45.81, 15.98), abs=0.01)


def test_a_misspelt_city_has_a_neighbour():
    assert similar_city("Zagreeb") == "Zagreb"
    assert similar_city("xqzvkjw") is None
