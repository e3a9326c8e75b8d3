import numpy as np
import pyarrow as pa
import pytest

from lostfound.data.records import (
    SCHEMA,
    coordinates,
    counts,
    select_split,
    set_column,
    strings,
)
from lostfound.files import write_atomic


@pytest.fixture
def records():
    rows = [
        {"image_id": "a", "latitude": 48.5, "longitude": 2.5, "country": "FR", "split": "train"},
        {"image_id": "b", "latitude": None, "longitude": None, "country": None, "split": "test"},
        {"image_id": "c", "latitude": 52.5, "longitude": 13.5, "country": "DE", "split": "train"},
        {"image_id": "d", "latitude": 50.0, "longitude": 3.0, "country": "FR", "split": "train"},
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def test_unknown_coordinates_are_nan(records):
    np.testing.assert_array_equal(
        coordinates(records), [[48.5, 2.5], [np.nan, np.nan], [52.5, 13.5], [50, 3]]
    )


def test_unknown_texts_are_none(records):
    assert strings(records, "country").tolist() == ["FR", None, "DE", "FR"]


def test_counts_put_the_most_frequent_first_and_name_the_unknown(records):
    assert list(counts(records, "country").items()) == [("FR", 2), ("DE", 1), ("unknown", 1)]


def test_a_column_is_replaced_in_its_place_and_type(records):
    changed = set_column(records, "heading", [0, 90, None, 270])

    assert changed.schema.equals(SCHEMA)
    assert changed["heading"].to_pylist() == [0, 90, None, 270]


def test_a_split_s_records_are_selected(records):
    assert select_split(records, "train")["image_id"].to_pylist() == ["a", "c", "d"]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two")

    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]
