import numpy as np
import pyarrow as pa
import pytest

from lostfound.data.importers.checks import as_rows, check_order, elsewhere, stated_places
from lostfound.data.importers.source import SourceImage
from lostfound.data.records import SCHEMA
from lostfound.errors import DatasetError
from lostfound.geo.boundaries import Boundaries

LAND = Boundaries.packed()


@pytest.fixture
def in_paris(tmp_path, write_picture, gps):
    """`in_paris(n, latitude, longitude, country)` is files whose GPS says Paris, stated elsewhere."""

    def images(n, latitude, longitude, country=None):
        block = gps({1: "N", 2: (48.0, 51.0, 0.0), 3: "E", 4: (2.0, 21.0, 0.0)})
        return [
            SourceImage(
                str(write_picture(tmp_path / f"{number}.jpg", number, exif=block)),
                f"{number}.jpg",
                None,
                latitude + number / 1000,
                longitude,
                country,
            )
            for number in range(n)
        ]

    return images


def test_a_few_files_are_asked_for_their_own_place(in_paris):
    stated = stated_places(in_paris(40, 48.85, 2.35))
    assert stated.points.shape == (40, 2)
    own = stated.own[np.isfinite(stated.own).all(axis=1)]
    assert 20 <= len(own) <= 32
    assert own == pytest.approx(np.tile((48.85, 2.35), (len(own), 1)))
    assert check_order("t.csv", stated, LAND) == []


def test_one_file_s_gps_is_enough_to_tell_exchanged_columns(in_paris):
    with pytest.raises(DatasetError, match=r"t\.csv: .*swapped: of 1 file the GPS is there"):
        check_order("t.csv", stated_places(in_paris(1, 2.35, 48.85)), LAND)


def test_so_are_three_countries():
    images = [SourceImage("gone", "gone", None, 8.0 + n, 48.0, "DE") for n in range(3)]
    with pytest.raises(DatasetError, match="3 of the points lie in the stated country"):
        check_order("t.csv", stated_places(images), LAND)


def test_a_few_places_of_which_nothing_is_known_pass():
    images = [SourceImage("gone", "gone", None, 8.0 + n, 48.0) for n in range(3)]
    assert check_order("t.csv", stated_places(images), LAND) == []
    assert check_order("t.csv", stated_places([]), LAND) == []


def test_images_in_another_country_than_stated_are_listed_by_name():
    rows = [
        ("in", "FR", 48.85, 2.35),
        ("out", "FR", 52.5, 13.4),
        ("border", "FR", 48.6, 7.83),  # 2 km beyond the Rhine
        ("sea", "FR", 30.0, -40.0),
        ("none", "FR", None, None),
        ("no country", None, 52.5, 13.4),
    ]
    names = ("original", "country", "latitude", "longitude")
    records = [dict(zip(names, row, strict=True)) | {"source": "mine"} for row in rows]
    found = elsewhere(pa.Table.from_pylist(records, schema=SCHEMA), LAND)
    assert found == [("mine/out", "FR", "DE", 52.5, 13.4)]
    assert as_rows(found)[1] == ("mine/out", "FR", "DE", "52.5", "13.4")
    assert elsewhere(pa.Table.from_pylist([], schema=SCHEMA), LAND) == []
