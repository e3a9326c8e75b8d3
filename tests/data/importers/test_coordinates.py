import pytest

from lostfound.data.importers import coordinates


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("48.8584,2.2945.jpg", (48.8584, 2.2945)),
        ("-12.5,-77.03.png", (-12.5, -77.03)),
        ("48.8584, 2.2945.jpg", (48.8584, 2.2945)),
        ("48.8584,2.2945_1.jpg", (48.8584, 2.2945)),
        ("48.8584,2.2945 (2).jpg", (48.8584, 2.2945)),
        ("48.8584,2.2945,90.jpg", (48.8584, 2.2945)),
        ("48,2.jpg", (48, 2)),
        ("0,36.8.jpg", (0, 36.8)),
    ],
)
def test_the_place_is_the_name(tmp_path, write_picture, name, point):
    write_picture(tmp_path / name)

    (image,) = coordinates.read(tmp_path).images

    assert (image.latitude, image.longitude) == point


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("photo.jpg", "no location: the name is not <lat>,<lon>"),
        ("48.85.jpg", "no location: the name is not <lat>,<lon>"),
        ("48.85,2.35b.jpg", "no location: the name is not <lat>,<lon>"),
        ("95.5,2.35.jpg", "no location: coordinates out of range (95.5, 2.35)"),
        ("0.0,0.0.jpg", "no location: both coordinates are zero"),
    ],
)
def test_a_name_that_is_no_place_needs_one_in_the_file(tmp_path, write_picture, name, reason):
    write_picture(tmp_path / name)

    (image,) = coordinates.read(tmp_path).images
    assert (image.original, image.latitude, image.missing) == (name, None, reason)


def test_files_of_one_coordinate_are_views_of_one_place(tmp_path, write_picture):
    for number, name in enumerate(["48.85,2.35_0.jpg", "48.85,2.35_90.jpg", "48.85,2.36.jpg"]):
        write_picture(tmp_path / name, number)

    assert [image.place for image in coordinates.read(tmp_path).images] == [
        "48.85,2.35",
        "48.85,2.35",
        "48.85,2.36",
    ]
