"""Calibrating a finished model on labelled images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError
from lostfound.predict.calibrate import fitted_temperature
from lostfound.predict.calibration import Calibration
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder, set_calibration


@pytest.fixture
def model(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "m", ignore=shutil.ignore_patterns("run")))


def test_on_its_own_validation_images_it_is_what_the_training_found(
    model: Path, dataset_folder: Path
) -> None:
    answers = ModelFolder.open(model).decoder
    found = fitted_temperature(Locator.load(model), Dataset.open(dataset_folder).split("val"))
    assert found == pytest.approx(answers.temperature, rel=1e-3)  # type: ignore[union-attr]


def test_it_does_not_depend_on_the_model_s_own_temperature(model: Path, dataset_folder: Path) -> None:
    part = Dataset.open(dataset_folder).split("test")
    found = fitted_temperature(Locator.load(model), part)
    set_calibration(model, Calibration(20.0))
    assert fitted_temperature(Locator.load(model), part) == pytest.approx(found)


def test_without_images_it_is_an_error(model: Path, dataset_folder: Path) -> None:
    dataset = Dataset.open(dataset_folder)
    with pytest.raises(DatasetError, match="no images to calibrate on"):
        fitted_temperature(Locator.load(model), dataset.with_records(dataset.records.slice(0, 0)))
