"""Tables of others: columns by the names of the usual tools, summaries, exchanged headers, bad rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.data.labels import parse_names, read_labels, same_names
from lostfound.errors import DatasetError, UsageError


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_names_of_usual_tools_are_known(tmp_path: Path) -> None:
    for header in ("IMG_ID,LAT,LON", "filename;latitude;longitude", "id,true_lat,true_lon", "path\tlat\tlng"):
        separator = next(each for each in ",;\t" if each in header)
        path = write(tmp_path / "a.csv", header, separator.join(("a.jpg", "48.9", "2.4")))
        stored = read_labels(path).stored
        assert stored["image_id"].to_pylist() == ["a.jpg"]
        assert (stored["latitude"][0].as_py(), stored["longitude"][0].as_py()) == (48.9, 2.4)


def test_namibia_is_a_country_and_places_are_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", "id,latitude,longitude,country,sequence", "a,-22.6,17.1,NA,s1", "b,-22.6,17.1,,"
    )
    stored = read_labels(path).stored
    assert stored["country"].to_pylist() == ["NA", None]
    assert stored["place_id"].to_pylist() == ["s1", "b"]


def test_equal_coordinates_are_one_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,lat,lon", "a,48.9,2.4", "b,48.9,2.4", "c,52.5,13.4")
    places = read_labels(path).stored["place_id"].to_pylist()
    assert places[0] == places[1] != places[2]


def test_an_exchanged_header_is_noticed_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "IMG_ID,LON,LAT", "a,35.7,139.7", "b,42.3,-71.1")
    labels = read_labels(path)
    assert labels.stored["latitude"].to_pylist() == [35.7, 42.3]
    assert "bear each other's names (1 of 2 latitudes would be beyond 90)" in labels.notes[0]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["id,lat,lon", "a,1,2", "a,3,4"], "line 3: 'a' stands in line 2 already"),
        (["id,lat,lon", ",1,2"], "line 2: the column 'id' is empty"),
        (
            ["id,lat,lon", "a,1,2", "b,x,4", *[f"c{n},1,2" for n in range(20)]],
            "line 3: lat is 'x', which is no",
        ),
        (["id,lat,lon", "a,95,200"], "is no latitude and longitude in degrees"),
        (["id,lat,lon"], "has no rows"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        read_labels(write(tmp_path / "a.csv", *lines))


def test_columns_that_are_not_known_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "bild,y,x", "a,1.5,2.5")
    with pytest.raises(UsageError, match="no column for id, latitude, longitude is known"):
        read_labels(path)
    stored = read_labels(path, parse_names("id=bild,latitude=y,longitude=x")).stored
    assert stored["longitude"].to_pylist() == [2.5]
    with pytest.raises(UsageError, match=r"no column 'yy'.*did you mean 'y'"):
        read_labels(path, parse_names("id=bild,latitude=yy,longitude=x"))
    with pytest.raises(UsageError, match="names no column"):
        parse_names("bild")


def test_parquet_is_read_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "lat": [1.5], "lon": [2.5]}), tmp_path / "a.parquet")
    assert read_labels(tmp_path / "a.parquet").stored["latitude"].to_pylist() == [1.5]


@given(st.lists(st.text("abc/", min_size=1, max_size=6), unique=True, min_size=1, max_size=6))
def test_names_mean_records_by_path_name_or_stem(names: list[str]) -> None:
    files = [f"{name.strip('/') or 'a'}-{row}.jpg" for row, name in enumerate(names)]
    ids = [f"h{row}" for row in range(len(files))]
    records = pa.table({"image_id": ids, "original": [f"set/{file}" for file in files]})
    for asked in (ids, [f"set/{file}" for file in files]):
        assert same_names(asked, records).tolist() == ids
    assert same_names(["nothing"], records).tolist() == ["nothing"]
    assert np.array_equal(same_names([Path(file).name for file in files], records), ids)
