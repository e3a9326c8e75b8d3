"""Folders as strangers keep them: odd endings, links, pipes, other forms of names, and files of others."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest


@pytest.fixture
def odd(world: Path, tmp_path: Path) -> Path:
    """A folder with three photos named by coordinates, and much beside them."""
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    images = sorted((world / "images").iterdir())
    for image, name in zip(
        images, ("48.5,2.5.jfif", "deep/42.5,21.25", "../elsewhere/-12.5,30.5.JPE"), strict=False
    ):
        shutil.copy(image, photos / name)
    for name, target in {
        "linked": "../elsewhere",
        "back": "..",
        "loop": "loop",
        "loop.jpg": "loop.jpg",
        "gone.jpg": "nowhere.jpg",
    }.items():
        (photos / name).symlink_to(target)
    for name in ("pipe.jpg", "pipe.csv", "pipe"):
        os.mkfifo(photos / name)
    for name in ("notes.txt", "more.txt", ".DS_Store"):
        (photos / name).write_text("no photo")
    shutil.copy(images[0], photos / "a.nef")
    return photos


FAILED = {
    "a.nef": "a raw photo (save it as JPEG or TIFF first)",
    "gone.jpg": "a link to nothing",
    "loop.jpg": "a link that leads to itself",
    "pipe.jpg": "no regular file (a pipe)",
}
PASSED = {
    "back": "a folder that is searched already, by another name",
    "loop": "a link that leads to itself",
    "pipe": "no regular file (a pipe)",
    "pipe.csv": "no regular file (a pipe)",
}
TAKEN = ["48.5,2.5.jfif", "deep/42.5,21.25", "linked/-12.5,30.5.JPE"]


def test_an_import_takes_what_is_a_photo_and_lists_all_else(lostfound, odd, tmp_path):
    done = lostfound("import", "photos", "--to", "data", "--size", 48, "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["imported"] == len(TAKEN)
    assert said["passed_over"] == {".txt": 2, "hidden": 1}
    with (tmp_path / "data" / "skipped.csv").open(newline="") as file:
        listed = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert listed == {
        **{f"photos/{name}": reason for name, reason in {**FAILED, **PASSED}.items()},
        "photos/*.txt": "no photo itself (2 of them)",
        "photos/* (hidden)": "no photo itself (1 of them)",
    }


def test_locating_takes_the_same_files_from_a_folder(lostfound, odd, model_folder, tmp_path):
    done = lostfound("locate", "photos", "--model", model_folder, "--format", "json", cwd=tmp_path)

    assert done.returncode == 1
    answers = json.loads(done.stdout)["photos"]
    answered = [each["photo"] for each in answers if "error" not in each]
    assert answered == [f"photos/{name}" for name in TAKEN]
    failed = {each["photo"]: each["error"] for each in answers if "error" in each}
    assert failed == {f"photos/{name}": f"{name}: {reason}" for name, reason in FAILED.items()}
    for name, reason in PASSED.items():
        assert f"Passed over: photos/{name}: {reason}" in done.stderr
    assert "Other files, passed over: 2 .txt, 1 hidden" in done.stderr


@pytest.mark.parametrize("name", [*TAKEN, *FAILED])
@pytest.mark.slow
def test_a_photo_alone_is_answered_as_in_its_folder(lostfound, odd, model_folder, tmp_path, name):
    done = lostfound("locate", f"photos/{name}", "--model", model_folder, "--format", "json", cwd=tmp_path)

    if name in TAKEN:
        assert done.returncode == 0
        return
    assert done.returncode in (1, 2)
    assert name.rpartition("/")[2] in done.stdout + done.stderr


@pytest.mark.parametrize(("stored", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.slow
def test_a_table_finds_files_in_every_unicode_form(lostfound, world, tmp_path, stored, written):
    image = next((world / "images").iterdir())
    (tmp_path / "photos").mkdir()
    shutil.copy(image, tmp_path / "photos" / unicodedata.normalize(stored, "Žižkov Ölçü.jpg"))
    name = unicodedata.normalize(written, "žižkov Ölçü.JPG")
    (tmp_path / "photos" / "t.csv").write_text(f"path,lat,lng\n{name},50.08,14.45\n", encoding="utf-8")

    done = lostfound("import", "photos", "--to", "data", "--size", 48, "--json", cwd=tmp_path)

    assert json.loads(done.stdout)["imported"] == 1


# --- nothing of others is deleted


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    "command", ["import", "prepare", "publish", "train", "compare", "demo", "demo --train", "average"]
)
@pytest.mark.slow
def test_no_command_touches_a_folder_of_something_else(
    lostfound, world, dataset_folder, model_folder, tmp_path, command
):
    theirs = tmp_path / "theirs"
    for name in (
        "images/backup.tar",
        ".import-mine/a",
        "run/notes.txt",
        "config.json",
        "data/x.parquet",
        ".lock",
    ):
        (theirs / name).parent.mkdir(parents=True, exist_ok=True)
        (theirs / name).write_text("{}")
    study = tmp_path / "study.yaml"
    study.write_text(
        "{name: t, recipe: demo, seeds: [0], baseline: a, variants: {a: {}, b: {set: {trainer.epochs: 1}}}}"
    )
    before = contents(tmp_path)
    arguments = {
        "import": (world, "--to", theirs),
        "prepare": (dataset_folder, "--to", theirs, "--size", 32),
        "publish": (dataset_folder, theirs, "--unknown-license", "CC0-1.0"),
        "train": ("demo", "--data", dataset_folder, "--to", theirs, "--overwrite"),
        "compare": (study, "--data", dataset_folder, "--to", theirs),
        "demo": ("--to", theirs),
        "demo --train": ("--train", "--to", theirs),
        "average": (model_folder, model_folder, "--data", dataset_folder, "--to", theirs),
    }[command]

    done = lostfound(command.partition(" ")[0], *arguments, cwd=tmp_path)

    assert done.returncode in (1, 2)
    assert str(theirs) in done.stderr
    assert contents(tmp_path) == before


# --- files that can't be written


@pytest.mark.parametrize(
    ("name", "said"),
    [("o.csv", "o.csv: File too large"), (f"{'x' * 300}.csv", "xxx.csv: File name too long")],
)
def test_a_file_that_can_t_be_written_is_named(world, model_folder, tmp_path, name, said):
    image = next((world / "images").iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "lostfound", "locate", image, "--model", model_folder, "--output", name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20)),
    )

    assert done.returncode == 1
    assert said in done.stderr
    assert ".partial" not in done.stderr
    assert list(tmp_path.iterdir()) == []
