"""A model that does not know: what `lostfound locate` says then, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from PIL import Image


@pytest.fixture
def photos(tmp_path: Path, world: Path) -> Path:
    """A photo, and a picture that holds nothing."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(next((world / "images").iterdir()), folder / "a.jpg")
    Image.new("RGB", (64, 48)).save(folder / "black.png")
    return folder


@pytest.fixture
def locate(lostfound, photos: Path, calibrated_model_folder: Path):
    """Locate both; gives what was printed."""

    def run(*options: object, **variables: str) -> str:
        done = lostfound(
            *("locate", "photos", "--model", calibrated_model_folder, *options),
            cwd=photos.parent,
            **variables,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_table_says_so_and_why_in_80_columns(locate):
    said = re.sub(r"\x1b\[[0-9;]*m", "", locate(COLUMNS="80", FORCE_COLOR="1"))
    assert "I don't know" in said
    assert "there is nothing" in said
    assert "--always-answer" in said
    assert max(len(line.rstrip()) for line in said.splitlines()) <= 80


def test_asked_to_it_answers_all_the_same_and_warns(locate):
    said = locate("--always-answer")
    assert "I don't know" not in said
    assert "beware: there is" in said
    assert len(re.findall(r"-?\d+\.\d{3}, -?\d+\.\d{3}", said)) == 2


@pytest.mark.slow
def test_it_can_be_shown_what_is_no_place(
    lostfound, tmp_path: Path, model_folder: Path, dataset_folder: Path
):
    rng, cloth = np.random.default_rng(0), tmp_path / "cloth"
    cloth.mkdir()
    for number in range(41):
        across, down = rng.integers(0, 128, (2, 64, 3), dtype=np.uint8)
        Image.fromarray(across[:, None] + down[None, :]).save(cloth / f"{number}.png")
    (cloth / "40.png").write_bytes((cloth / "40.png").read_bytes()[:60])
    shutil.copytree(model_folder, tmp_path / "m")
    command = ("calibrate", tmp_path / "m", dataset_folder, "--split", "all", "--placeless")
    done = lostfound(*command, cloth)
    assert done.returncode == 0, done.stderr
    assert re.search(r"pictures of no place\W+40\b", done.stdout)
    assert "Left out of the pictures of no place" in done.stderr
    assert "40.png" in done.stderr
    done = lostfound("locate", cloth / "3.png", "--model", tmp_path / "m", "--format", "json")
    assert "photos of places" in json.loads(done.stdout)["photos"][0]["warning"]
    done = lostfound(
        "calibrate", tmp_path / "m", dataset_folder, "--split", "all", "--placeless", cloth / "1.png"
    )
    assert done.returncode == 2
    assert "of no place 1 can be read: 30 or more are needed" in re.sub(r"\s+", " ", done.stderr)


def test_how_sure_it_must_be_can_be_said(locate):
    photos = json.loads(locate("--min-probability", 0, "--format", "json"))["photos"]
    assert [each["abstained"] for each in photos] == [
        False,
        True,
    ]  # the black one shows nothing, however sure one must be
    assert locate("--min-probability", 1).count("I don't know") == 2


def test_photos_of_one_place_get_one_answer_with_radii(locate):
    said = locate("--same-place", "--always-answer")
    assert len(re.findall(r"-?\d+\.\d{3}, -?\d+\.\d{3}", said)) == 1
    assert "90 % within" in said


@pytest.mark.slow
def test_files_hold_no_place_unless_asked_to(locate):
    def black(form: str, *options: str):
        text = locate("--format", form, *options)
        if form == "csv":
            return list(csv.DictReader(io.StringIO(text)))[1]
        found = json.loads(text)
        return found["photos"][1] if form == "json" else found["features"][1]

    assert black("json")["latitude"] is None
    assert black("csv")["latitude"] == black("csv")["radius_90_km"] == ""
    assert black("geojson")["geometry"] is None
    assert black("json", "--always-answer")["latitude"] is not None
    assert float(black("csv", "--always-answer")["radius_90_km"]) > 0
    assert black("geojson", "--always-answer")["geometry"]["type"] == "Point"


@pytest.mark.parametrize(("options", "placed"), [([], False), (["--always-answer"], True)])
@pytest.mark.slow
def test_the_map_places_it_only_if_asked_to(locate, photos: Path, options: list[str], placed: bool):
    locate("--output", "map.html", *options)
    page = Page((photos.parent / "map.html").read_text(encoding="utf-8"))
    black = page.data("located")["entries"][1]
    assert "nothing to see" in black["warning"]
    assert ("guess" in black) == placed
    assert [share for share, _ in black.get("radii", [])] == ([50, 90] if placed else [])
    assert ("not placed" in page.texts("p", id="count")[0]) != placed


@pytest.mark.slow
def test_photos_of_one_trip_pull_each_other_s_answers_together(
    lostfound, world: Path, calibrated_model_folder: Path
):
    command = ("locate", world / "images", "--model", calibrated_model_folder, "--format", "json")
    alone, trip = (
        lostfound(*command, "--always-answer"),
        lostfound(*command, "--always-answer", "--same-trip"),
    )
    assert (alone.returncode, trip.returncode) == (0, 0)
    assert "the country stays with" in trip.stderr
    before, after = (json.loads(done.stdout)["photos"] for done in (alone, trip))
    assert [each["photo"] for each in before] == [each["photo"] for each in after]
    assert before != after

    def changes(photos: list[dict]) -> int:
        return sum(a["country"] != b["country"] for a, b in pairwise(photos))

    assert changes(after) <= changes(before)


def test_a_trip_is_no_place(lostfound, world: Path, calibrated_model_folder: Path):
    done = lostfound(
        *("locate", world / "images", "--model", calibrated_model_folder, "--same-place", "--same-trip")
    )
    assert done.returncode == 2
    assert "one of the two" in done.stderr
