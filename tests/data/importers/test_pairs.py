import json

import pytest

from lostfound.data.importers import pairs


@pytest.fixture
def pair(tmp_path, write_picture):
    """`pair(content)` lists one image beside a JSON file of that content."""

    def read(content):
        write_picture(tmp_path / "round_1.jpg")
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "round_1.json").write_bytes(data)
        return pairs.read(tmp_path)

    return read


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"lat": 48.85, "lng": 2.35}, (48.85, 2.35, None)),
        ({"latitude": "48.85", "longitude": " 2.35 "}, (48.85, 2.35, None)),
        ({"coordinates": [48.85, 2.35]}, (48.85, 2.35, None)),
        ({"location": {"lat": 48.85, "lng": 2.35}, "score": 5}, (48.85, 2.35, None)),
        ({"country": " France "}, (None, None, "FR")),
        ({"countryCode": "FR", "lat": None, "lng": None}, (None, None, "FR")),
        ({"country_name": "France", "lat": 48.85, "lng": 2.35}, (48.85, 2.35, "FR")),
        ({"country": "null", "lat": 48.85, "lng": 2.35}, (48.85, 2.35, None)),
        ('{"country": "France", "lat": NaN, "lng": NaN}', (None, None, "FR")),
        (b'\xef\xbb\xbf{"country": "C\xc3\xb4te d\'Ivoire"}', (None, None, "CI")),
    ],
)
def test_the_place_is_read_from_the_json_file(pair, content, expected):
    (image,) = pair(content).images

    assert (image.latitude, image.longitude, image.country) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "no location: no coordinates"),
        ({"lat": 48.85}, "no location: only half of the coordinates"),
        ({"lat": 0, "lng": 0}, "no location: both coordinates are zero"),
        ({"lat": 148.85, "lng": 2.35}, "no location: coordinates out of range (148.85, 2.35)"),
        ({"lat": 48.85, "country": "France"}, "no location: only half of the coordinates"),
        ("not JSON", "its JSON file can't be read"),
        ([48.85, 2.35], "its JSON file can't be read"),
        ({"type": "LineString", "coordinates": [[2.35, 48.85], [2.4, 48.9]]}, "no location: no coordinates"),
        ("[" * 100_000, "its JSON file can't be read"),
        ("null", "its JSON file can't be read"),
        ({"lat": "north", "lng": 2.35}, "its JSON file can't be read"),
        ({"coordinates": [{}, []]}, "its JSON file can't be read"),
        (b"\xff\xfe\x00", "its JSON file can't be read"),
    ],
)
def test_a_pair_without_a_place_needs_one_in_the_file(pair, content, reason):
    (image,) = pair(content).images
    assert (image.latitude, image.longitude, image.missing) == (None, None, reason)


def test_an_image_without_a_json_file_needs_a_place_of_its_own(tmp_path, write_picture):
    write_picture(tmp_path / "1.jpg")

    assert [image.missing for image in pairs.read(tmp_path).images] == ["no JSON file beside it"]


def test_a_pair_whose_country_can_t_be_told_needs_a_place_in_the_file(pair):
    (image,) = pair({"country": "Congo"}).images
    assert image.country is None
    assert image.missing.startswith("country can't be told: 'Congo' (could be DR Congo (CD)")
