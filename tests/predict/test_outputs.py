"""Guesses as files, read back by the readers that others use."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import shapely

from lostfound.cli.output.models import located_text
from lostfound.pages.map import write_photo_map
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.outputs import LocatedPhoto, to_csv, to_geojson, to_json

FRANCE = Candidate("FR", "France", 0.7, 46.5, 2.25, "FR")
FIJI = Candidate("FJ", "Fiji", 0.2, -17.8, 178.0, "FJ")
SEA = Candidate("s2/1", 'a cell, at "sea"', 0.1, -40.0, -120.5, None)
ODD = 'holiday, "best" of\n2024 – Zürich.jpg'

RESULTS = [
    LocatedPhoto("a.jpg", Guess((FRANCE, FIJI))),
    LocatedPhoto("b.jpg", None, "b.jpg: not an image, sadly"),
    LocatedPhoto(ODD, Guess((SEA,))),
]


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


# --- JSON


def test_json_holds_every_photo_in_order() -> None:
    found = json.loads(to_json(RESULTS), parse_constant=refuse)
    assert [each["photo"] for each in found["photos"]] == ["a.jpg", "b.jpg", ODD]
    assert "not measurements" in found["note"]
    first, second, third = found["photos"]
    assert (first["latitude"], first["longitude"], first["country"]) == (46.5, 2.25, "FR")
    assert first["candidates"][1] == asdict(FIJI)
    assert first["candidates"][1]["cell_id"] == "FJ"
    assert second == {"photo": "b.jpg", "error": "b.jpg: not an image, sadly"}
    assert third["country"] is None


def test_json_of_nothing_is_json() -> None:
    assert json.loads(to_json([]))["photos"] == []


# --- pictures that hold nothing to see

BLANK = [
    LocatedPhoto("a.jpg", Guess((FRANCE,), warning="nothing to see")),
    LocatedPhoto("b.jpg", Guess((FIJI,))),
]


def test_every_format_says_that_there_is_nothing_to_see(tmp_path: Path) -> None:
    first, second = json.loads(to_json(BLANK))["photos"]
    assert (first["warning"], "warning" in second) == ("nothing to see", False)
    first, second = (each["properties"] for each in json.loads(to_geojson(BLANK))["features"])
    assert (first["warning"], "warning" in second) == ("nothing to see", False)
    rows = list(csv.DictReader(io.StringIO(to_csv(BLANK), newline="")))
    assert [row["warning"] for row in rows] == ["nothing to see", ""]
    assert "nothing to see" in located_text(BLANK)
    write_photo_map(BLANK, tmp_path / "map.html")
    assert '"warning":"nothing to see"' in (tmp_path / "map.html").read_text(encoding="utf-8")


def test_a_photo_that_is_gone_costs_the_map_its_thumbnail_only(tmp_path: Path) -> None:
    write_photo_map([LocatedPhoto(str(tmp_path / "gone.jpg"), Guess((FRANCE,)))], tmp_path / "map.html")
    assert "gone.jpg" in (tmp_path / "map.html").read_text(encoding="utf-8")


# --- CSV


def test_csv_names_that_a_spreadsheet_would_compute_are_texts() -> None:
    odd = [LocatedPhoto("=1+1.jpg", Guess((FIJI,))), LocatedPhoto("-x.jpg", None, "@y: cr\rlf")]
    rows = list(csv.reader(io.StringIO(to_csv(odd), newline="")))
    assert [row[0] for row in rows[1:]] == ["'=1+1.jpg", "'-x.jpg"]
    assert rows[1][1] == "-17.800000"
    assert rows[2][-1] == "'@y: cr\rlf"
    raw = list(csv.reader(io.StringIO(to_csv(odd, raw=True), newline="")))
    assert [row[0] for row in raw[1:]] == ["=1+1.jpg", "-x.jpg"]


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(RESULTS), newline="")))
    assert [row["photo"] for row in rows] == ["a.jpg", "b.jpg", ODD]
    assert float(rows[0]["latitude"]) == 46.5
    assert float(rows[0]["longitude"]) == 2.25
    assert (rows[0]["country"], float(rows[0]["probability"])) == ("FR", 0.7)
    assert [rows[0][f"candidate_{rank}"] for rank in (1, 2)] == ["France", "Fiji"]
    assert [float(rows[0][f"probability_{rank}"]) for rank in (1, 2)] == [0.7, 0.2]
    assert (rows[2]["candidate_1"], rows[2]["candidate_2"], rows[2]["country"]) == (SEA.name, "", "")


def test_csv_has_the_same_columns_in_every_row() -> None:
    table = list(csv.reader(io.StringIO(to_csv(RESULTS), newline="")))
    assert {len(row) for row in table} == {len(table[0])}


def test_csv_says_which_photo_could_not_be_read() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(RESULTS), newline="")))
    assert [row["error"] for row in rows] == ["", "b.jpg: not an image, sadly", ""]
    assert not any(value for key, value in rows[1].items() if key not in ("photo", "error"))


@pytest.mark.parametrize("results", [[], [RESULTS[1]]])
def test_csv_without_any_answer_has_its_header(results: list[LocatedPhoto]) -> None:
    header = to_csv(results).splitlines()[0]
    assert header == "photo,latitude,longitude,radius_50_km,radius_90_km,country,probability,abstained,error"


# --- GeoJSON


def test_geojson_is_valid_and_longitude_comes_first() -> None:
    text = to_geojson(RESULTS)
    found = json.loads(text, parse_constant=refuse)
    assert found["type"] == "FeatureCollection"
    assert found.keys() == {"type", "features"}  # RFC 7946 has no "crs"
    assert [each["geometry"]["coordinates"] for each in found["features"]] == [[2.25, 46.5], [-120.5, -40.0]]
    for each in found["features"]:
        assert each["type"] == "Feature"
        assert each["geometry"]["type"] == "Point"
        longitude, latitude = each["geometry"]["coordinates"]
        assert -180 <= longitude <= 180
        assert -90 <= latitude <= 90
        assert "not measurements" in each["properties"]["estimate"]
    points = shapely.from_geojson(text)
    assert [(point.x, point.y) for point in points.geoms] == [(2.25, 46.5), (-120.5, -40.0)]


def test_geojson_of_nothing_is_an_empty_collection() -> None:
    assert json.loads(to_geojson([RESULTS[1]])) == {"type": "FeatureCollection", "features": []}


# --- names, and the map


def test_a_name_that_is_no_utf_8_can_be_written() -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    results = [LocatedPhoto(name, Guess((FRANCE,))), LocatedPhoto(name, None, f"{name}: no image")]
    for write in (to_json, to_csv, to_geojson):
        assert "caf?.jpg" in write(results).encode().decode()


def test_the_map_shows_the_photos_that_were_located(world: Path, tmp_path: Path) -> None:
    photo = sorted((world / "images").iterdir())[0]
    odd = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(photo, odd)
    results = [LocatedPhoto(str(photo), Guess((FRANCE,))), LocatedPhoto(str(odd), Guess((FIJI,))), RESULTS[1]]
    page = write_photo_map(results, tmp_path / "map.html", title="Holiday").read_text(encoding="utf-8")
    assert photo.name in page
    assert "caf?.jpg" in page
    assert "Holiday" in page
    assert "1 photo(s) could not be read." in page
    assert page.count('"/9j/') == 2  # JPEGs in base64


def test_a_map_of_readable_photos_has_no_such_note(world: Path, tmp_path: Path) -> None:
    photo = sorted((world / "images").iterdir())[0]
    page = write_photo_map([LocatedPhoto(str(photo), Guess((FRANCE,)))], tmp_path / "map.html")
    assert "could not be read" not in page.read_text(encoding="utf-8")
