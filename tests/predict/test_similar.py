"""Similar photos: the nearest by features, one a place, remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, ModelError
from lostfound.predict import similar
from lostfound.predict.locator import Locator


@pytest.fixture(scope="module")
def locator(model_folder: Path) -> Locator:
    return Locator.load(model_folder, threads=1)


@pytest.fixture
def dataset(dataset_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path / "cache"))
    return Dataset.open(dataset_folder)


def test_a_photo_is_most_like_itself(locator: Locator, dataset: Dataset) -> None:
    explanation = locator.explain(dataset.read(7), method="occlusion", like=dataset)
    first = explanation.similar[0]
    assert first.image_id == dataset.records["image_id"][7].as_py()
    assert first.similarity == pytest.approx(1, abs=2e-3)
    assert first.country == dataset.records["country"][7].as_py()
    assert first.distance_km >= 0
    assert first.image == dataset.read(7)


def test_each_place_once_most_similar_first(locator: Locator, dataset: Dataset) -> None:
    found = locator.explain(dataset.read(0), method="occlusion", like=dataset).similar
    places = dict(zip(*(dataset.records[name].to_pylist() for name in ("image_id", "place_id")), strict=True))
    assert len({places[each.image_id] for each in found}) == len(found) == similar.SHOWN
    assert [each.similarity for each in found] == sorted((each.similarity for each in found), reverse=True)


def test_a_second_call_looks_at_nothing_again(
    locator: Locator, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = similar.dataset_features(locator, dataset)
    monkeypatch.setattr(similar, "_embedded", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(similar.dataset_features(locator, dataset), first)
    with pytest.raises(pytest.fail.Exception):
        similar.dataset_features(locator, dataset.split("test"))


def test_a_stopped_run_goes_on_with_what_is_missing(
    locator: Locator, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(similar, "_BLOCK", 40)
    whole = similar.dataset_features(locator, dataset, folder=tmp_path / "one")
    files = sorted((tmp_path / "one").rglob("*.npy"))
    assert len(files) == 3
    files[1].write_bytes(files[1].read_bytes()[:50])  # damaged
    again = similar.dataset_features(locator, dataset, folder=tmp_path / "one")
    np.testing.assert_allclose(again.astype(float), whole.astype(float), atol=1e-2)
    assert whole.shape[0] == len(dataset)


def test_images_that_cannot_be_read_are_left_out(
    locator: Locator, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = Dataset.read
    monkeypatch.setattr(Dataset, "read", lambda self, row: b"none" if row == 5 else read(self, row))
    rows = similar.dataset_features(locator, dataset)
    assert np.isnan(rows[5]).all()
    assert not np.isnan(np.delete(rows, 5, axis=0)).any()
    assert "1 of 96 images" in capsys.readouterr().err
    found = locator.explain(read(dataset, 5), method="occlusion", like=dataset).similar
    assert dataset.records["image_id"][5].as_py() not in {each.image_id for each in found}


def test_an_empty_data_set(locator: Locator, dataset: Dataset) -> None:
    empty = dataset.with_records(dataset.records.slice(0, 0))
    with pytest.raises(DatasetError, match="no images to compare with"):
        locator.explain(dataset.read(0), method="occlusion", like=empty)


def test_a_model_without_features(
    locator: Locator, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locator, "gives_features", False)
    with pytest.raises(ModelError, match="gives no features"):
        locator.explain(dataset.read(0), method="occlusion", like=dataset)
