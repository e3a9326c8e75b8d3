"""Where what a person asked for goes, and what names of files can't do to terminals and spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HARMFUL = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u202e"} - {"\n"}
NAMES = ["\x1b[31mred.jpg", "a\rb\x07.jpg", "\x9b2J.jpg", "two\nlines.jpg", "=1+1.jpg", "\u202egpj.jpg"]


@pytest.fixture
def photos(tmp_path: Path, world: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(next((world / "images").iterdir()), folder / "a.jpg")
    return folder


@pytest.fixture
def odd_names(photos: Path) -> Path:
    for name in NAMES:
        shutil.copy(photos / "a.jpg", photos / name)
    (photos / "\x1b]0;broken\x07.jpg").write_bytes(b"no picture")
    (photos / "a.jpg").unlink()
    return photos


@pytest.mark.parametrize("to", ["-", "/dev/stdout"])
@pytest.mark.slow
def test_standard_output_may_be_named(lostfound, photos: Path, model_folder: Path, to: str):
    if not Path("/dev/stdout").exists():
        pytest.skip("this system has no /dev/stdout")
    command = ("locate", "photos", "--model", model_folder, "--format", "json")
    done = lostfound(*command, "--output", to, cwd=photos.parent)
    assert done.returncode == 0
    assert done.stdout == lostfound(*command, cwd=photos.parent).stdout
    assert Path("/dev/stdout").exists()
    assert [each.name for each in photos.parent.iterdir()] == ["photos"]


@pytest.mark.parametrize("form", ["map", "csv"])
@pytest.mark.slow
def test_devices_and_links_stay(lostfound, photos: Path, model_folder: Path, form: str):
    (photos.parent / "target").write_text("before")
    (photos.parent / "target").chmod(0o640)
    (photos.parent / "link").symlink_to("target")
    for to in ("link", "/dev/null"):
        command = ("locate", "photos", "--model", model_folder, "--format", form, "--output", to)
        assert lostfound(*command, cwd=photos.parent).returncode == 0
    assert (photos.parent / "link").is_symlink()
    assert "a.jpg" in (photos.parent / "target").read_text()
    assert (photos.parent / "target").stat().st_mode & 0o777 == 0o640
    assert Path("/dev/null").is_char_device()


@pytest.mark.slow
def test_pictures_partitions_and_lists_go_there_too(lostfound, dataset_folder: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to("target")
    for command in (
        ("stats", dataset_folder, "--to", "link"),
        ("partition", "build", dataset_folder, "--kind", "countries", "--to", "link"),
        ("list", dataset_folder, "--to", "link"),
    ):
        (tmp_path / "target").unlink(missing_ok=True)
        assert lostfound(*command, cwd=tmp_path).returncode == 0
        assert (tmp_path / "target").stat().st_size > 100
        assert (tmp_path / "link").is_symlink()
    listed = lostfound("list", dataset_folder, "--to", "-", cwd=tmp_path)
    assert listed.stdout == (tmp_path / "target").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "lostfound", "stats", str(dataset_folder), "--to", "-"],
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.startswith(b"\x89PNG")


@pytest.mark.parametrize("form", ["table", "json", "geojson"])
@pytest.mark.slow
def test_no_name_reaches_the_terminal_as_a_command(lostfound, odd_names: Path, model_folder: Path, form: str):
    done = lostfound("locate", "photos", "--model", model_folder, "--format", form, cwd=odd_names.parent)
    assert done.returncode == 1
    assert not HARMFUL & set(done.stdout + done.stderr)
    if form == "json":
        named = {Path(each["photo"]).name for each in json.loads(done.stdout)["photos"]}
        assert set(NAMES) < named  # machines read the names as they are


@pytest.mark.slow
def test_csv_holds_no_formula_and_every_name(lostfound, odd_names: Path, model_folder: Path):
    command = ("locate", ".", "--model", model_folder, "--format", "csv", "--output", "../out.csv")
    done = lostfound(*command, cwd=odd_names)
    assert not HARMFUL & set(done.stdout + done.stderr)
    with (odd_names.parent / "out.csv").open(newline="") as file:
        named = [row["photo"] for row in csv.DictReader(file)]
    assert {"'=1+1.jpg", "a\rb\x07.jpg", "two\nlines.jpg"} < set(named)
    raw = lostfound("locate", ".", "--model", model_folder, "--format", "csv", "--raw", cwd=odd_names)
    assert "=1+1.jpg" in [row["photo"] for row in csv.DictReader(io.StringIO(raw.stdout))]


@pytest.mark.slow
def test_imports_and_errors_are_harmless_too(lostfound, odd_names: Path):
    (odd_names / "France\x1b[2J").mkdir()
    folder = odd_names.rename(odd_names.parent / "bad\x1b[2Jname")
    for command in (
        ("import", folder, "--to", "data\x1b[2J"),
        ("import", folder / "gone\x9b", "--to", "data"),
        ("locate", folder / "gone\x1b.jpg"),
        ("locate", folder, "--model", "model\x1b[2J"),
        ("stats", "data\x1b[2J"),
    ):
        done = lostfound(*command, cwd=folder.parent)
        assert done.returncode != 0
        assert not HARMFUL & set(done.stdout + done.stderr)
        assert "\\x" in done.stderr
