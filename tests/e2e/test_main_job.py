"""The main job as a user does it: from a folder of photos to a located photo, command by command."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

PNG = b"\x89PNG"
SMALL = (
    *("--set", "input.size=[32, 32]", "--set", "trainer.epochs=1", "--set", "trainer.batch_size=16"),
    *("--set", "task.min_images=2", "--set", "trainer.workers=0", "--set", "trainer.device=cpu"),
    *("--set", "model.backbone=lostfound:cnn5", "--set", "model.options={width: 8}"),
)


class Job(dict[str, subprocess.CompletedProcess[str]]):
    """What each command printed, and the folder they ran in."""

    folder: Path


@pytest.fixture(scope="session")
def job(made_once, lostfound, world: Path) -> Job:
    """Every command once, in one folder; each must succeed."""
    commands = {
        "import": ("import", world, "--to", "data", "--size", 64, "--val", 0.2, "--test", 0.2, "--jobs", 2),
        "again": ("import", world, "--to", "data", "--size", 64, "--val", 0.2, "--test", 0.2, "--json"),
        "stats": ("stats", "data", "--json", "--to", "data.png"),
        "prepare": ("prepare", "data", "--to", "data-32", "--size", 32, "--jobs", 1, "--json"),
        "train": ("train", "demo", "--data", "data-32", "--to", "model", *SMALL),
        "evaluate": ("evaluate", "model", "data-32", "--json", "--to", "report"),
        "locate": ("locate", world / "images", "--model", "model", "--format", "json", "--top", 2),
    }

    def build(folder: Path) -> None:
        folder.mkdir()
        for name, command in commands.items():
            done = lostfound(*command, cwd=folder)
            assert done.returncode == 0, f"{name}: {done.stderr}"
            (folder / f"{name}.said").write_text(json.dumps([done.stdout, done.stderr]))

    outcomes = Job()
    outcomes.folder = made_once("job", build)
    for name in commands:
        said = json.loads((outcomes.folder / f"{name}.said").read_text())
        outcomes[name] = subprocess.CompletedProcess(commands[name], 0, *said)
    return outcomes


def test_import_says_what_it_did(job):
    said = job["import"].stdout
    assert "world: layout table" in said
    assert "images imported                 96\n" in said
    assert "Importing: 96/96" in job["import"].stderr


def test_import_again_adds_nothing(job):
    summary = json.loads(job["again"].stdout)
    assert (summary["imported"], summary["images"], summary["skipped"]) == (0, 96, {})


def test_stats_as_json_and_as_a_picture(job):
    stats = json.loads(job["stats"].stdout)
    assert (stats["images"], stats["places"], stats["located"]) == (96, 48, 96)
    assert stats["countries"] == {"BR": 24, "FR": 24, "JP": 24, "KE": 24}
    assert stats["views"] == {"2": 48}
    assert sum(stats["splits"].values()) == 96
    assert job["stats"].stderr == "Picture: data.png\n"
    assert (job.folder / "data.png").read_bytes().startswith(PNG)


def test_prepare_shrinks_and_keeps_the_splits(job):
    before, after = (json.loads(job[name].stdout) for name in ("stats", "prepare"))
    assert {name: after[name] for name in before} == before
    assert after["datasets"] == ["data-32"]
    widths = pq.read_table(job.folder / "data-32" / "records.parquet")["width"]
    assert set(widths.to_pylist()) == {32}


def test_train_leaves_a_whole_model(job):
    model = job.folder / "model"
    assert {path.name for path in model.iterdir()} == {
        *("config.json", "model.onnx", "model.safetensors", "partition.parquet", "calibration.json"),
        *("README.md", "run", "statistics.npz"),
    }
    assert json.loads((model / "config.json").read_text())["recipe"]["input"]["size"] == [32, 32]
    said = job["train"].stdout
    assert "Trained in" in said
    assert "top-1 accuracy" in said
    assert said.endswith("Model: model\n")
    assert "epoch 1/1" in job["train"].stderr


def test_evaluate_prints_and_writes_the_same_numbers(job):
    report = job.folder / "report"
    printed = json.loads(job["evaluate"].stdout)
    assert json.loads((report / "metrics.json").read_text()) == printed
    assert printed["split"] == "test"
    top1 = printed["metrics"]["top_1_accuracy"]
    assert 0 <= top1["low"] <= top1["value"] <= top1["high"] <= 1
    assert pq.read_table(report / "predictions.parquet").num_rows == printed["images"] == top1["n"]
    assert (report / "confusion.png").read_bytes().startswith(PNG)
    assert job["evaluate"].stderr.endswith("Report: report/report.html\n")


def test_evaluate_prints_what_train_measured(job, lostfound):
    table = lostfound("evaluate", "model", "data-32", cwd=job.folder).stdout
    assert table in job["train"].stdout


@pytest.mark.parametrize("split", ["val", "all"])
def test_evaluate_takes_another_split(job, lostfound, split: str):
    done = lostfound("evaluate", "model", "data-32", "--split", split, "--json", cwd=job.folder)
    counts = json.loads(job["stats"].stdout)["splits"]
    assert json.loads(done.stdout)["images"] == counts.get(split, 96)


def test_locate_ranks_candidates_for_every_photo(job):
    answer = json.loads(job["locate"].stdout)
    assert len(answer["photos"]) == 96
    assert "estimates" in answer["note"]
    for photo in answer["photos"]:
        first, second = (one["probability"] for one in photo["candidates"])
        assert first >= second
        best = photo["candidates"][0]["cell_id"]
        assert photo["country"] == (None if photo["abstained"] else best)
    assert "Locating: 96/96" in job["locate"].stderr


@pytest.fixture
def photos(tmp_path: Path, world: Path) -> Path:
    """Two photos of the same name in two folders, and one that is no image."""
    for folder, source in zip(("first", "second"), sorted((world / "images").iterdir()), strict=False):
        (tmp_path / folder).mkdir()
        shutil.copy(source, tmp_path / folder / "photo.jpg")
    (tmp_path / "second" / "broken.jpg").write_bytes(b"no image")
    return tmp_path


NAMES = ["first/photo.jpg", "second/broken.jpg", "second/photo.jpg"]


def read(form: str, text: str) -> list[str]:
    """The photos that an output names."""
    if form == "json":
        return [photo["photo"] for photo in json.loads(text)["photos"]]
    if form == "csv":
        return [row["photo"] for row in csv.DictReader(io.StringIO(text))]
    if form == "geojson":
        return [feature["properties"]["photo"] for feature in json.loads(text)["features"]]
    return [line.split("  ")[0] for line in text.splitlines() if ".jpg" in line]


@pytest.mark.parametrize(
    ("form", "named"),
    [("table", NAMES), ("json", NAMES), ("csv", NAMES), ("geojson", [NAMES[0], NAMES[2]])],
)
def test_locate_in_every_format_on_the_screen_and_in_a_file(
    lostfound, photos: Path, model_folder: Path, form: str, named: list[str]
):
    command = ("locate", "first", "second", "--model", model_folder, "--format", form)
    on_screen = lostfound(*command, cwd=photos)
    in_file = lostfound(*command, "--output", "deep/answers.txt", cwd=photos)
    assert (on_screen.returncode, in_file.returncode) == (1, 1)
    assert read(form, on_screen.stdout) == named
    assert in_file.stdout == ""
    assert (photos / "deep" / "answers.txt").read_text() == on_screen.stdout
    assert "Written: deep/answers.txt" in in_file.stderr
    assert in_file.stderr.endswith("lostfound: 1 of 3 photos could not be read\n")
    assert "second/broken.jpg: " in in_file.stderr


def test_a_table_is_what_locate_shows(lostfound, photos: Path, model_folder: Path):
    shown = lostfound("locate", "first/photo.jpg", "--model", model_folder, "--top", 2, cwd=photos)
    assert shown.returncode == 0
    assert shown.stdout.count(" %  ") == 2
    assert "estimates from pixels alone, not measurements" in shown.stdout
    assert (
        shown.stdout
        == lostfound(
            *("locate", "first/photo.jpg", "--model", model_folder, "--top", 2, "--format", "table"),
            cwd=photos,
        ).stdout
    )


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("out.json", '{\n  "schema"'),
        ("out.CSV", "photo,latitude,longitude,"),
        ("out.geojson", '{"type": "FeatureCollection"'),
        ("out.html", "<!doctype html>"),
    ],
)
def test_the_name_of_the_output_says_its_format(
    lostfound, photos: Path, model_folder: Path, name: str, start: str
):
    done = lostfound("locate", "first", "--model", model_folder, "--output", name, cwd=photos)
    assert done.returncode == 0
    assert (photos / name).read_text()[: len(start)].lower() == start.lower()


def test_the_map_page_tells_photos_of_one_name_apart(lostfound, photos: Path, model_folder: Path):
    lostfound("locate", "first", "second", "--model", model_folder, "--output", "map.html", cwd=photos)
    page = (photos / "map.html").read_text()
    assert "first/photo.jpg" in page
    assert "second/photo.jpg" in page


def test_odd_file_names_are_shown_as_they_are(lostfound, tmp_path: Path, world: Path, model_folder: Path):
    photo = next((world / "images").iterdir())
    names = ["[red]a[bold].jpg", ":smile:.jpg", "São Tomé 日本.jpg", "a,b\"c'.jpg", "-x.jpg"]
    for name in names:
        shutil.copy(photo, tmp_path / name)
    shutil.copy(photo, bytes(tmp_path) + b"/caf\xe9.jpg")  # no UTF-8
    table = lostfound("locate", ".", "--model", model_folder, cwd=tmp_path)
    assert table.returncode == 0
    for name in names:
        assert f"{name}  " in table.stdout
    for form in ("json", "csv", "geojson"):
        done = lostfound("locate", ".", "--model", model_folder, "--format", form, cwd=tmp_path)
        assert done.returncode == 0
        said = read(form, done.stdout)
        assert len(said) == len(names) + 1
        assert {f"'{name}" if form == "csv" and name[0] == "-" else name for name in names} < set(said)


def test_heic_photos_are_located(lostfound, tmp_path: Path, world: Path, model_folder: Path):
    import pillow_heif

    picture = Image.open(next((world / "images").iterdir())).resize((128, 128))
    pillow_heif.from_pillow(picture).save(tmp_path / "photo.heic", quality=95)
    picture.save(tmp_path / "photo.png")
    done = lostfound("locate", ".", "--model", model_folder, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0
    heic, png = json.loads(done.stdout)["photos"]
    assert heic["photo"] == "photo.heic"
    assert heic["probability"] == pytest.approx(png["probability"], abs=0.02)


def test_map_without_a_file_is_wrong_usage(lostfound, photos: Path, model_folder: Path):
    done = lostfound("locate", "first", "--model", model_folder, "--format", "map", cwd=photos)
    assert done.returncode == 2
    assert "--output" in done.stderr
