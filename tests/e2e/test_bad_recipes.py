"""Recipes that the data can't satisfy: one clear message with the remedy, before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lostfound.data.dataset import Dataset
from lostfound.training.images import training_images
from lostfound.training.settings import Data

SMALL = (
    *("--set", "input.size=[32, 32]", "--set", "trainer.epochs=1", "--set", "trainer.batch_size=16"),
    *("--set", "trainer.workers=0", "--set", "trainer.device=cpu"),
)
TINY = ("--set", "model.backbone=test_resnet.r160_in1k")


def changes(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture(scope="session")
def countries_only(made_once, lostfound, world: Path) -> Path:
    """A data set of images whose countries are known, and nothing else."""

    def build(folder: Path) -> None:
        images = sorted((world / "images").iterdir())
        for number, image in enumerate(images):
            country = ["France", "Japan", "Brazil", "Kenya"][number // 2 % 4]
            (folder / "photos" / country).mkdir(parents=True, exist_ok=True)
            shutil.copy(image, folder / "photos" / country)
        options = ("--size", 48, "--val", 0.2, "--test", 0.2, "--jobs", 1)
        done = lostfound("import", folder / "photos", "--to", folder / "data", *options)
        assert done.returncode == 0, done.stderr

    return made_once("countries-only", build) / "data"


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run `lostfound train` in this process, which has torch loaded; gives its exit code and what it said."""
    from lostfound.cli import main

    def run(*arguments: object) -> tuple[object, str]:
        command = ("lostfound", "train", *arguments, "--to", "model", *SMALL, *TINY)
        monkeypatch.setattr("sys.argv", [str(word) for word in command])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, capsys.readouterr().err

    return run


REFUSED = {
    "a city without images": (
        ("cities", *changes("task.settings={cities: [Paris, Tokyo, Cairo], radius_km: 2000}")),
        ["1 of the 3 cities have fewer than 2 training images (Cairo)", "task.settings.cities"],
    ),
    "cells with one image": (
        ("demo", *changes("task={partition: square, settings: {cells: 12}}", "data.views_per_place=1")),
        ["cell(s) have a single training image", "set task.min_images=2"],
    ),
    "more views than places have": (
        ("demo", *changes("model.views=3")),
        ["model.views=3, but no place has more than 2 views", "lower it"],
    ),
    "an unknown variant": (
        ("london", "--variant", "sqare"),
        ["recipe london has no variant 'sqare'; it has: source, square,"],
    ),
    "countries that are not there": (
        ("geotrainr", *changes("data.countries=[IS, NO]")),
        ["is what data.countries and data.located ask for"],
    ),
    "accuracy of coordinates": (
        ("lost-and-found", "--variant", "great-circle", *changes("trainer.monitor=top_1_accuracy")),
        ["trainer.monitor=top_1_accuracy can't be measured", "choose median_distance_km"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("command", "parts"), REFUSED.values(), ids=list(REFUSED))
def test_a_recipe_that_does_not_fit_the_data(
    train, dataset_folder: Path, tmp_path: Path, command: tuple[str, ...], parts: list[str]
):
    refused(train(*command, "--data", dataset_folder), tmp_path, parts)


COUNTRIES_ONLY = {
    "a loss that needs coordinates": (
        ("lost-and-found", "--variant", "great-circle", *changes("data.located=false")),
        ["have a country but no coordinates", "data.located=true"],
    ),
    "haversine smoothing": (
        ("demo", *changes("task={partition: countries, min_images: 2, haversine: {tau_km: 75}}")),
        ["haversine smoothing needs", "data.located=true"],
    ),
    "nothing is left with coordinates": (
        ("lost-and-found", "--variant", "great-circle"),
        ["none of the", "data.located", "use another data set"],
    ),
    "kilometres choose the best epoch": (
        ("demo", *changes("trainer.monitor=median_distance_km", "task.min_images=2")),
        ["trainer.monitor=median_distance_km can't be measured", "none of them has coordinates"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("command", "parts"), COUNTRIES_ONLY.values(), ids=list(COUNTRIES_ONLY))
@pytest.mark.slow
def test_images_without_coordinates_where_they_are_needed(
    train, countries_only: Path, tmp_path: Path, command: tuple[str, ...], parts: list[str]
):
    refused(train(*command, "--data", countries_only), tmp_path, parts)


def refused(done: tuple[object, str], folder: Path, parts: list[str]) -> None:
    code, said = done
    assert code == 2
    assert "\nlostfound: " in f"\n{said}"
    for part in parts:
        assert part in said
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_class_that_only_the_test_has_counts_as_wrong_and_is_told(
    lostfound, dataset_folder: Path, tmp_path: Path
):
    dataset = Dataset.open(dataset_folder)
    for limit in range(6, 40):
        found = training_images(Data(limit=limit), dataset)[0].countries.tolist()
        counts = {code: found.count(code) for code in found}
        if 2 <= len(counts) < 4 and min(counts.values()) >= 2:
            break
    missing = set(dataset.split("test").records["country"].to_pylist()) - counts.keys()
    assert missing
    done = lostfound(
        *("train", "demo", "--data", dataset_folder, "--to", "model", *SMALL),
        *changes("task.min_images=2", f"data.limit={limit}"),
        *changes("model.backbone=lostfound:cnn5", "model.options={width: 8}"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    wrong = sum(code in missing for code in dataset.split("test").records["country"].to_pylist())
    line = f"{wrong} images in no cell of the model, counted as wrong: {', '.join(sorted(missing))}"
    assert line in done.stdout
    card = " ".join((tmp_path / "model" / "README.md").read_text().split())
    assert f"{wrong} images lie in no cell of the model ({', '.join(sorted(missing))})" in card
