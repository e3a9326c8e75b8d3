"""A model of embeddings under a gallery of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from published_weights import tiny_clip, write_release

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, set_column
from lostfound.errors import DatasetError, ModelError, UsageError
from lostfound.predict.locator import Locator
from lostfound.predict.own_gallery import build_gallery


@pytest.fixture(scope="module")
def embedder(made_once, tmp_path_factory) -> Path:
    """A small GeoCLIP of random weights."""
    from lostfound.models.published.convert import convert

    work = tmp_path_factory.mktemp("embedder")
    tiny_clip(10).save_pretrained(work / "clip")
    release = write_release(work / "release")
    return made_once(
        "embedder", lambda to: convert("geoclip", to, weights=str(release), backbone=str(work / "clip"))
    )


def test_it_answers_with_its_own_places(embedder: Path, dataset_folder: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(dataset_folder)
    made = build_gallery(embedder, dataset, tmp_path / "own")
    places = set(dataset.records["place_id"].to_pylist())
    assert len(made.partition) == len(places) == made.config["own_gallery"]["places"]
    locator = Locator(made, threads=1)
    photos = [dataset.read(row) for row in range(8)]
    answers = [(guess.latitude, guess.longitude) for guess in locator.locate(photos)]
    known = {tuple(point) for point in coordinates(dataset.records).tolist()}
    assert set(answers) <= known
    embeddings = np.asarray(made.decoder.embeddings)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(len(places)), abs=1e-5)
    assert json.loads((tmp_path / "own" / "config.json").read_text())["published"]["license"] == "MIT"


@pytest.mark.slow
def test_a_photo_of_the_gallery_finds_its_place(embedder: Path, dataset_folder: Path, tmp_path: Path) -> None:
    """Of places with one photo each, that photo is the nearest to itself."""
    dataset = Dataset.open(dataset_folder)
    ids = dataset.records["image_id"].to_numpy(zero_copy_only=False)
    single = dataset.with_records(set_column(dataset.records, "place_id", ids).slice(0, 12))
    locator = Locator(build_gallery(embedder, single, tmp_path / "own"), threads=1)
    outputs = np.concatenate(
        [locator.run(locator.model.preprocessing(single.read(row))[None]) for row in range(12)]
    )
    best = np.argmax(locator.model.decoder.logits(outputs), axis=1)
    assert sorted(best.tolist()) == list(range(12))


def test_what_cannot_be_is_said(
    embedder: Path, model_folder: Path, dataset_folder: Path, tmp_path: Path
) -> None:
    dataset = Dataset.open(dataset_folder)
    with pytest.raises(ModelError, match="answers by cells, not by a gallery"):
        build_gallery(model_folder, dataset, tmp_path / "m")
    nothing = [None] * len(dataset)
    nowhere = dataset.with_records(
        set_column(set_column(dataset.records, "latitude", nothing), "longitude", nothing)
    )
    with pytest.raises(DatasetError, match="has no photos with coordinates"):
        build_gallery(embedder, nowhere, tmp_path / "m")
    with pytest.raises(UsageError, match="is there already"):
        build_gallery(embedder, dataset, embedder)
    assert not (tmp_path / "m").exists()
