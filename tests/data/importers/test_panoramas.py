import json
import unicodedata
from collections import Counter

import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.importers import panoramas
from lostfound.data.importers.importing import import_images
from lostfound.errors import UsageError
from lostfound.geo.boundaries import label_countries


def metadata(folder, samples):
    (folder / "metadata.json").write_text(json.dumps({"samples": samples}))


def test_the_place_is_read_from_the_name(tmp_path, write_strip):
    write_strip(tmp_path / "panorama_-12.5_77.03_a_b-c.jpg")
    write_strip(tmp_path / "sub" / "48.85_2.35_d.jpg")

    listing = panoramas.read(tmp_path)

    assert [(image.place, image.latitude, image.longitude, image.strip) for image in listing.images] == [
        ("a_b-c", -12.5, 77.03, True),
        ("d", 48.85, 2.35, True),
    ]


def test_the_place_is_read_from_metadata(tmp_path, write_strip):
    write_strip(tmp_path / "images" / "abc.jpg")
    write_strip(tmp_path / "images" / "lost.jpg")
    metadata(tmp_path, [{"pano_id": "abc", "coordinates": [48.85, 2.35], "prompt": "x"}])

    listing = panoramas.read(tmp_path)

    assert [(image.place, image.latitude, image.longitude) for image in listing.images] == [
        ("abc", 48.85, 2.35),
        ("lost", None, None),
    ]
    missing = "no location: neither in the file's name nor in metadata.json"
    assert [image.missing for image in listing.images] == [None, missing]


@pytest.mark.parametrize(
    ("coordinates", "reason"),
    [
        ([None, None], "no location: no coordinates"),
        ([48.5, None], "no location: only half of the coordinates"),
        ([0, 0], "no location: both coordinates are zero"),
        ({"type": "Point", "coordinates": [2, 91]}, "no location: coordinates out of range (91.0, 2.0)"),
        ([91, 2], "no location: coordinates out of range (91.0, 2.0)"),
    ],
)
def test_a_panorama_without_a_location_is_named(tmp_path, write_strip, coordinates, reason):
    write_strip(tmp_path / "abc.jpg")
    metadata(tmp_path, [{"pano_id": "abc", "coordinates": coordinates}])

    (image,) = panoramas.read(tmp_path).images
    assert (image.latitude, image.longitude, image.missing) == (None, None, reason)


def test_a_metadata_json_of_another_form_says_what_it_needs(tmp_path, write_strip):
    write_strip(tmp_path / "abc.jpg")
    (tmp_path / "metadata.json").write_text('{"samples": [{"id": 1}]}')

    with pytest.raises(UsageError, match="is not a list of panoramas"):
        panoramas.read(tmp_path)


def test_a_strip_becomes_one_place_with_its_views_and_headings(tmp_path, write_strip):
    write_strip(tmp_path / "source" / "panorama_48.85_2.35_four.jpg", 1)
    write_strip(tmp_path / "source" / "panorama_40.5_-3.7_three.jpg", 2, views=3)

    dataset = import_images([tmp_path / "source"], tmp_path / "data", jobs=1).dataset

    rows = dataset.records.to_pylist()
    assert [(row["place_id"], row["heading"]) for row in rows] == [
        ("source/three", 0),
        ("source/three", 120),
        ("source/three", 240),
        ("source/four", 0),
        ("source/four", 90),
        ("source/four", 180),
        ("source/four", 270),
    ]
    assert [row["country"] for row in rows] == ["ES"] * 3 + ["FR"] * 4
    assert len({row["image_id"] for row in rows}) == 7
    assert {(row["width"], row["height"]) for row in rows} == {(40, 40)}


def test_a_file_that_is_no_strip_is_skipped_and_named(tmp_path, write_strip, write_picture):
    write_strip(tmp_path / "source" / "panorama_48.85_2.35_a.jpg")
    write_picture(tmp_path / "source" / "panorama_48.85_2.36_b.jpg", 1, 100, 40)

    summary = import_images([tmp_path / "source"], tmp_path / "data", jobs=1)

    assert summary.imported == 4
    ((path, reason),) = summary.skipped
    assert path == "source/panorama_48.85_2.36_b.jpg"
    assert "a strip of 100x40 pixels is not a row of square views" in reason


@pytest.mark.data
def test_the_real_panoramas_are_1374_places(real_data):
    images = panoramas.read(real_data / "street-panoramas").images

    assert len(images) == len({image.place for image in images}) == 1374
    assert all(image.strip for image in images)
    places = [(image.latitude, image.longitude) for image in images]
    countries = Counter(label_countries(places, None))
    for code, number in {"US": 511, "AU": 150, "CA": 144, "RU": 129}.items():
        assert countries[code] == pytest.approx(number, abs=8)  # counted with coarser borders
    assert len(countries) == pytest.approx(53, abs=2)


@pytest.mark.slow
@pytest.mark.data
def test_every_fifth_real_panorama_is_imported_with_four_headings(real_panoramas):
    records = Dataset.open(real_panoramas).records
    headings = Counter(zip(records["place_id"].to_pylist(), records["heading"].to_pylist(), strict=True))

    assert records.num_rows == 4 * 275
    assert len({place for place, _ in headings}) == 275
    assert {heading for _, heading in headings} == {0, 90, 180, 270}
    assert set(headings.values()) == {1}
    places = zip(*(records[name].to_pylist() for name in ("latitude", "longitude")), strict=True)
    assert records["country"].to_pylist() == label_countries(list(places), None).tolist()


@pytest.mark.parametrize(("stored", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_is_one_in_every_unicode_form(tmp_path, write_strip, stored, written):
    write_strip(tmp_path / f"{unicodedata.normalize(stored, 'Öjendorf')}.jpg")
    name = unicodedata.normalize(written, "Öjendorf")
    metadata(tmp_path, [{"pano_id": name, "coordinates": [53.55, 10.1]}])

    (image,) = panoramas.read(tmp_path).images

    assert (image.latitude, image.longitude) == (53.55, 10.1)
