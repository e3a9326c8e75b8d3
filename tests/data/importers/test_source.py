import math

import pytest

from lostfound.data.importers.source import image_files, location_problem

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


def test_image_files_are_listed_sorted_by_folder_without_hidden_ones(tmp_path, write_picture):
    for name in ("b.JPG", "a.png", "sub/c.webp", "._d.jpg", ".hidden/e.jpg"):
        write_picture(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").write_text("")

    assert [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)] == [
        "a.png",
        "b.JPG",
        "sub/c.webp",
    ]
