from __future__ import annotations

import csv
import shutil
from collections import namedtuple

import pytest
from best_weights import same_weights, train_to_weights
from safetensors.torch import load_file

from lostfound.data.sharing.lists import limit, write_list
from lostfound.training.fit import fit_best_epoch
from lostfound.training.recipe import load_recipe


@pytest.fixture
def settings(tiny: list[str]) -> list[str]:
    """As the shared model was trained."""
    return [*tiny, "trainer.epochs=1", "trainer.loggers=[csv]"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pixels"


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.slow
def test_cached_pixels_give_the_same_model(
    dataset, model_folder, tmp_path, own_cache, settings, workers: int
):
    """As the shared model, which was trained by the same settings without them."""
    changed = [*settings, f"trainer.workers={workers}", "data.cache=true"]
    cached = train_to_weights(load_recipe("demo", changed), dataset, tmp_path / "cached")
    assert same_weights(cached, load_file(model_folder / "model.safetensors"))
    assert len(list(own_cache.glob("*.npy"))) == 2  # training and validation


@pytest.mark.slow
def test_a_disk_too_small_for_the_cache_is_said_and_training_goes_on(
    dataset, tmp_path, own_cache, settings, monkeypatch, capsys
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1000, 1000, 0))
    result = fit_best_epoch(load_recipe("demo", [*settings, "data.cache=true"]), dataset, tmp_path / "model")
    assert result.best_epoch == 1
    assert "data.cache is left out: the decoded images need" in capsys.readouterr().err


@pytest.mark.slow
def test_a_data_list_pins_the_images_of_a_run(lostfound, dataset, settings, tmp_path):
    pinned = limit(dataset, 80)
    write_list(pinned, tmp_path / "images.txt")
    options = [option for setting in settings for option in ("--set", setting)]
    run = lostfound(
        *("train", "demo", "--data", dataset.folder, "--list", tmp_path / "images.txt"),
        *("--to", tmp_path / "model", *options),
    )
    assert run.returncode == 0, run.stderr
    with (tmp_path / "model" / "run" / "images.csv").open() as file:
        used = [row["image_id"] for row in csv.DictReader(file)]
    rows = pinned.records.to_pylist()
    assert sorted(used) == sorted(row["image_id"] for row in rows if row["split"] != "test")


def test_a_list_whose_images_are_not_to_be_had_stops_the_run(lostfound, dataset, tmp_path):
    write_list(dataset, tmp_path / "images.txt")
    text = (tmp_path / "images.txt").read_text()
    first = dataset.records["image_id"][0].as_py()
    (tmp_path / "images.txt").write_text(text.replace(first, "0" * 32))
    run = lostfound(
        "train",
        "demo",
        "--data",
        dataset.folder,
        "--list",
        tmp_path / "images.txt",
        "--to",
        tmp_path / "model",
    )
    assert run.returncode != 0
    assert not (tmp_path / "model").exists()
    assert "0" * 32 in run.stderr or "images.txt" in run.stderr
