import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lostfound.data.preparing.corrections import Corrections, correct
from lostfound.data.records import SCHEMA
from lostfound.errors import CountryNameError, DatasetError, UsageError

PARIS, BERLIN, TOKYO = (48.85, 2.35), (52.52, 13.4), (35.68, 139.69)


def record(number, spot=(None, None), **fields):
    return {
        "image_id": f"id{number}",
        "place_id": f"game/{number}",
        "original": f"shots/g{number}.jpg",
        "latitude": spot[0],
        "longitude": spot[1],
        **fields,
    }


def corrected(tmp_path, text, *records):
    path = tmp_path / "lookup.csv"
    path.write_text(text)
    return correct(pa.Table.from_pylist(list(records), schema=SCHEMA), Corrections.read(path))


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("image_id", "id2"),
        ("place_id", "game/2"),
        ("original", "shots/g2.jpg"),
        ("id", "g2"),  # the file's name, as collectors name files
        ("id", "2"),  # the last part of the place
        ("id", "id2"),
        ("uuid", "g2"),
    ],
)
def test_images_are_found_by_any_id(tmp_path, column, name):
    done = corrected(tmp_path, f"{column},lat,lng\n{name},52.52,13.4\n", record(1, PARIS), record(2, PARIS))

    assert done.records["latitude"].to_pylist() == [48.85, 52.52]
    assert done.records["longitude"].to_pylist() == [2.35, 13.4]
    assert (done.named, done.unused, done.moved.tolist()) == (1, 0, [False, True])


def test_an_id_of_a_place_corrects_all_its_views(tmp_path):
    views = [record(1, PARIS), record(2, PARIS, place_id="game/1")]

    done = corrected(tmp_path, "place_id,heading\ngame/1,450\n", *views)

    assert done.records["heading"].to_pylist() == [90, 90]
    assert not done.moved.any()


def test_empty_cells_and_other_columns_change_nothing(tmp_path):
    done = corrected(
        tmp_path,
        "image_id,lat,lng,country,note\nid1,,,,x\nid2,,,Germany,y\n",
        record(1, PARIS, country="FR"),
        record(2),
    )

    assert done.records["latitude"].to_pylist() == [48.85, None]
    assert done.records["country"].to_pylist() == ["FR", "DE"]
    assert not done.moved.any()


def test_parquet_is_as_good_as_csv(tmp_path):
    path = tmp_path / "lookup.parquet"
    pq.write_table(pa.table({"image_id": ["id1"], "latitude": [52.52], "longitude": [373.4 - 360]}), path)

    done = correct(pa.Table.from_pylist([record(1)], schema=SCHEMA), Corrections.read(path))

    assert done.records["latitude"].to_pylist() == [52.52]


def test_labels_of_the_wrong_coordinates_go_and_stated_ones_stay(tmp_path):
    records = [
        record(1, PARIS, country="FR", region="Île-de-France", city="Paris"),  # all read from the coordinates
        record(2, PARIS, country="DE"),  # stated by who collected it
        record(3, PARIS, country="FR", city="Paris"),  # not corrected
        record(4, PARIS, country="FR"),  # the table states it
    ]
    table = "image_id,lat,lng,country\nid1,52.52,13.4,\nid2,52.52,13.4,\nid4,52.52,13.4,FR\n"

    done = corrected(tmp_path, table, *records)

    assert done.records["country"].to_pylist() == [None, "DE", "FR", "FR"]
    assert done.records["region"].to_pylist() == [None, None, None, None]
    assert done.records["city"].to_pylist() == [None, None, "Paris", None]


def test_ids_that_no_image_has_are_counted(tmp_path):
    done = corrected(tmp_path, "id,country\ng1,FR\ng8,FR\ng9,FR\n", record(1))

    assert (done.named, done.unused) == (1, 2)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("name,lat,lng\na,1,2\n", UsageError, "needs a column image_id, place_id, original, id"),
        ("id,latitde\na,1\n", UsageError, "corrects nothing"),
        ("id,lat\na,1\n", UsageError, "coordinates need both"),
        ("id,lat,lng\na,1,2\nb,1,\n", UsageError, "row 3 has one of latitude and longitude"),
        ("id,lat,lng\na,north,2\n", UsageError, "row 2: latitude 'north' is no number"),
        ("id,lat,lng\na,91,2\n", DatasetError, "latitude 91.0 lies outside"),
        ("id,lat,lng\na,0,0\n", UsageError, "row 2: no location: both coordinates are zero"),
        ("id,country\na,FR\na,DE\n", UsageError, "'a' twice with other values"),
        ("id,country\na,Atlantis\n", CountryNameError, "'Atlantis'"),
        (
            "id,country\nzz,FR\n",
            UsageError,
            "name none of the 1 images: their column 'id' holds ids such as 'zz'",
        ),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path, text, error, message):
    with pytest.raises(error, match=message):
        corrected(tmp_path, text, record(1))


def test_the_same_row_twice_is_no_contradiction(tmp_path):
    assert corrected(tmp_path, "id,country\ng1,FR\ng1,France\n", record(1)).named == 1


@pytest.mark.parametrize(("stored", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("column", ["original", "id"])
def test_a_name_is_one_in_every_unicode_form(tmp_path, column, stored, written):
    name = "Öjendorf" if column == "id" else "shots/Öjendorf.jpg"
    image = record(1, PARIS, original=unicodedata.normalize(stored, "shots/Öjendorf.jpg"))

    done = corrected(
        tmp_path, f"{column},lat,lng\n{unicodedata.normalize(written, name)},52.52,13.4\n", image
    )

    assert done.records["latitude"].to_pylist() == [52.52]
