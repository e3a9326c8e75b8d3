"""`lostfound prepare` and `stats` on the command line: recipes, reports, leaks and pictures."""

from __future__ import annotations

import csv
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lostfound.data.dataset import Dataset

PNG = b"\x89PNG"


@pytest.fixture
def folder(dataset_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(dataset_folder, tmp_path / "data")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
def test_prepare_says_what_each_step_did(lostfound, folder: Path) -> None:
    done = lostfound(
        *("prepare", "data", "--to", "new", "--recipe", "clean", "--set", "quality.sharpness_quantile=0.25"),
        *("--set", "quality.min_sharpness=null", "--set", "rebalance={target: uniform, slack: 0.9}"),
        cwd=folder,
    )

    assert done.returncode == 0, done.stderr
    assert "images to prepare" in done.stdout
    assert "quality     sharpness below" in done.stdout
    assert "Enriched: region" in done.stdout
    assert "Balanced: " in done.stdout
    assert "What was left out, one by one: new/dropped.csv" in done.stdout
    with (folder / "new" / "dropped.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == 96 - len(Dataset.open(folder / "new"))
    assert {row["step"] for row in listed} >= {"quality"}


@pytest.mark.slow
def test_prepare_as_json_is_what_the_data_set_keeps(lostfound, folder: Path) -> None:
    done = lostfound(
        *("prepare", "data", "--to", "new", "--size", 48, "--size", 32, "--json"),
        *("--set", "rebalance={max_images: 10}"),
        cwd=folder,
    )

    said = json.loads(done.stdout)
    assert said["datasets"] == ["new-48", "new-32"]
    assert said["countries"] == {"BR": 10, "FR": 10, "JP": 10, "KE": 10}
    for name in said["datasets"]:
        assert json.loads((folder / name / "dataset.json").read_text())["prepared"] == said["prepared"]
    assert said["prepared"]["steps"] == [
        {"step": "rebalance", "reason": "more than its country may have", "dropped": 56, "left": 40}
    ]


@pytest.mark.slow
def test_leaks_before_and_after(lostfound, folder: Path) -> None:
    lostfound("prepare", "data", "--to", "leaky", "--set", "split={by: image, test: 0.3}", cwd=folder)
    lostfound("prepare", "leaky", "--to", "clean", "--resplit", "--test", 0.3, cwd=folder)

    before, after = (lostfound("stats", name, "--leaks", cwd=folder) for name in ("leaky", "clean"))

    assert "Leaks: what is tested on is not new" in before.stdout
    assert "No leaks: " in after.stdout
    found = {
        name: json.loads(lostfound("stats", name, "--leaks", "--json", cwd=folder).stdout)["leaks"][0]
        for name in ("leaky", "clean")
    }
    assert found["leaky"]["same_panorama"] > 0
    assert found["leaky"]["distance_km"]["nearest"] == 0
    assert found["clean"]["same_panorama"] == found["clean"]["within"] == 0
    assert found["clean"]["distance_km"]["nearest"] > 1


@pytest.mark.slow
def test_the_quality_is_drawn(lostfound, folder: Path) -> None:
    done = lostfound("stats", "data", "--quality", "quality.png", "--recipe", "lost-and-found", cwd=folder)

    assert done.returncode == 0
    assert done.stderr.endswith("Picture: quality.png\n")
    assert (folder / "quality.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--recipe", "lost-and-fund"), ["no recipe 'lost-and-fund'", "clean", "lost-and-found"]),
        (("--recipe", "mine.yaml"), ["mine.yaml does not exist"]),
        (("--set", "qualty.min_sharpness=30"), ["unknown key 'qualty'; did you mean 'quality'?"]),
        (("--set", "quality.min_sharpness=1e7"), ["would drop all 96 images", "What remains at which value"]),
        (("--set", "rebalance={target: t.csv}"), ["of which the data has no image: NO"]),
        (("--set", "rebalance={target: gone.csv}"), ["gone.csv", "does not exist"]),
        (("--size", 8), ["greater than or equal to 16"]),
    ],
    ids=["no recipe", "no file", "unknown key", "drops all", "lacks a country", "no target", "size"],
)
@pytest.mark.slow
def test_what_can_t_be_done_is_said_and_changes_nothing(lostfound, folder: Path, options, says) -> None:
    (folder / "t.csv").write_text("country,share\nNorway,1\nFrance,2\n")
    before = contents(folder / "data")

    done = lostfound("prepare", "data", "--to", "new", *options, cwd=folder)

    assert done.returncode == 2
    assert [part for part in says if part not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert contents(folder / "data") == before
    assert not (folder / "new" / "dataset.json").exists()


@pytest.mark.slow
def test_a_disk_that_takes_no_more_is_said_and_the_same_command_goes_on(lostfound, folder: Path) -> None:
    command = [sys.executable, "-m", "lostfound", "prepare", "data", "--to", "new", "--jobs", "1"]
    before = contents(folder / "data")

    def little_room() -> None:  # no file may grow beyond this: the nearest to a full disk without a disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        command, cwd=folder, preexec_fn=little_room, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(folder / "data") == before
    assert not (folder / "new" / "dataset.json").exists()
    assert lostfound(*command[3:], cwd=folder).returncode == 0
    lostfound("prepare", "data", "--to", "undisturbed", "--jobs", 1, cwd=folder)
    assert contents(folder / "new") == contents(folder / "undisturbed")


@pytest.mark.slow
@pytest.mark.data
def test_street_panoramas_leak_by_image_and_not_by_place(
    lostfound, real_panoramas: Path, tmp_path: Path
) -> None:
    commands = (
        ("prepare", real_panoramas, "--to", "leaky", "--set", "split.by=image"),
        ("prepare", "leaky", "--to", "clean", "--recipe", "clean"),
    )
    for command in commands:
        assert lostfound(*command, cwd=tmp_path).returncode == 0

    before, after = (
        json.loads(lostfound("stats", name, "--leaks", "--json", cwd=tmp_path).stdout)["leaks"][0]
        for name in ("leaky", "clean")
    )

    assert before["same_panorama"] > 0.9 * before["located"]
    assert (after["same_panorama"], after["within"], after["near_duplicates"]) == (0, 0, 0)
    steps = json.loads((tmp_path / "clean" / "dataset.json").read_text())["prepared"]["steps"]
    assert sum(step["dropped"] for step in steps) > 0  # dark views and placeholders
