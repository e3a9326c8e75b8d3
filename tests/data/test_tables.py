import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lostfound.data.tables import parse_number, parse_text, read_columns, resolve_countries
from lostfound.errors import CountryNameError, UsageError

NAN = math.nan


@pytest.mark.parametrize(
    "text",
    [
        "id,Country \na,France\n",
        "id;Country\na;France\n",
        "id\tcountry\na\tFrance\n",
        "\ufeffid,country\na,France",
    ],
)
def test_csv_of_every_kind_is_read(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")

    assert read_columns(path) == {"id": ["a"], "country": ["France"]}


def test_csv_cells_stay_texts(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,lat\n007,1.50\n"a\nb",\n')

    assert read_columns(path) == {"id": ["007", "a\nb"], "lat": ["1.50", ""]}


def test_parquet_keeps_its_types(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"ID": ["a"], "lat": [1.5]}), path)

    assert read_columns(path) == {"id": ["a"], "lat": [1.5]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "gone.csv does not exist"),
        ("t.csv", b"", "can't be read as a table"),
        ("t.csv", b"id,lat\n1,2,3\n", "can't be read as a table"),
        ("t.csv", b"id\n\xff\xfe\xff\n", "must be UTF-8"),
        ("t.csv", b"id,Id\n1,2\n", "two columns 'id'"),
        ("t.parquet", b"no parquet", "can't be read as a table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(UsageError, match=message):
        read_columns(tmp_path / name)


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
