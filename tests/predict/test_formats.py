"""Files of located photos, read by the readers that others use."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import pyogrio
import pytest

from lostfound.predict.formats import FORMS
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.outputs import LocatedPhoto

FRANCE = Candidate("FR", "France", 0.7, 46.5, 2.25, "FR")
FIJI = Candidate("FJ", "Fiji", 0.2, -17.8, 178.0, "FJ")
ODD = 'holiday, "best" <of>\x07 & Zürich.jpg'
RESULTS = [
    LocatedPhoto("a.jpg", Guess((FRANCE, FIJI), radius_50_km=120.0, radius_90_km=900.0)),
    LocatedPhoto("b.jpg", None, "b.jpg: not an image, sadly"),
    LocatedPhoto(ODD, Guess((FIJI,))),
    LocatedPhoto("unknown.jpg", Guess((FRANCE,), warning="nothing to see", abstained=True)),
]


@pytest.fixture(params=["kml", "gpx", "geojson", "geoparquet"])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, geopandas.GeoDataFrame]:
    """A file of each kind that GIS programs open, opened by theirs (GDAL's reader)."""
    file = tmp_path / f"places{FORMS[request.param].endings[0]}"
    file.write_bytes(FORMS[request.param].write(RESULTS))
    if request.param == "geoparquet":
        return request.param, geopandas.read_parquet(file)
    layers = pyogrio.list_layers(file)[:, 0].tolist()
    layer = "waypoints" if request.param == "gpx" else layers[0]
    return request.param, pyogrio.read_dataframe(file, layer=layer)


def test_others_read_the_places(read: tuple[str, geopandas.GeoDataFrame]) -> None:
    kind, frame = read
    assert frame.crs is not None
    assert frame.crs.to_epsg() in (4326, None)  # OGC:CRS84 has no number of EPSG's
    placed = frame[frame.geometry.notna()]
    assert placed.geometry.x.round(6).tolist() == [2.25, 178.0]
    assert placed.geometry.y.round(6).tolist() == [46.5, -17.8]
    column = {"kml": "Name", "gpx": "name"}.get(kind, "photo")
    assert placed[column].iloc[0] == "a.jpg"
    assert "Zürich.jpg" in placed[column].iloc[1]


def test_kml_and_gpx_say_how_sure_they_are_and_that_they_guess() -> None:
    for kind in ("kml", "gpx"):
        text = FORMS[kind].write(RESULTS).decode()
        assert "France 70%; 50 % within 120 km; 90 % within 900 km; an estimate from pixels alone" in text
        assert "not measurements" in text
        assert "unknown.jpg" not in text


def test_json_lines_hold_every_photo() -> None:
    lines = [json.loads(line) for line in FORMS["jsonl"].write(RESULTS).decode().splitlines()]
    assert [each["photo"] for each in lines] == [each.photo for each in RESULTS]
    assert lines[1]["error"].endswith("sadly")
    assert lines[0]["candidates"][1]["country"] == "FJ"
    assert lines[3]["latitude"] is None


def test_geoparquet_tells_apart_what_is_unknown_and_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "places.parquet"
    file.write_bytes(FORMS["geoparquet"].write(RESULTS))
    frame = geopandas.read_parquet(file)
    assert frame["photo"].tolist() == [each.photo for each in RESULTS]
    assert frame["abstained"].tolist() == [False, None, False, True]
    assert frame["error"].notna().tolist() == [False, True, False, False]


@pytest.mark.parametrize("kind", FORMS)
def test_nothing_is_a_file_too(kind: str) -> None:
    assert isinstance(FORMS[kind].write([]), bytes)


def test_endings_tell_formats_apart() -> None:
    endings = [ending for form in FORMS.values() for ending in form.endings]
    assert len(endings) == len(set(endings))
