"""The demo, as a stranger runs it first: real photos located, measured, explained and mapped; no torch."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def demo(made_once, lostfound) -> Path:
    """The folder where a demo ran to its end; what it printed is in said.json."""

    def build(folder: Path) -> None:
        folder.mkdir()
        done = lostfound("demo", cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / "said.json").write_text(json.dumps([done.stdout, done.stderr]))

    return made_once("demo", build)


def said(demo: Path) -> str:
    return str(json.loads((demo / "said.json").read_text())[0])


def listed(text: str) -> dict[str, str]:
    """The paths that a demo prints at its end."""
    return dict(re.findall(r"^  (Map|Report|Why) +(\S+)$", text.partition("Done in")[2], flags=re.MULTILINE))


def test_it_leaves_a_map_a_report_and_an_explanation_and_prints_where(demo: Path):
    paths = listed(said(demo))
    assert set(paths) == {"Map", "Report", "Why"}
    for path in paths.values():
        assert (demo / path).read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_the_map_shows_photos_and_drawings_at_their_true_places(demo: Path):
    page = (demo / listed(said(demo))["Map"]).read_text(encoding="utf-8")
    assert "summer-palace.jpg" in page
    assert page.count('"truthName":"') == 5
    assert "drawings of a world that does not exist" in page
    assert "CC BY 2.0" in page


def test_a_picture_of_no_place_is_refused(demo: Path):
    row = re.search(r"flower\.jpg +(I don't know)", said(demo))
    assert row, said(demo)


def test_a_position_in_a_file_is_shown(demo: Path):
    assert "GPS: 39.998, 116.270" in said(demo)


def test_it_is_honest_about_what_it_measured(demo: Path):
    text = said(demo)
    assert "is no measurement: 5 pictures, 4 of them drawings, are far too few" in text
    assert "often wrong" in text
    measured = json.loads((demo / "lostfound-demo" / "report" / "metrics.json").read_text())
    assert measured["metrics"]["top_1_accuracy"]["n"] == 5


def test_what_it_measures_is_what_it_showed(demo: Path):
    """A copy that is smaller than the picture is answered otherwise."""
    shown = said(demo).partition("== 2/4")[0].count("I don't know")
    measured = pq.read_table(demo / "lostfound-demo" / "report" / "predictions.parquet").column("abstained")
    assert len(measured) == 5
    assert shown == len(measured) - measured.null_count + 1  # the flower, of which no place is known


def test_it_says_at_once_what_it_does(demo: Path):
    said = json.loads((demo / "said.json").read_text())[1]
    assert said.startswith("The demo, in four parts; what it makes goes to lostfound-demo\n")


def test_its_photos_come_with_their_notice(demo: Path):
    photos = demo / "lostfound-demo" / "photos"
    notice = (photos / "NOTICE.md").read_text(encoding="utf-8")
    for photo in photos.glob("*.jpg"):
        assert f"`{photo.name}`" in notice


@pytest.mark.slow
def test_again_it_goes_through(demo: Path, lostfound, tmp_path: Path):
    shutil.copytree(demo, tmp_path / "again")
    again = lostfound("demo", cwd=tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert listed(again.stdout) == listed(said(demo))


@pytest.mark.slow
def test_own_photos_take_the_place_of_its_own(demo: Path, lostfound, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    shutil.copy(demo / "lostfound-demo" / "photos" / "summer-palace.jpg", tmp_path / "mine")
    done = lostfound("demo", "--photos", "mine", "--to", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "drawing" not in done.stdout
    page = (tmp_path / "out" / "map.html").read_text(encoding="utf-8")
    assert page.count('"truthName":"') == 1


def test_own_photos_without_a_place_are_located_all_the_same(demo: Path, lostfound, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    shutil.copy(demo / "lostfound-demo" / "photos" / "flower.jpg", tmp_path / "mine")
    done = lostfound("demo", "--photos", "mine", "--to", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Nothing to compare with" in done.stderr
    assert set(listed(done.stdout)) == {"Map", "Why"}


def test_own_photos_of_which_none_can_be_read_are_said(lostfound, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "bad.jpg").write_bytes(b"no photo")
    done = lostfound("demo", "--photos", "mine", "--to", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "none of the photos in mine can be read" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--places", 60], "give --train with them"),
        (["--photos", "gone"], "gone does not exist"),
        (["--to", "."], "choose another folder with --to"),
    ],
)
def test_wrong_use_makes_nothing(lostfound, tmp_path: Path, arguments: list[object], said: str):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = lostfound("demo", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
