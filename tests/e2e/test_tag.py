"""`lostfound tag` through the command line, and killed again and again."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

ALL = ("--min-probability", 0)


@pytest.fixture
def results(tmp_path: Path, lostfound, world: Path, model_folder: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for image in sorted((world / "images").iterdir())[:40]:
        shutil.copy(image, photos)
    to = tmp_path / "results"
    assert lostfound("locate", photos, "--model", model_folder, "--to", to).returncode == 0
    return to


@pytest.mark.slow
def test_tags_are_written_shown_and_undone(lostfound, results: Path) -> None:
    photos = results.parent / "photos"
    before = {each.name: each.read_bytes() for each in photos.iterdir()}
    dry = lostfound("tag", results, *ALL, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert len(dry.stdout.splitlines()) == 40
    assert {each.name: each.read_bytes() for each in photos.iterdir()} == before
    assert "Written: 40 files" in lostfound("tag", results, *ALL).stderr
    assert len(list(photos.glob("*.xmp"))) == 40
    assert "Undone: 40 files" in lostfound("tag", results, "--undo").stderr
    assert {each.name: each.read_bytes() for each in photos.iterdir()} == before
    assert lostfound("tag", results, "--undo", "--exif").returncode == 2


@pytest.mark.slow
def test_only_what_is_rather_so_than_not_is_written_unless_one_says_otherwise(
    lostfound, results: Path
) -> None:
    run = lostfound("tag", results, "--dry-run")
    assert run.returncode == 0
    assert "less probable than 50 %" in run.stderr
    written = len(run.stdout.splitlines())
    assert written < 40
    assert f"Left alone: {40 - written}" in run.stderr
    by_radius = lostfound("tag", results, "--max-radius", 25_000, "--dry-run")
    assert "less probable" not in by_radius.stderr


@pytest.mark.slow
def test_twenty_kills_leave_the_same_bytes(start, lostfound, results: Path) -> None:
    photos = results.parent / "photos"

    def contents() -> dict[str, bytes]:
        folders = (photos, results)
        return {
            str(each): each.read_bytes()
            for folder in folders
            for each in folder.rglob("*")
            if each.is_file() and each.name != ".lock"
        }

    assert lostfound("tag", results, *ALL).returncode == 0
    whole = contents()
    lostfound("tag", results, "--undo")
    for kill in range(20):
        running = start("tag", results, *ALL, cwd=results.parent)
        # the file is there as soon as its line is written, or later: kills fall on both sides
        running.wait_until(lambda kill=kill: len(list(photos.glob("*.xmp"))) > kill)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.wait()
    assert lostfound("tag", results, *ALL).returncode == 0
    assert {name: data for name, data in contents().items() if ".partial" not in name} == whole
