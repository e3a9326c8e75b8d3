"""The linear head: found in graphs that have one, refused elsewhere, exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lostfound.predict.head import HEAD_BIAS, HEAD_WEIGHT, LinearHead, find_head, stored_head
from lostfound.predict.locator import Locator


@pytest.fixture(scope="module")
def starter() -> Locator:
    return Locator.load(threads=1)


@pytest.fixture(scope="module")
def images(starter: Locator, world: Path) -> np.ndarray:
    return np.stack(
        [starter.model.preprocessing(photo) for photo in sorted((world / "images").iterdir())[:3]]
    )


def test_the_head_makes_the_graphs_outputs_of_the_mean_features(starter: Locator, images: np.ndarray) -> None:
    head = find_head(starter, images)
    assert head is not None
    outputs, features = starter.feature_map(images)
    np.testing.assert_allclose(head.outputs(features), outputs, atol=1e-4)
    np.testing.assert_allclose(starter.run(images), outputs, atol=1e-5)


def test_half_precision_is_exact_enough(starter: Locator, images: np.ndarray) -> None:
    head = find_head(starter, images)
    assert head is not None
    kept = stored_head(head.arrays())
    assert kept is not None
    outputs, features = starter.feature_map(images)
    assert kept.explains(features, outputs)
    assert head.arrays()[HEAD_WEIGHT].dtype == np.float16


def test_the_starter_brings_its_head(starter: Locator, images: np.ndarray) -> None:
    kept = stored_head(starter.model.statistics)
    assert kept is not None
    outputs, features = starter.feature_map(images)
    assert kept.explains(features, outputs)


def test_one_image_proves_nothing(starter: Locator, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two or more"):
        find_head(starter, images[:1])


def test_another_head_is_told(starter: Locator, images: np.ndarray) -> None:
    outputs, features = starter.feature_map(images)
    head = find_head(starter, images)
    assert head is not None
    assert not LinearHead(head.weight * 1.01, head.bias).explains(features, outputs)
    assert not LinearHead(head.weight[:5], head.bias[:5]).explains(features, outputs)
    assert not head.explains(features.mean(axis=(2, 3)), outputs)


@pytest.mark.parametrize(
    ("kind", "linear"), [("cells", True), ("hybrid", True), ("point", True), ("distance", False)]
)
def test_heads_of_every_task(kind: str, linear: bool) -> None:
    fixtures = Path(__file__).parents[1] / "fixtures" / "0.1.0" / "models"
    locator = Locator.load(fixtures / kind, threads=1)
    size = (locator.model.preprocessing.height, locator.model.preprocessing.width)
    images = np.random.default_rng(0).integers(0, 256, (4, *size, 3), dtype=np.uint8)
    assert (find_head(locator, images) is not None) == linear


def test_points_have_a_linear_head_or_none_that_is_wrong(point_model_folder: Path, world: Path) -> None:
    locator = Locator.load(point_model_folder, threads=1)
    photos = sorted((world / "images").iterdir())[:3]
    images = np.stack([locator.model.preprocessing(photo) for photo in photos])
    head = find_head(locator, images)
    if head is not None:
        outputs, features = locator.feature_map(images)
        np.testing.assert_allclose(head.outputs(features), outputs, atol=1e-3)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {HEAD_WEIGHT: np.zeros((3, 4))},
        {HEAD_WEIGHT: np.zeros((3, 4)), HEAD_BIAS: np.zeros(4)},
        {HEAD_WEIGHT: np.zeros(3), HEAD_BIAS: np.zeros(3)},
    ],
)
def test_statistics_without_a_head(arrays: dict) -> None:
    assert stored_head(arrays) is None
