from collections import Counter

import pytest
from PIL.TiffImagePlugin import IFDRational

from lostfound.data.dataset import Dataset
from lostfound.data.importers import exif
from lostfound.data.importers.importing import import_images

NAN = IFDRational(0, 0)
PARIS = {
    "GPSLatitude": (48, 51, 30.0),
    "GPSLatitudeRef": "N",
    "GPSLongitude": (2, 21, 0.0),
    "GPSLongitudeRef": "E",
}


def changed(**fields):
    return {name: value for name, value in {**PARIS, **fields}.items() if value is not None}


@pytest.mark.parametrize(
    ("fields", "point"),
    [
        (PARIS, (48.858333, 2.35)),
        (changed(GPSLatitudeRef="S", GPSLongitudeRef="W"), (-48.858333, -2.35)),
        (changed(GPSLatitudeRef="s\0", GPSLongitudeRef=b"W\0"), (-48.858333, -2.35)),
        (changed(GPSLatitudeRef="North", GPSLongitudeRef=" East "), (48.858333, 2.35)),
        (changed(GPSLatitude=(48.5,), GPSLongitude=(2, 21)), (48.5, 2.35)),
        (changed(GPSLatitude=(0, 0, 0)), (0, 2.35)),
        (changed(GPSLatitude=48.5, GPSLongitude=IFDRational(5, 2)), (48.5, 2.5)),  # degrees alone
    ],
)
def test_a_gps_block_is_read(fields, point):
    assert exif.location(fields) == pytest.approx(point, abs=1e-6)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "no location: no GPS in the file"),
        ({"GPSAltitude": 30}, "no location: no GPS in the file"),
        (
            changed(GPSLatitude=(0, 0, 0), GPSLongitude=(0, 0, 0)),
            "no location: both GPS coordinates are zero",
        ),
        (changed(GPSLatitude=(NAN, NAN, NAN)), "no location: GPS coordinates are not a number"),
        (changed(GPSLatitude=(91, 0, 0)), "no location: GPS coordinates out of range (91.0, 2.35)"),
        (
            changed(GPSLatitude=(48, 30), GPSLongitude=(200, 0, 0)),
            "no location: GPS coordinates out of range (48.5, 200.0)",
        ),
        (changed(GPSLongitude=None), "no location: only half of the GPS coordinates"),
        (changed(GPSLatitude=()), "no location: only half of the GPS coordinates"),
        (changed(GPSLatitudeRef=None), "no location: the file has GPS, but lacks N or S"),
        (changed(GPSLatitudeRef=" "), "no location: the file has GPS, but lacks N or S"),
        (
            changed(GPSLatitudeRef="\0", GPSLongitudeRef=None),
            "no location: the file has GPS, but lacks N or S, and E or W",
        ),
        (changed(GPSLatitudeRef="?"), "no location: the GPS block is broken"),
        (changed(GPSLatitude=("a", "b", "c")), "no location: the GPS block is broken"),
        (changed(GPSLatitude=b"48.5"), "no location: the GPS block is broken"),
        (changed(GPSLatitude=(48, -51, 30)), "no location: the GPS block is broken"),
        (changed(GPSLatitude=(1, 2, 3, 4)), "no location: the GPS block is broken"),
    ],
)
def test_why_a_gps_block_is_no_location(fields, reason):
    assert exif.location(fields) == reason


@pytest.mark.parametrize(
    ("value", "heading"),
    [
        (90, 90),
        (360, 0),
        (IFDRational(4511, 10), 91.1),
        (NAN, None),
        ("north", None),
        (float("inf"), None),
        (None, None),
    ],
)
def test_the_heading_is_read(value, heading):
    assert exif.heading({"GPSImgDirection": value}) == pytest.approx(heading)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2008:10:22 16:28:39", "2008-10-22T16:28:39"),
        ("2008:10:22 16:28:39\0", "2008-10-22T16:28:39"),
        ("0000:00:00 00:00:00", None),
        ("0001:01:01 00:00:00", None),
        ("yesterday", None),
    ],
)
def test_the_time_is_read(text, taken):
    assert exif.captured_at({"DateTimeOriginal": text}) == taken


def test_camera_files_are_imported_and_broken_ones_counted_and_named(tmp_path, write_picture, gps):
    paris = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 21.0, 0.0)}
    blocks = {
        "good": gps({**paris, 17: 45.0}, tag274=6),
        "none": gps({}),
        "zero": gps({**paris, 2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}),
        "nan": gps({**paris, 2: (NAN, NAN, NAN)}),
        "range": gps({**paris, 2: (95.0, 0.0, 0.0)}),
        "half": gps({tag: paris[tag] for tag in (1, 2)}),
    }
    for number, (name, block) in enumerate(blocks.items()):
        write_picture(tmp_path / "source" / f"{name}.jpg", number, exif=block)

    summary = import_images([tmp_path / "source"], tmp_path / "data", jobs=1)

    (row,) = summary.dataset.records.to_pylist()
    assert (row["original"], row["country"], row["heading"]) == ("good.jpg", "FR", 45)
    assert (row["latitude"], row["longitude"]) == pytest.approx((48.858333, 2.35), abs=1e-6)
    assert (row["width"], row["height"]) == (40, 48)  # upright
    assert dict(summary.skipped) == {
        "source/half.jpg": "no location: only half of the GPS coordinates",
        "source/nan.jpg": "no location: GPS coordinates are not a number",
        "source/none.jpg": "no location: no GPS in the file",
        "source/range.jpg": "no location: GPS coordinates out of range (95.0, 2.35)",
        "source/zero.jpg": "no location: both GPS coordinates are zero",
    }
    assert summary.reasons["no location: GPS coordinates out of range"] == 1


def test_a_damaged_file_is_unreadable_even_without_a_place(tmp_path, write_picture, gps):
    write_picture(
        tmp_path / "source" / "good.jpg", exif=gps({1: "N", 2: (48.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)})
    )
    (tmp_path / "source" / "text.jpg").write_text("no image")

    summary = import_images([tmp_path / "source"], tmp_path / "data", jobs=1)

    ((path, reason),) = summary.skipped
    assert path == "source/text.jpg"
    assert reason == "unreadable (image: not an image that can be read)"


@pytest.mark.data
def test_the_real_camera_files_are_located_or_named(real_data, made_once):
    summaries = []
    folder = made_once(
        "real-exif",
        lambda to: summaries.append(import_images([real_data / "exif-samples"], to, size=64, jobs=2)),
    )

    records = Dataset.open(folder).records
    for summary in summaries:
        assert summary.reasons == {"no location: no GPS in the file": 28}
    assert Counter(records["country"].to_pylist()) == {"SE": 29, "IT": 9, "DE": 3, "ES": 2, "FI": 1, "KE": 1}
    by_name = {row["original"]: row for row in records.to_pylist()}
    row = by_name["exif-samples/gps/DSCN0010.jpg"]
    assert (row["latitude"], row["longitude"]) == pytest.approx((43.467448, 11.885127), abs=1e-6)
    assert row["captured_at"] == "2008-10-22T16:28:39"
