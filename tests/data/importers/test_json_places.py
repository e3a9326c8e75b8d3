import pytest

from lostfound.data.importers.json_places import coordinates, country

PARIS = (48.8, 2.3)
POINT = {"type": "Point", "coordinates": [2.3, 48.8]}


@pytest.mark.parametrize(
    "content",
    [
        POINT,
        {"type": "Point", "coordinates": [2.3, 48.8, 35.0]},
        {"type": "MultiPoint", "coordinates": [[2.3, 48.8]]},
        {"id": 0, "location": POINT},
        {"geometry": POINT},
        {"type": "Feature", "geometry": POINT, "properties": {"country": "France"}},
        {"type": "Feature", "geometry": None, "properties": {"lat": 48.8, "lon": 2.3}},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": POINT}]},
        {"lngLat": [2.3, 48.8]},
    ],
)
def test_geojson_is_longitude_first(content):
    assert coordinates(content) == PARIS


@pytest.mark.parametrize(
    "content",
    [
        {"coordinates": [48.8, 2.3]},
        {"location": {"coordinates": [48.8, 2.3]}},
        {"type": "street", "gps": [48.8, 2.3]},
        {"Latitude": "48.8", "Longitude": "2.3"},
    ],
)
def test_a_bare_pair_is_latitude_first(content):
    assert coordinates(content) == PARIS


@pytest.mark.parametrize(
    "content",
    [
        {"geoData": {"latitude": 48.8, "longitude": 2.3}, "geoDataExif": {"latitude": 1, "longitude": 1}},
        {"geoData": {"latitude": 0.0, "longitude": 0.0}, "geoDataExif": {"latitude": 48.8, "longitude": 2.3}},
        [{"SourceFile": "a.jpg", "GPSLatitude": 48.8, "GPSLongitude": 2.3}],
        {"GPSLatitude": "48 deg 48' 0.00\" N", "GPSLongitude": "2 deg 18' 0.00\" E"},
        {"GPSLatitude": 48.8, "GPSLongitude": 2.3, "GPSLatitudeRef": "North", "GPSLongitudeRef": "East"},
    ],
)
def test_takeout_s_and_exiftool_s_forms(content):
    assert coordinates(content) == pytest.approx(PARIS)


def test_an_unsigned_value_takes_the_direction_beside_it():
    content = {"GPSLatitude": 33.8, "GPSLongitude": 151.2, "GPSLatitudeRef": "S", "GPSLongitudeRef": "E"}
    assert coordinates(content) == (-33.8, 151.2)


@pytest.mark.parametrize(
    "content", [{}, {"type": "Polygon", "coordinates": [[[2, 48], [3, 48], [3, 49]]]}, {"location": "Paris"}]
)
def test_no_place_is_none(content):
    assert coordinates(content) == (None, None)


def test_a_place_that_can_not_be_is_given_where_no_other_is():
    assert coordinates({"lat": 0, "lng": 0}) == (0, 0)


@pytest.mark.parametrize("content", [{"countryName": " France "}, {"properties": {"country": "France"}}])
def test_a_country_is_named(content):
    assert country(content) == "France"
