"""Explaining: maps that add up, in units that people read; errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import lostfound
from lostfound.errors import CountryNameError, ImageError, ModelError, UsageError
from lostfound.predict import explain as module
from lostfound.predict.locator import Locator


@pytest.fixture(scope="module")
def starter() -> Locator:
    return Locator.load(threads=1)


@pytest.fixture(scope="module")
def locator(model_folder: Path) -> Locator:
    return Locator.load(model_folder, threads=1)


@pytest.fixture(scope="module")
def photo(world: Path) -> Path:
    return min((world / "images").iterdir())


def test_class_activation_adds_up_to_the_answers_score(starter: Locator, photo: Path) -> None:
    explanation = starter.explain(photo, method="cam")
    outputs = starter.run(starter.model.preprocessing(photo)[None])[0]
    ids, size = starter.model.partition.cell_ids, starter.model.preprocessing.height // 32
    assert [each.role for each in explanation.maps] == ["answer", "runner-up"]
    for each in explanation.maps:
        assert each.values.mean() == pytest.approx(outputs[ids.index(each.candidate.cell_id)], abs=2e-3)
        assert each.unit == "logit"
        assert each.values.shape == (size, size)


def test_it_explains_the_answer_that_locating_gives(locator: Locator, photo: Path) -> None:
    explanation = locator.explain(photo, method="occlusion")
    assert explanation.guess == locator.locate(photo)
    assert explanation.maps[0].candidate == explanation.guess.best
    assert explanation.maps[-1].candidate == explanation.guess.candidates[1]


def test_occlusion_counts_points_of_percent_and_kilometres(locator: Locator, photo: Path) -> None:
    maps = {(each.role, each.measure): each for each in locator.explain(photo, method="occlusion").maps}
    lost, moved = maps["answer", "probability"], maps["answer", "distance"]
    assert (lost.unit, moved.unit) == ("points", "km")
    assert np.abs(lost.values).max() <= 100
    assert (moved.values >= 0).all()
    assert lost.values.shape == moved.values.shape == (12, 12)


def test_hiding_a_blank_picture_changes_nothing(locator: Locator) -> None:
    explanation = locator.explain(np.full((64, 64, 3), 90, dtype=np.uint8), method="occlusion")
    assert all(np.abs(each.values).max() < 1e-3 for each in explanation.maps)
    assert explanation.guess.warning is not None


def test_a_country_is_looked_at_as_well(locator: Locator, photo: Path) -> None:
    guess = locator.locate(photo)
    last = guess.candidates[-1]
    explanation = locator.explain(photo, last.country, "occlusion")
    assert [each.candidate.country for each in explanation.maps if each.role == "asked for"] == [last.country]
    named_before = locator.explain(photo, guess.country, "occlusion")
    assert {each.role for each in named_before.maps} == {"answer", "runner-up"}


@pytest.mark.parametrize(
    ("country", "error", "says"),
    [
        ("XX", CountryNameError, "names no known country"),
        ("Frnace", CountryNameError, r"FR \(France\)"),
        ("J2", CountryNameError, r"most like it: JP \(Japan\)"),
        ("Kiribati", UsageError, r"can't answer with Kiribati \(KI\); it knows BR, FR, JP, KE"),
    ],
)
def test_a_country_that_is_none_or_that_the_model_does_not_know(
    locator: Locator, photo: Path, country: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        locator.explain(photo, country)


def test_bare_coordinates_move_and_weigh_no_country(point_model_folder: Path, photo: Path) -> None:
    points = Locator.load(point_model_folder, threads=1)
    explanation = points.explain(photo)
    assert [(each.role, each.measure) for each in explanation.maps] == [("answer", "distance")]
    assert "bare coordinates" in explanation.notice
    with pytest.raises(UsageError, match="weighs no countries"):
        points.explain(photo, "FR")
    with pytest.raises(ModelError, match="choose occlusion"):
        points.explain(photo, method="cam")


@pytest.mark.slow
def test_a_model_without_a_linear_head_is_explained_by_occlusion(
    starter: Locator, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_head", lambda *_: None)
    monkeypatch.setattr(module, "stored_head", lambda *_: None)
    explanation = starter.explain(photo)
    assert {each.measure for each in explanation.maps} == {"probability", "distance"}
    assert "occlusion works for any model" in explanation.notice
    with pytest.raises(ModelError, match="one linear layer"):
        starter.explain(photo, method="cam")


def test_a_head_that_can_not_be_looked_for(
    starter: Locator, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An install without the training packages, and a folder that no head was kept in."""
    monkeypatch.setattr(module, "stored_head", lambda *_: None)
    monkeypatch.setattr(module, "find_head", lambda *_: None)
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    head, notice = module.explain_head(starter, starter.model.preprocessing(photo))
    assert head is None
    assert "pip install 'lostfound[train]'" in notice


@pytest.mark.parametrize(
    ("shape", "says"), [((4, 50, 768), "its features are no map"), ((4, 1280, 1, 1), "a single place")]
)
def test_features_that_are_no_map(
    starter: Locator, photo: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], says: str
) -> None:
    """Such as those of a transformer."""
    given = (np.zeros((4, 70), dtype=np.float32), np.zeros(shape, dtype=np.float32))
    monkeypatch.setattr(Locator, "feature_map", lambda *_: given)
    head, notice = module.explain_head(starter, starter.model.preprocessing(photo))
    assert head is None
    assert says in notice


def test_a_head_of_another_model_is_not_believed(
    starter: Locator, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, _ = module.explain_head(starter, starter.model.preprocessing(photo))
    wrong = module.LinearHead(head.weight[::-1].copy(), head.bias)
    monkeypatch.setattr(module, "stored_head", lambda *_: wrong)
    found, _ = module.explain_head(starter, starter.model.preprocessing(photo))
    assert found is not wrong


@pytest.mark.parametrize(
    ("method", "says"), [("kam", "did you mean 'cam'"), ("", "choose auto, cam, occlusion")]
)
def test_an_unknown_method(locator: Locator, photo: Path, method: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        locator.explain(photo, method=method)


def test_an_unreadable_photo(locator: Locator, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        locator.explain(tmp_path / "bad.jpg")


def test_the_picture_is_what_the_model_sees_of_it(locator: Locator, photo: Path) -> None:
    wide = np.zeros((64, 192, 3), dtype=np.uint8)
    wide[:, 64:128] = 200  # the middle, which is what is left of it
    explanation = locator.explain(wide, method="occlusion")
    height, width = explanation.picture.shape[:2]
    assert height == width
    assert 500 < height < 800
    assert explanation.picture[:, 30:-30].min() > 190


def test_plain_values_are_json(starter: Locator, photo: Path) -> None:
    values = json.loads(json.dumps(starter.explain(photo, method="cam").as_dict(), allow_nan=False))
    assert values["maps"][0]["unit"] == "logit"
    assert len(values["maps"][0]["values"]) == starter.model.preprocessing.height // 32
    assert "notice" not in values


def test_the_strongest_place(locator: Locator, photo: Path) -> None:
    candidate = locator.locate(photo).best
    values = np.zeros((4, 4), dtype=np.float32)
    values[0, 3] = 2
    found = module.EvidenceMap("answer", candidate, "distance", values)
    assert found.strongest == (2.0, 0.125, 0.875)


def test_the_short_way() -> None:
    assert lostfound.Locator.explain is Locator.explain
