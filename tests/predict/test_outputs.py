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
from lostfound.predict.outputs import LocatedPhoto, to_csv, to_geojson, to_json, written_radius

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


# --- radii, and photos of which the model abstained

UNSURE = [
    LocatedPhoto("sure.jpg", Guess((FRANCE, FIJI), (45.5, 2.5), 321.5, 2287.25)),
    LocatedPhoto("unsure.jpg", Guess((FIJI,), (-17.8, 178.0), 900.0, 9000.0, "it is too dark", True)),
    LocatedPhoto("asked.jpg", Guess((FIJI,), (-17.8, 178.0), 900.0, 9000.0, "it is too dark")),
]
PLACE = ("latitude", "longitude", "radius_50_km", "radius_90_km", "country", "probability")


def test_json_has_nulls_for_what_the_model_does_not_know() -> None:
    sure, unsure, asked = json.loads(to_json(UNSURE), parse_constant=refuse)["photos"]
    assert [sure[name] for name in PLACE] == [45.5, 2.5, 321.5, 2287.25, "FR", 0.7]
    assert [unsure[name] for name in PLACE] == [None] * 6
    assert [asked[name] for name in PLACE] == [-17.8, 178.0, 900.0, 9000.0, "FJ", 0.2]
    assert [each["abstained"] for each in (sure, unsure, asked)] == [False, True, False]
    assert unsure["warning"] == asked["warning"] == "it is too dark"
    assert unsure["candidates"] == [asdict(FIJI)]


def test_csv_has_blanks_for_what_the_model_does_not_know() -> None:
    sure, unsure, asked = csv.DictReader(io.StringIO(to_csv(UNSURE), newline=""))
    assert [sure[name] for name in PLACE] == [
        *("45.500000", "2.500000", "321.500", "2287.250", "FR", "0.700000"),
    ]
    assert [unsure[name] for name in PLACE] == [""] * 6
    assert [float(asked[name]) for name in PLACE[:4]] == [-17.8, 178.0, 900.0, 9000.0]
    assert [each["abstained"] for each in (sure, unsure, asked)] == ["false", "true", "false"]
    assert [each["warning"] for each in (sure, unsure, asked)] == ["", "it is too dark", "it is too dark"]
    assert (unsure["candidate_1"], unsure["probability_1"]) == ("Fiji", "0.200000")


def test_geojson_has_no_geometry_for_what_the_model_does_not_know() -> None:
    sure, unsure, asked = json.loads(to_geojson(UNSURE), parse_constant=refuse)["features"]
    assert sure["geometry"] == {"type": "Point", "coordinates": [2.5, 45.5]}
    assert unsure["geometry"] is None
    assert asked["geometry"]["coordinates"] == [178.0, -17.8]
    assert sure["properties"]["radius_90_km"] == 2287.25
    assert [unsure["properties"][name] for name in PLACE] == [None] * 6
    assert unsure["properties"]["candidates"] == [asdict(FIJI)]


def test_a_model_without_radii_leaves_them_out() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv(RESULTS[:1]), newline=""))
    assert (row["radius_50_km"], row["radius_90_km"], row["abstained"]) == ("", "", "false")
    (found,) = json.loads(to_json(RESULTS[:1]))["photos"]
    assert (found["radius_50_km"], found["radius_90_km"], found["abstained"]) == (None, None, False)


@pytest.mark.parametrize(
    ("radius_km", "text"),
    [
        *((0.0123, "12 m"), (0.94, "940 m"), (0.9996, "1.0 km"), (4.44, "4.4 km")),
        *((9.96, "10 km"), (321.5, "320 km"), (2287.25, "2,300 km"), (20_015.1, "20,000 km")),
    ],
)
def test_radii_are_written_with_the_digits_that_mean_something(radius_km: float, text: str) -> None:
    assert written_radius(radius_km) == text


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
