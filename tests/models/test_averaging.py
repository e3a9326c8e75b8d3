"""Averaging models: the mean of their weights, or an error that says why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from lostfound.errors import ModelError, UsageError
from lostfound.models.averaging import average
from lostfound.models.weights import load_network
from lostfound.predict.engine import Engine
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder


@pytest.fixture
def two(model_folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A model, and one whose head says the opposite three times as loud."""
    for name in ("a", "b"):
        shutil.copytree(model_folder, tmp_path / name, ignore=shutil.ignore_patterns("run"))
    weights = load_file(tmp_path / "b" / "model.safetensors")
    louder = {name: -3 * value if name.startswith("head.") else value for name, value in weights.items()}
    save_file(louder, tmp_path / "b" / "model.safetensors")
    return tmp_path / "a", tmp_path / "b"


def edit(model: Path, **changes: object) -> None:
    config = json.loads((model / "config.json").read_bytes())
    config["recipe"]["model"].update(changes)
    (model / "config.json").write_text(json.dumps(config))


def outputs(model: ModelFolder) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return np.asarray(next(iter(Locator(model).outputs([pixels]))))


@pytest.mark.slow
def test_the_average_answers_with_the_mean_of_the_weights_and_says_of_which(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    found = average(two, tmp_path / "average")
    assert outputs(found) == pytest.approx(-outputs(ModelFolder.open(two[0])), abs=1e-4)
    weights = load_file(found.path / "model.safetensors")
    ours, theirs = (load_file(path / "model.safetensors") for path in two)
    for name, value in weights.items():
        assert value == pytest.approx((ours[name].astype(np.float64) + theirs[name]) / 2, abs=1e-6), name
    assert [each["name"] for each in found.config["training"]["averaged"]] == ["a", "b"]


@pytest.mark.slow
def test_of_answers_it_is_their_mean_in_one_network(two: tuple[Path, Path], tmp_path: Path) -> None:
    weights = load_file(two[1] / "model.safetensors")
    rolled = {
        name: np.roll(value, 1, axis=0).copy() if value.ndim == 4 else value
        for name, value in weights.items()
    }
    save_file(rolled, two[1] / "model.safetensors")
    found = average(two, tmp_path / "average", answers=True)
    images = torch.randint(0, 256, (3, found.preprocessing.height, found.preprocessing.width, 3)).byte()
    with torch.no_grad():
        apart = [load_network(ModelFolder.open(path)).eval()(images)[0].numpy() for path in two]
        together = load_network(found).eval()(images)[0].numpy()
    assert np.abs(apart[0] + 3 * apart[1]).max() > 0.01
    assert together == pytest.approx(np.mean(apart, axis=0), abs=1e-4)
    assert Engine(found).run(images.numpy()) == pytest.approx(together, abs=1e-3)
    assert found.config["training"]["averaged_what"] == "answers"
    with pytest.raises(ModelError, match="it is such an average itself"):
        average([found.path] * 2, tmp_path / "again", answers=True)


@pytest.mark.slow
def test_it_answers_at_another_size(two: tuple[Path, Path], tmp_path: Path) -> None:
    found = average(two, tmp_path / "average", size=48)
    assert (found.preprocessing.height, found.preprocessing.width) == (48, 48)
    assert found.config["recipe"]["input"]["size"] == [48, 48]
    assert np.isfinite(outputs(found)).all()


def test_one_is_no_average(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two models or more"):
        average(two[:1], tmp_path / "average")


def test_nothing_is_overwritten(two: tuple[Path, Path]) -> None:
    before = (two[0] / "model.onnx").read_bytes()
    with pytest.raises(UsageError, match="exists: choose another folder"):
        average(two, two[0])
    assert (two[0] / "model.onnx").read_bytes() == before


def test_another_network_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    edit(two[1], hidden=7)
    with pytest.raises(ModelError, match=r"another network .*model\.hidden=7, not None"):
        average(two, tmp_path / "average")
    assert not (tmp_path / "average").exists()


def test_a_model_without_its_weights_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    config = json.loads((two[1] / "config.json").read_bytes())
    del config["files"]["model.safetensors"]
    (two[1] / "config.json").write_text(json.dumps(config))
    (two[1] / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="kept without its weights"):
        average(two, tmp_path / "average")
