"""A published model is converted and answers, through the real command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from published_weights import tiny_clip, write_release


@pytest.fixture(scope="session")
def model(lostfound, made_once) -> Path:
    def build(folder: Path) -> None:
        write_release(folder / "release")
        tiny_clip(10).save_pretrained(folder / "clip")
        run = lostfound(
            *("convert", "geoclip", "--weights", folder / "release", "--backbone", folder / "clip"),
            *("--to", folder / "model"),
        )
        assert run.returncode == 0, run.stderr
        assert "licence MIT" in run.stderr
        assert "Gallery: 7 rows, 5 places (equal coordinates merged)" in run.stderr

    return made_once("published-model", build) / "model"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.effect_noise((90, 60), 60).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.slow
def test_it_locates_and_is_measured_as_any_model(
    lostfound, model: Path, photo: Path, dataset_folder: Path
) -> None:
    run = lostfound("locate", photo, "--model", model, "--countries", "FR,JP", "--format", "json")
    assert run.returncode == 0, run.stderr
    (found,) = json.loads(run.stdout)["photos"]
    assert found["country"] in ("FR", "JP")
    assert len(found["candidates"]) == 2
    assert "commercial" not in run.stderr
    run = lostfound("evaluate", model, dataset_folder, "--json")
    assert run.returncode == 0, run.stderr
    assert "country_accuracy" in json.loads(run.stdout)["metrics"]


@pytest.mark.slow
def test_it_is_calibrated_as_any_model(
    lostfound, model: Path, photo: Path, dataset_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "m")
    run = lostfound("calibrate", tmp_path / "m", dataset_folder, "--split", "all")
    assert run.returncode == 0, run.stderr
    run = lostfound(
        *(
            "locate",
            photo,
            "--model",
            tmp_path / "m",
            "--always-answer",
            "--prior",
            "uniform",
            "--format",
            "json",
        )
    )
    assert run.returncode == 0, run.stderr
    (found,) = json.loads(run.stdout)["photos"]
    assert 0 < found["radius_50_km"] <= found["radius_90_km"]


@pytest.mark.slow
def test_a_licence_that_forbids_commerce_is_said_once(
    lostfound, model: Path, photo: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    config["published"] |= {"license": "CC-BY-NC-4.0", "commercial_use": False}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    run = lostfound("locate", photo, photo, "--model", tmp_path / "m")
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("geoclip is under CC-BY-NC-4.0: not for commercial use") == 1


@pytest.mark.slow
def test_a_list_of_places_is_a_gallery(lostfound, model: Path, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "places.csv").write_text("name;lat;lon\nA;48.86;2.35\nB;52.52;13.4\n")
    run = lostfound("gallery", "build", tmp_path / "places.csv", "--model", model, "--to", tmp_path / "own")
    assert run.returncode == 0, run.stderr
    assert "answers with 2 places, of 2 rows" in run.stderr
    run = lostfound("locate", photo, "--model", tmp_path / "own", "--format", "json")
    assert run.returncode == 0, run.stderr
    (found,) = json.loads(run.stdout)["photos"]
    assert {each["name"] for each in found["candidates"]} == {"A", "B"}


@pytest.mark.slow
def test_a_small_network_learns_from_the_place_tower(
    lostfound, model: Path, photo: Path, dataset_folder: Path, tiny: list[str], tmp_path: Path
) -> None:
    settings = [each for each in tiny if each != "task.min_images=2"] + ["trainer.epochs=1"]
    command = ["train", "embedding", "--data", dataset_folder, "--to", tmp_path / "small"]
    for each in [*settings, f"task.teacher={model}", "task.negatives=4"]:
        command += ["--set", each]
    run = lostfound(*command, "--variant", "contrastive")
    assert run.returncode == 0, run.stderr
    card = (tmp_path / "small" / "README.md").read_text()
    assert "the place tower of `model` makes of where they are (geoclip, MIT)" in card
    run = lostfound("locate", photo, "--model", tmp_path / "small", "--format", "json", "--always-answer")
    assert run.returncode == 0, run.stderr
    (found,) = json.loads(run.stdout)["photos"]
    assert len(found["candidates"]) == 5
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["training"]["teacher"]["license"] == "MIT"
    assert config["answer"]["kind"] == "gallery"
    (tmp_path / "places.csv").write_text("lat,lon\n-1.28,36.82\n48.86,2.35\n")
    run = lostfound(
        *(
            "gallery",
            "build",
            tmp_path / "places.csv",
            "--model",
            tmp_path / "small",
            "--to",
            tmp_path / "own",
        )
    )
    assert run.returncode == 0, run.stderr
    run = lostfound("evaluate", tmp_path / "own", dataset_folder, "--json")
    assert run.returncode == 0, run.stderr
    run = lostfound("train", "embedding", "--data", dataset_folder, "--to", tmp_path / "other")
    assert run.returncode == 1
    assert "models/geoclip is not a model folder" in run.stderr
    run = lostfound(*command, "--set", "task.teachr=x")
    assert run.returncode == 2
    assert "teacher" in run.stderr
