"""The model card says what was measured, on what, and what the model is not for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lostfound.data.dataset import Dataset
from lostfound.evaluation.bootstrap import Score
from lostfound.evaluation.card import card, describe, write_card
from lostfound.evaluation.evaluate import Evaluation, evaluate
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder
from lostfound.world import SYNTHETIC_SOURCE


@pytest.fixture(scope="module")
def model(model_folder: Path) -> ModelFolder:
    return ModelFolder.open(model_folder)


@pytest.fixture(scope="module")
def measured(model: ModelFolder, dataset_folder: Path) -> Evaluation:
    return evaluate(Locator(model), Dataset.open(dataset_folder))


def described_as(model: ModelFolder, **training: object) -> ModelFolder:
    return replace(model, config={**model.config, "training": {**model.config["training"], **training}})


def front(text: str) -> dict:
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


def test_the_folder_holds_its_card(model_folder: Path, model: ModelFolder, measured: Evaluation) -> None:
    assert (model_folder / "README.md").read_text(encoding="utf-8") == card(model, measured)


def test_the_front_matter_is_what_hubs_read(model: ModelFolder, measured: Evaluation) -> None:
    header = front(card(model, measured))
    assert header["library_name"] == "lostfound"
    (index,) = header["model-index"]
    (result,) = index["results"]
    assert index["name"] == "demo"
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"]["split"] == "test"
    values = {each["type"]: each["value"] for each in result["metrics"]}
    assert values == {name: metric.value for name, metric in measured.metrics.items()}


def test_the_table_holds_every_number_with_its_interval(model: ModelFolder, measured: Evaluation) -> None:
    text = card(model, measured)
    for name, metric in measured.metrics.items():
        label, value, interval = describe(name, metric)
        assert f"| {label} | {value} | {interval} | {metric.n} images of {metric.places} places |" in text
    assert f"{measured.calibration_error:.3f}" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("top_1_accuracy", ("top-1 accuracy", "25.0 %", "10.0 to 50.5 %")),
        ("within_25_km_city", ("within 25 km city", "25.0 %", "10.0 to 50.5 %")),
        ("balanced_accuracy", ("balanced accuracy", "25.0 %", "10.0 to 50.5 %")),
    ],
)
def test_shares_are_told_in_per_cent(name: str, expected: tuple[str, str, str]) -> None:
    assert describe(name, Score(0.25, 0.1, 0.505, 8, 4)) == expected


def test_distances_and_scores_are_told_in_their_units() -> None:
    score = Score(1234.5, 100.4, 2000.6, 8, 4)
    assert describe("mean_distance_km", score) == ("mean distance", "1234 km", "100 to 2001 km")
    assert describe("geoguessr_score", score) == ("GeoGuessr score", "1234", "100 to 2001")


def test_a_synthetic_source_is_called_so(model: ModelFolder, measured: Evaluation) -> None:
    warned = card(described_as(model, sources={SYNTHETIC_SOURCE: 50, "streets": 3}), measured)
    assert f"**`{SYNTHETIC_SOURCE}` is synthetic**" in warned
    assert "is synthetic" not in card(described_as(model, sources={"streets": 50}), measured)


def test_what_was_left_out_is_listed(model: ModelFolder, measured: Evaluation) -> None:
    assert "IS (1), NZ (2)" in card(described_as(model, left_out={"IS": 1, "NZ": 2}), measured)
    assert "Left out, with too few images: none." in card(model, measured)


def test_images_outside_the_cells_are_told(model: ModelFolder, measured: Evaluation) -> None:
    about = {**measured.about, "images_outside_all_cells": 3, "countries_outside_all_cells": ["IS", "NZ"]}
    text = card(model, replace(measured, about=about))
    assert "3 images lie in no cell of the model (IS, NZ) and count as wrong" in text
    assert "Every image lies in a cell" in card(model, measured)


def test_it_says_what_the_model_must_not_be_used_for(model: ModelFolder, measured: Evaluation) -> None:
    text = " ".join(card(model, measured).split())
    for words in ("never evidence", "must not be used to track", "estimate"):
        assert words in text


def test_a_name_in_any_letters_survives(model: ModelFolder, measured: Evaluation, tmp_path: Path) -> None:
    named = replace(model, path=tmp_path, config={**model.config, "name": "Île: 'été' #1"})
    write_card(named, measured)
    header = front((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert header["model-index"][0]["name"] == "Île: 'été' #1"


@pytest.mark.slow
def test_a_model_without_cells_says_so(point_model_folder: Path, dataset_folder: Path) -> None:
    model = ModelFolder.open(point_model_folder)
    text = card(model, evaluate(Locator(model), Dataset.open(dataset_folder)))
    words = " ".join(text.split())
    assert "it answers with a latitude and a longitude" in words
    assert "The outputs of 2 views of a place are averaged" in words
    assert "calibration" not in words
    assert "Training images in each cell" not in words
    assert "chosen on the validation split (median" in words
    front(text)
