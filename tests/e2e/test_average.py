"""`lostfound average`: several models become one, calibrated and measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def again(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "again", ignore=shutil.ignore_patterns("run")))


@pytest.mark.slow
def test_an_average_of_the_same_answers_the_same_and_its_card_names_what_was_averaged(
    lostfound, model_folder: Path, again: Path, dataset_folder: Path, world: Path, tmp_path: Path
):
    done = lostfound("average", again, model_folder, "--data", dataset_folder, "--to", tmp_path / "average")
    assert done.returncode == 0, done.stderr
    assert "top-1 accuracy" in done.stdout
    photo = next((world / "images").iterdir())
    answers = [
        json.loads(lostfound("locate", photo, "--model", model, "--format", "json").stdout)["photos"][0]
        for model in (model_folder, tmp_path / "average")
    ]
    ours, theirs = ({each["cell_id"]: each["probability"] for each in one["candidates"]} for one in answers)
    assert theirs == pytest.approx(ours, abs=1e-3)
    card = (tmp_path / "average" / "README.md").read_text()
    assert f"an average: `again`, `{model_folder.name}`" in card


@pytest.mark.slow
def test_one_model_is_wrong_usage(lostfound, model_folder: Path, dataset_folder: Path, tmp_path: Path):
    done = lostfound("average", model_folder, "--data", dataset_folder, "--to", tmp_path / "average")
    assert done.returncode == 2
    assert "an average takes two models or more" in done.stderr
    assert not (tmp_path / "average").exists()


@pytest.mark.slow
def test_with_every_country_one_model_names_those_that_it_never_saw(
    lostfound, model_folder: Path, dataset_folder: Path, world: Path, tmp_path: Path
):
    to = tmp_path / "every"
    done = lostfound("average", model_folder, "--data", dataset_folder, "--to", to, "--every-country")
    assert done.returncode == 0, done.stderr
    photo = next((world / "images").iterdir())
    asked = ("locate", photo, "--model", to, "--format", "json", "--countries", "VA,XK")
    (answer,) = json.loads(lostfound(*asked).stdout)["photos"]
    assert {each["cell_id"] for each in answer["candidates"]} == {"VA", "XK"}
    found = lostfound("locate", photo, "--model", to, "--prior", "uniform")
    assert found.returncode == 0, found.stderr
    card = (to / "README.md").read_text()
    assert "named by what lies around them: Andorra, " in card
    assert "are an average" not in card
    again = ("average", to, "--data", dataset_folder, "--to", tmp_path / "again", "--every-country")
    done = lostfound(*again)
    assert (done.returncode, "names every country already" in done.stderr) == (2, True)


@pytest.mark.slow
def test_with_refit_the_head_of_one_model_is_fitted_again(
    lostfound, model_folder: Path, dataset_folder: Path, world: Path, tmp_path: Path
):
    to = tmp_path / "refitted"
    done = lostfound(
        "average", model_folder, "--data", dataset_folder, "--to", to, "--refit", "--every-country"
    )
    assert done.returncode == 0, done.stderr
    card = (to / "README.md").read_text()
    assert "fitted again to" in card
    assert "named by what lies around them: Andorra, " in card
    photo = next((world / "images").iterdir())
    assert lostfound("locate", photo, "--model", to).returncode == 0
    again = ("average", to, "--data", dataset_folder, "--to", tmp_path / "again", "--refit")
    done = lostfound(*again)
    assert (done.returncode, "before --every-country" in done.stderr) == (1, True)


@pytest.mark.slow
def test_nothing_is_written_where_there_is_nothing_to_calibrate_on(
    lostfound, model_folder: Path, again: Path, world: Path, tmp_path: Path
):
    lostfound("import", world, "--to", tmp_path / "data", "--size", 32, "--val", 0, "--test", 0.2)
    done = lostfound(
        "average", model_folder, again, "--data", tmp_path / "data", "--to", tmp_path / "average"
    )
    assert done.returncode == 1
    assert "has no validation images to calibrate on" in done.stderr
    assert not (tmp_path / "average").exists()
