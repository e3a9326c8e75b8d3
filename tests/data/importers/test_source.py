import math

import pytest

from lostfound.data.importers.source import (
    image_files,
    location_problem,
    parse_number,
    parse_text,
    resolve_countries,
)
from lostfound.errors import CountryNameError

NAN = math.nan


@pytest.mark.parametrize(
    ("latitude", "longitude", "problem"),
    [
        (48.8, 2.3, None),
        (0.0, 36.8, None),  # the equator is a place
        (51.5, 0.0, None),  # so is the meridian
        (-90.0, 0.0, None),
        (10.0, 180.0, None),
        (None, None, "no location: no coordinates"),
        (48.8, None, "no location: only half of the coordinates"),
        (None, 2.3, "no location: only half of the coordinates"),
        (NAN, 2.3, "no location: coordinates are not a number"),
        (0.0, 0.0, "no location: both coordinates are zero"),
        (90.5, 2.3, "no location: coordinates out of range (90.5, 2.3)"),
        (48.8, -180.5, "no location: coordinates out of range (48.8, -180.5)"),
        (math.inf, 0.0, "no location: coordinates out of range (inf, 0.0)"),
    ],
)
def test_why_coordinates_are_no_location(latitude, longitude, problem):
    assert location_problem(latitude, longitude) == problem


@pytest.mark.parametrize("cell", [None, "", "  ", "NaN", "nan", "null", "NULL", "None", " N/A ", "<NA>", NAN])
def test_what_programs_write_for_nothing_is_nothing(cell):
    assert parse_text(cell) is None
    assert parse_number(cell) is None


@pytest.mark.parametrize(
    ("cell", "number"), [(" 48.8 ", 48.8), ("-1e-5", -1e-5), (7, 7.0), ("NA", None), (2.5, 2.5)]
)
def test_numbers_are_read_with_spaces_around_them(cell, number):
    assert parse_number(cell) == number


@pytest.mark.parametrize("cell", ["48,8", "N 48.8", True, [1], "48°"])
def test_what_is_no_number_is_an_error(cell):
    with pytest.raises(ValueError, match="could not convert"):
        parse_number(cell)


def test_na_as_a_text_is_namibia():
    assert resolve_countries([parse_text(" NA ")], "table.csv") == {"NA": "NA"}


def test_every_name_that_can_t_be_told_is_listed_with_its_candidates():
    with pytest.raises(CountryNameError) as error:
        resolve_countries(["France", "Congo", "Xyzzyland", "Korea"], "photos")

    message = str(error.value)
    assert message.startswith("photos: 3 name(s) can't be told to be one country; rename them")
    assert "'Congo': could be DR Congo (CD), Republic of the Congo (CG)" in message
    assert "South Korea (KR)" in message
    assert "North Korea (KP)" in message
    assert "'Xyzzyland': like no country known" in message
    assert "France" not in message


def test_image_files_are_listed_sorted_by_folder_without_hidden_ones(tmp_path, write_picture):
    for name in ("b.JPG", "a.png", "sub/c.webp", "._d.jpg", ".hidden/e.jpg"):
        write_picture(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").write_text("")

    assert [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)] == [
        "a.png",
        "b.JPG",
        "sub/c.webp",
    ]
