"""Training samples: what is drawn, from what, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing, open_image
from lostfound.training.settings import Augmentation
from lostfound.training.samples import EpochSampler, Samples, build_augmentation, draw_seed, loader

EVERYTHING = Augmentation.model_validate(
    {"crop_scale": [0.3, 1], "rotation": 20, "color_jitter": {"brightness": 0.4, "hue": 0.2}}
)
SMALL = Preprocessing(32, 32)


@pytest.fixture(scope="module")
def dataset(dataset_folder: Path) -> Dataset:
    return Dataset.open(dataset_folder)


def samples(dataset: Dataset, augmentation: Augmentation | None = None, seed: int = 0, **kwargs) -> Samples:
    preprocessing = Preprocessing(**{"height": 32, "width": 32, **kwargs})
    return Samples(dataset, np.arange(len(dataset)), preprocessing, augmentation, seed)


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
@pytest.mark.parametrize("shape", [(32, 32), (20, 52), (96, 64)])
@pytest.mark.parametrize("crop_fraction", [1.0, 0.8])
def test_without_augmentation_a_sample_is_the_models_input(
    dataset: Dataset, augmentation: Augmentation | None, shape: tuple[int, int], crop_fraction: float
) -> None:
    preprocessing = Preprocessing(*shape, crop_fraction)
    found = Samples(dataset, np.arange(len(dataset)), preprocessing, augmentation, 7)
    for index in (0, 5):
        image, cell = found[3, index]
        assert image.tobytes() == preprocessing(dataset.read(index)).tobytes()
        assert (image.shape, image.dtype) == ((*shape, 3), np.uint8)
        assert cell == index


def test_the_same_seed_epoch_and_image_give_the_same_pixels(dataset: Dataset) -> None:
    first, second = samples(dataset, EVERYTHING), samples(dataset, EVERYTHING)
    torch.manual_seed(1)
    one, _ = first[2, 5]
    second[2, 6]  # whatever was drawn before does not matter
    torch.manual_seed(2)
    other, _ = second[2, 5]
    assert np.array_equal(one, other)


@pytest.mark.parametrize(("seed", "epoch", "index"), [(1, 2, 5), (0, 3, 5)])
def test_another_seed_or_epoch_gives_other_pixels(
    dataset: Dataset, seed: int, epoch: int, index: int
) -> None:
    one, _ = samples(dataset, EVERYTHING, seed=0)[2, 5]
    other, _ = samples(dataset, EVERYTHING, seed=seed)[epoch, index]
    assert not np.array_equal(one, other)


def test_each_image_draws_its_own_numbers(dataset: Dataset) -> None:
    """Two rows of the same picture are changed differently."""
    twice = dataset.with_records(dataset.records.take([0, 0]))
    found = samples(twice, EVERYTHING)
    assert not np.array_equal(found[0, 0][0], found[0, 1][0])


def test_drawing_leaves_the_global_generator_alone(dataset: Dataset) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    samples(dataset, EVERYTHING)[0, 0]
    assert torch.equal(torch.rand(4), expected)


def test_seeds_are_the_same_on_every_machine() -> None:
    assert draw_seed(0, 1, 2) == 3071860871404845570
    assert draw_seed(0, 1) != draw_seed(1, 0)


@pytest.mark.parametrize(
    "settings",
    [{"crop_scale": [0.2, 0.3]}, {"rotation": 30}, {"color_jitter": {"saturation": 0.9, "contrast": 0.9}}],
)
def test_each_change_alone_changes_the_picture(dataset: Dataset, settings: dict[str, object]) -> None:
    plain = SMALL(dataset.read(0))
    image, _ = samples(dataset, Augmentation.model_validate(settings))[0, 0]
    assert image.shape == plain.shape
    assert np.abs(image.astype(int) - plain).mean() > 1


def test_a_crop_of_everything_is_the_whole_picture(dataset: Dataset) -> None:
    """Also where evaluation crops: the random crop stands for the centred one, and is not cropped again."""
    whole = Augmentation.model_validate({"crop_scale": [1, 1], "crop_ratio": [1, 1]})
    image, _ = samples(dataset, whole, crop_fraction=0.5)[0, 0]
    assert np.abs(image.astype(int) - SMALL(dataset.read(0))).max() <= 2


def test_a_crop_keeps_shapes_where_the_input_is_not_square() -> None:
    """A ratio of 1 means the input's own shape: a circle stays a circle."""
    rows, columns = np.mgrid[:100, :200]
    circle = np.where((rows - 50) ** 2 + (columns - 100) ** 2 < 900, 255, 0).astype(np.uint8)
    settings = Augmentation.model_validate({"crop_scale": [0.9, 0.9], "crop_ratio": [1, 1]})
    augment = build_augmentation(settings, Preprocessing(40, 80))
    assert augment is not None
    torch.manual_seed(0)
    found = np.asarray(augment(open_image(circle)))[..., 0] > 127
    height, width = found.any(axis=1).sum(), found.any(axis=0).sum()
    assert abs(int(height) - int(width)) <= 1


# --- order and batches


def test_every_epoch_has_every_image_once_in_its_own_order() -> None:
    sampler = EpochSampler(20, seed=1)
    orders = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert {each for each, _ in keys} == {epoch}
        orders.append([index for _, index in keys])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(20))
    assert orders[0] != orders[1]


def test_the_order_comes_from_the_seed_and_the_epoch_alone() -> None:
    one, other = EpochSampler(20, seed=1), EpochSampler(20, seed=1)
    list(one)
    one.set_epoch(4)
    other.set_epoch(4)
    assert list(one) == list(other)
    assert list(EpochSampler(20, seed=2)) != list(EpochSampler(20, seed=1))


@pytest.mark.parametrize(
    ("n", "batch_size", "expected"),
    [(20, 8, [8, 8]), (16, 8, [8, 8]), (15, 8, [8, 7]), (9, 8, [8]), (5, 8, [5]), (2, 8, [2])],
)
def test_no_training_batch_holds_one_image(
    dataset: Dataset, n: int, batch_size: int, expected: list[int]
) -> None:
    part = samples(dataset.with_records(dataset.records.slice(0, n)))
    batches = loader(part, batch_size, 0, sampler=EpochSampler(n, 0))
    assert [len(cells) for _, cells in batches] == expected


def test_validation_batches_hold_every_image_in_order(dataset: Dataset) -> None:
    part = samples(dataset.with_records(dataset.records.slice(0, 9)))
    images, cells = zip(*loader(part, 4, 0), strict=True)
    assert torch.cat(cells).tolist() == list(range(9))
    assert torch.cat(images).dtype == torch.uint8
    assert torch.cat(images).shape == (9, 32, 32, 3)
