"""`lostfound locate --to` and `lostfound export` through the command line, and killed again and again."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from filelock import FileLock


@pytest.fixture
def photos(tmp_path: Path, world: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for image in sorted((world / "images").iterdir())[:8]:
        shutil.copy(image, folder)
    return folder


@pytest.mark.slow
def test_a_folder_is_located_and_written_in_many_formats(lostfound, photos: Path, model_folder: Path) -> None:
    to = photos.parent / "results"
    done = lostfound(
        "locate", photos, "--model", model_folder, "--to", to, "--output", photos.parent / "a.kml"
    )
    assert done.returncode == 0, done.stderr
    assert "Located: 8 photos; 0 were known; 8 in" in done.stderr
    assert (photos.parent / "a.kml").read_text().count("<Placemark>") == 8
    again = lostfound("locate", photos, "--model", model_folder, "--to", to)
    assert "Located: 0 photos; 8 were known" in again.stderr
    lines = lostfound("export", to, "--format", "jsonl").stdout.splitlines()
    assert len(lines) == 8
    plain = lostfound("locate", photos, "--model", model_folder, "--format", "json").stdout
    named = {Path(each["photo"]).name: each["candidates"] for each in json.loads(plain)["photos"]}
    assert {Path(each["photo"]).name: each["candidates"] for each in map(json.loads, lines)} == named
    page = lostfound("export", to, "--output", photos.parent / "map.html")
    assert page.returncode == 0
    assert (photos.parent / "map.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--include", "*.jpg"], "give --to RESULTS with them"),
        (["--to", "results", "--same-place"], "--to answers photos one by one"),
        (["--to", "results", "--output", "places.odd"], "does not say its format"),
        (["--format", "geoparquet"], "GeoParquet is no text"),
    ],
)
def test_what_does_not_go_together_is_said(
    lostfound, photos: Path, model_folder: Path, arguments: list[str], said: str
) -> None:
    done = lostfound("locate", photos, "--model", model_folder, *arguments, cwd=photos.parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (photos.parent / "results").exists()


@pytest.mark.slow
def test_unreadable_photos_are_listed_and_the_exit_code_says_so(
    lostfound, photos: Path, model_folder: Path
) -> None:
    (photos / "zz.jpg").write_bytes(b"no picture")
    done = lostfound("locate", photos, "--model", model_folder, "--to", photos.parent / "results")
    assert done.returncode == 1
    assert "1 photos could not be read" in done.stderr
    assert "zz.jpg: not an image" in (photos.parent / "results" / "unreadable.csv").read_text()


def many(photos: Path, count: int) -> Path:
    """So many photos of different bytes: what follows a JPEG's end is not looked at."""
    folder = photos.parent / "many"
    folder.mkdir()
    sources = [each.read_bytes() for each in sorted(photos.iterdir())]
    for number in range(count):
        (folder / f"{number:05}.jpg").write_bytes(sources[number % len(sources)] + str(number).encode())
    return folder


@pytest.mark.slow
def test_two_runs_on_one_folder(start, lostfound, photos: Path, model_folder: Path) -> None:
    folder, to = many(photos, 40), photos.parent / "results"
    assert lostfound("locate", folder, "--model", model_folder, "--to", to).returncode == 0
    with FileLock(to / ".lock"):  # as a run holds it
        done = lostfound("locate", folder, "--model", model_folder, "--to", to)
    assert done.returncode == 2
    assert "is in use by another run" in done.stderr


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_answered(start, photos: Path, model_folder: Path) -> None:
    folder, to = many(photos, 6000), photos.parent / "results"
    running = start("locate", folder, "--model", model_folder, "--to", to, cwd=photos.parent)
    running.wait_until((to / "parts" / "000000.parquet").exists)
    code, _, said = running.press_ctrl_c("all")
    assert code == 130
    assert "what was answered is kept" in said


@pytest.mark.slow
def test_twenty_kills_leave_the_same_bytes(start, lostfound, photos: Path, model_folder: Path) -> None:
    folder, to = many(photos, 3000), photos.parent / "results"
    whole = photos.parent / "whole"
    assert lostfound("locate", folder, "--model", model_folder, "--to", whole).returncode == 0
    for kill in range(20):
        running = start("locate", folder, "--model", model_folder, "--to", to, cwd=photos.parent)
        parts = kill // 2  # once more before the next part is there, once when it is being written
        running.wait_until(lambda parts=parts: len(list((to / "parts").glob("*"))) > parts)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.wait()
    assert lostfound("locate", folder, "--model", model_folder, "--to", to).returncode == 0
    contents = [
        {str(each.relative_to(root)): each.read_bytes() for each in root.rglob("*") if each.is_file()}
        for root in (whole, to)
    ]
    for each in contents:
        each.pop(".lock", None)
    assert contents[0] == contents[1]
