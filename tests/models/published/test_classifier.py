"""Classifiers of the hub: labels that are countries or cities, and their own way to prepare pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lostfound.errors import ModelError
from lostfound.models.published.classifier import labels_of, preprocessing_of
from lostfound.models.published.convert import convert
from lostfound.predict.locator import Locator

SIZE = 32


def write(folder: Path, labels: list[str], license_name: str | None = "cc-by-nc-4.0") -> Path:
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=SIZE,
        patch_size=16,
    )
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: row for row, label in enumerate(labels)}
    config.num_labels = len(labels)
    ViTForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "size": {"height": SIZE, "width": SIZE},
                "resample": 2,
                "image_mean": [0.5] * 3,
                "image_std": [0.5] * 3,
            }
        )
    )
    if license_name:
        (folder / "README.md").write_text(f"---\nlicense: {license_name}\n---\n")
    return folder


@pytest.mark.slow
def test_it_answers_with_the_countries_that_its_labels_name(tmp_path: Path) -> None:
    source = write(tmp_path / "w", ["France", "Japan", "USA", "United_States", "nothing of these"])
    model = convert("image-classifier", tmp_path / "m", weights=str(source))
    about = model.config["published"]
    assert (about["license"], about["commercial_use"]) == ("cc-by-nc-4.0", False)
    assert about["labels_left_out"] == ["nothing of these"]
    assert model.terms is not None
    locator = Locator(model, threads=1)
    picture = Image.effect_noise((70, 40), 90).convert("RGB")
    guess = locator.locate(picture)

    from transformers import ViTForImageClassification

    theirs = ViTForImageClassification.from_pretrained(source).eval()
    pixels = (
        torch.from_numpy(np.array(picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR))).float() / 127.5
        - 1
    )
    with torch.no_grad():
        shares = theirs(pixels.permute(2, 0, 1)[None]).logits[0, :4].softmax(dim=0).numpy()
    expected = {"FR": shares[0], "JP": shares[1], "US": shares[2] + shares[3]}
    found = {each.country: each.probability for each in guess.candidates}
    assert found == pytest.approx(expected, abs=1e-5)
    assert {each.area_id for each in guess.areas["countries"]} == set(expected)


def test_labels_may_be_cities() -> None:
    labels = labels_of(["Barcelona", "Nairobi", "San_Francisco", "zzzz"], "x")
    assert labels.partition.countries == ("ES", "KE", "US")
    assert labels.unknown == ["zzzz"]
    assert labels.members == [[0], [1], [2]]


def test_labels_that_are_no_places_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "w", ["tabby cat", "golden retriever", "zebra crossing"])
    with pytest.raises(ModelError, match="less than half are countries or cities"):
        convert("image-classifier", tmp_path / "m", weights=str(source))


def test_without_a_licence_nothing_is_allowed(tmp_path: Path) -> None:
    from lostfound.models.published.classifier import license_of
    from lostfound.models.published.sources import ModelSource

    assert not license_of(ModelSource(tmp_path, "x")).commercial
    for name, free in (("mit", True), ("apache-2.0", True), ("cc-by-nc-sa-4.0", False)):
        (tmp_path / "README.md").write_text(f"---\nlicense: {name}\n---\n")
        assert license_of(ModelSource(tmp_path, "x")).commercial is free


@pytest.mark.parametrize(
    ("values", "size", "fraction", "fit"),
    [
        ({"size": {"height": 224, "width": 224}}, 224, 1.0, "squash"),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}, 224, 0.875, "crop"),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.9}, 224, 0.9, "crop"),
        ({"size": {"shortest_edge": 384}, "crop_pct": 1.0}, 384, 1.0, "squash"),
        ({"size": 336, "crop_size": 336, "do_center_crop": True}, 336, 1.0, "crop"),
    ],
)
def test_pictures_are_prepared_as_the_file_says(values, size: int, fraction: float, fit: str) -> None:
    found = preprocessing_of(values)
    assert (found.height, found.crop_fraction, found.fit) == (size, fraction, fit)
