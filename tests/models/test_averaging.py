"""Averaging models: the mean of their weights, or an error that says why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lostfound.errors import ModelError, UsageError
from lostfound.models.averaging import average_weights
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
    average = average_weights(two, tmp_path / "average")
    assert outputs(average) == pytest.approx(-outputs(ModelFolder.open(two[0])), abs=1e-4)
    weights = load_file(average.path / "model.safetensors")
    ours, theirs = (load_file(path / "model.safetensors") for path in two)
    for name, value in weights.items():
        assert value == pytest.approx((ours[name].astype(np.float64) + theirs[name]) / 2, abs=1e-6), name
    assert [each["name"] for each in average.config["training"]["averaged"]] == ["a", "b"]


def test_one_is_no_average(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two models or more"):
        average_weights(two[:1], tmp_path / "average")


def test_nothing_is_overwritten(two: tuple[Path, Path]) -> None:
    before = (two[0] / "model.onnx").read_bytes()
    with pytest.raises(UsageError, match="exists: choose another folder"):
        average_weights(two, two[0])
    assert (two[0] / "model.onnx").read_bytes() == before


def test_another_network_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    edit(two[1], hidden=7)
    with pytest.raises(ModelError, match=r"another network .*model\.hidden=7, not None"):
        average_weights(two, tmp_path / "average")
    assert not (tmp_path / "average").exists()


def test_a_model_without_its_weights_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    config = json.loads((two[1] / "config.json").read_bytes())
    del config["files"]["model.safetensors"]
    (two[1] / "config.json").write_text(json.dumps(config))
    (two[1] / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="kept without its weights"):
        average_weights(two, tmp_path / "average")
