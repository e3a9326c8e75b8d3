"""A model of embeddings under a gallery of one's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from published_weights import tiny_clip, write_release

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, set_column
from lostfound.errors import DatasetError, ModelError, UsageError
from lostfound.predict.locator import Locator
from lostfound.predict.own_gallery import build_gallery, build_listed_gallery


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


@pytest.mark.slow
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


def write_list(folder: Path, *lines: str) -> Path:
    (folder / "hotels.csv").write_text("\n".join(lines) + "\n")
    return folder / "hotels.csv"


def test_a_list_needs_no_photos(embedder: Path, tmp_path: Path) -> None:
    listed = write_list(
        tmp_path,
        *("name,lat,lon,country", "Paris,48.8584,2.2945,FR", "Wien,48.2082,16.3738,AT"),
        *(",35.68,139.76,", "Paris,48.8584,2.2945,FR", "nowhere,,,"),
    )
    made = build_listed_gallery(embedder, listed, tmp_path / "own")
    assert made.config["own_gallery"] == {"list": "hotels.csv", "rows": 5, "places": 3}
    assert made.partition is not None
    assert made.partition.names[:2] == ("Paris", "Wien")
    assert made.partition.names[2] == "Chiyoda"  # the nearest town
    assert made.partition.countries == ("FR", "AT", "JP")
    assert made.partition.counts.tolist() == [2, 1, 1]
    points = made.partition.centroids
    assert made.place_tower is not None
    raw = made.place_tower.embed(points, np.float64)
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.asarray(made.decoder.embeddings) == pytest.approx(expected, abs=1e-5)
    guess = Locator(made, threads=1).locate(np.zeros((40, 40, 3), dtype=np.uint8))
    assert (guess.latitude, guess.longitude) in [tuple(point) for point in points.tolist()]
    again = build_listed_gallery(made.path, listed, tmp_path / "again")  # the tower is still there
    assert np.array_equal(again.decoder.embeddings, made.decoder.embeddings)


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        (("a,b", "1,2"), UsageError, "no column for latitude, longitude is known by its name"),
        (("lat,lon", "x,2"), DatasetError, "line 2: lat is 'x', which is no number"),
        (("lat,lon", "91,181"), DatasetError, "is no latitude and longitude in degrees"),
        (("lat,lon", ","), DatasetError, "has no row with coordinates"),
        (("lat,lon", "0.85,0.04", "0.9,0.2"), DatasetError, "are radians"),
    ],
)
def test_lists_that_are_none(
    embedder: Path, tmp_path: Path, lines: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build_listed_gallery(embedder, write_list(tmp_path, *lines), tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_a_list_needs_a_place_tower(embedder: Path, model_folder: Path, tmp_path: Path) -> None:
    listed = write_list(tmp_path, "y,x", "48.8584,2.2945")
    columns = {"latitude": "y", "longitude": "x"}
    with pytest.raises(ModelError, match="answers by cells, not by a gallery"):
        build_listed_gallery(model_folder, listed, tmp_path / "own", columns=columns)
    shutil.copytree(embedder, tmp_path / "m")
    build_listed_gallery(tmp_path / "m", listed, tmp_path / "own", columns=columns)
    (tmp_path / "m" / "place_tower.npz").write_bytes(b"other")
    Locator.load(tmp_path / "m", threads=1)  # which answers need not
    with pytest.raises(ModelError, match=r"place_tower\.npz is not this model's own"):
        build_listed_gallery(tmp_path / "m", listed, tmp_path / "b", columns=columns)
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    del config["files"]["place_tower.npz"]
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="has no place tower"):
        build_listed_gallery(tmp_path / "m", listed, tmp_path / "b", columns=columns)


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
