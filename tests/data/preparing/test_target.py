import pyarrow as pa
import pytest

from lostfound.data.preparing.target import country_counts, read_target
from lostfound.data.records import SCHEMA
from lostfound.errors import CountryNameError, DatasetError, UsageError

COUNTS = {"FR": 90, "JP": 10}


def test_images_without_a_country_are_not_counted():
    rows = [{"image_id": str(n), "country": code} for n, code in enumerate(["JP", None, "FR", "JP"])]

    assert country_counts(pa.Table.from_pylist(rows, schema=SCHEMA)) == {"FR": 1, "JP": 2}


@pytest.mark.parametrize(
    ("source", "power", "expected"),
    [
        ("uniform", 1, {"FR": 1, "JP": 1}),
        ("natural", 1, {"FR": 90, "JP": 10}),
        ("natural", 0.5, {"FR": 90**0.5, "JP": 10**0.5}),
        ("natural", 0, {"FR": 1, "JP": 1}),
    ],
)
def test_targets_by_name(source, power, expected):
    assert read_target(source, COUNTS, power) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "country,share\nFrance,3\nJP,1\n",
        "Country;Images\nfrance;3\nJapan;1\nBrazil;0\n",
        "country,weight,note\nFR,3%,x\nJP,1 %,y\n,,\n",
    ],
)
def test_a_table_of_shares(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)

    assert read_target(str(tmp_path / "t.csv"), COUNTS) == {"FR": 3, "JP": 1}


def test_the_countries_of_another_data_set(dataset_folder):
    assert read_target(str(dataset_folder), COUNTS) == {"BR": 24, "FR": 24, "JP": 24, "KE": 24}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, UsageError, "neither uniform nor natural"),
        ("country,part\nFR,1\n", UsageError, "needs a column country and one of share"),
        ("name,share\nFR,1\n", UsageError, "needs a column country"),
        ("country,share\nFR,many\n", UsageError, "row 2: the share of FR is 'many'"),
        ("country,share\nFR,-1\n", UsageError, "row 2: the share of FR is '-1'"),
        ("country,share\nFR,\n", UsageError, "row 2"),
        ("country,share\nFR,inf\n", UsageError, "row 2"),
        ("country,share\nFR,1\nFrance,2\n", UsageError, r"row 3: France \(FR\) is there twice"),
        ("country,share\nFR,0\n", UsageError, "no country a share"),
        ("country,share\nAtlantis,1\n", CountryNameError, "'Atlantis'"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, text, error, message):
    path = tmp_path / "t.csv"
    if text is not None:
        path.write_text(text)

    with pytest.raises(error, match=message):
        read_target(str(path), COUNTS)


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is not a data set"):
        read_target(str(tmp_path), COUNTS)
