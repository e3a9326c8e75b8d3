"""The main job on real images, short: three sources of three layouts, an epoch, an answer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.data, pytest.mark.slow]

COUNTRIES = {"France": 14, "Japan": 14, "Brazil": 14, "UK": 10, "Dubai": 10, "Réunion": 6}
CROATIAN = 16  # places of four views
SMALL = (
    *("--set", "input.size=[64, 64]", "--set", "trainer.epochs=1", "--set", "trainer.batch_size=32"),
    *("--set", "trainer.workers=1", "--set", "trainer.device=cpu"),
)


class Job(dict[str, subprocess.CompletedProcess[str]]):
    """What each command printed, and the folder they ran in."""

    folder: Path


@pytest.fixture(scope="session")
def real_job(made_once, lostfound, real_data: Path) -> Job:
    """Every command once, in one folder; each must succeed."""
    sources = (real_data / "exif-samples", "dataset_original_subset", "photos")
    weights = real_data / "weights" / "mobilenetv2_100.in1k.safetensors"
    commands = {
        "import": ("import", *sources, "--to", "data", "--size", 96, "--val", 0.15, "--test", 0.15, "--json"),
        "stats": ("stats", "data", "--json", "--to", "data.png"),
        "train": ("train", "countries", "--data", "data", "--to", "model", "--weights", weights, *SMALL),
        "evaluate": ("evaluate", "model", "data", "--json", "--to", "report"),
        "locate": ("locate", real_data / "exif-samples" / "street", "--model", "model", "--format", "json"),
    }

    def build(folder: Path) -> None:
        for country, count in COUNTRIES.items():
            own = folder / "photos" / country
            own.mkdir(parents=True)
            for image in sorted((real_data / "street-countries" / country).iterdir())[:count]:
                (own / image.name).symlink_to(image)
        croatian = real_data / "street-croatia" / "dataset_original_subset"
        header, *rows = (croatian / "data.csv").read_text().splitlines()
        part = folder / croatian.name
        (part / "images").mkdir(parents=True)
        (part / "data.csv").write_text("\n".join([header, *rows[:CROATIAN]]))
        for row in rows[:CROATIAN]:
            place = row.partition(",")[0]
            (part / "images" / place).symlink_to(croatian / "images" / place)
        for name, command in commands.items():
            done = lostfound(*command, cwd=folder)
            assert done.returncode == 0, f"{name}: {done.stderr}"
            (folder / f"{name}.said").write_text(json.dumps([done.stdout, done.stderr]))

    outcomes = Job()
    outcomes.folder = made_once("real_job", build)
    for name in commands:
        said = json.loads((outcomes.folder / f"{name}.said").read_text())
        outcomes[name] = subprocess.CompletedProcess(commands[name], 0, *said)
    return outcomes


def test_import_recognises_the_layouts_and_counts_what_it_skipped(real_job: Job):
    summary = json.loads(real_job["import"].stdout)
    assert sorted(summary["layouts"].values()) == ["exif", "folders", "table"]
    assert summary["imported"] == summary["images"] > 120
    assert any(reason.startswith("no location") for reason in summary["skipped"])
    listed = (real_job.folder / "data" / "skipped.csv").read_text().splitlines()
    assert len(listed) > sum(summary["skipped"].values()) > 0  # what is passed over by kind is listed too


def test_stats_knows_the_countries(real_job: Job):
    stats = json.loads(real_job["stats"].stdout)
    assert set(stats["sources"]) == {"exif-samples", "dataset_original_subset", "photos"}
    assert {"HR", "FR", "JP", "BR", "GB", "AE", "RE", "DE", "SE"} <= set(stats["countries"])
    assert stats["views"]["4"] == CROATIAN  # the Croatian places


def test_train_takes_the_weights_and_names_the_countries_left_out(real_job: Job):
    said = real_job["train"].stdout
    assert "tensors loaded, 0 of the backbone not in the file" in said
    assert "KE (1)" in next(line for line in said.splitlines() if line.startswith("Left out"))
    card = (real_job.folder / "model" / "README.md").read_text()
    assert "street-croatia" not in card  # the folder's own name is the source's
    assert "dataset_original_subset" in card


def test_evaluate_gives_numbers_with_intervals(real_job: Job):
    metrics = json.loads(real_job["evaluate"].stdout)["metrics"]
    for metric in metrics.values():
        assert metric["low"] <= metric["value"] <= metric["high"]
    assert metrics["median_distance_km"]["n"] < metrics["top_1_accuracy"]["n"]  # some have no coordinates


def test_locate_answers_for_every_photo(real_job: Job):
    photos = json.loads(real_job["locate"].stdout)["photos"]
    assert len(photos) == 32
    assert all(photo["candidates"] for photo in photos)


def test_the_stored_weights_answer_as_the_graph_does(real_job: Job, real_data: Path):
    """A network started from ImageNet weights, on photos of many countries' streets."""
    from agreement import assert_agreement

    folders = [each for each in sorted((real_data / "street-countries").iterdir()) if each.is_dir()]
    assert len(folders) > 50
    assert_agreement(real_job.folder / "model", [min(each.iterdir()) for each in folders])
