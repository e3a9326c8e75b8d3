import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lostfound.data.importers.columns import read_columns
from lostfound.errors import UsageError


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
