"""Augmentation: each change does what its name says, on the network's input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.images import Preprocessing
from lostfound.training.augmentation import build_augmentation, mixup
from lostfound.training.settings import Augmentation

SMALL = Preprocessing(32, 32)
EVERYTHING = {
    "crop_scale": [0.5, 1],
    "rotation": 10,
    "perspective": {},
    "color_jitter": {"brightness": 0.3, "hue": 0.1},
    "flip": 0.5,
    "grayscale": 0.5,
    "blur": 0.5,
    "jpeg": 0.5,
    "border": 0.5,
    "erasing": 0.5,
}


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Smooth colours that differ from place to place."""
    rows, columns = np.mgrid[:60, :80]
    channels = [4 * rows, 3 * columns, 255 - 2 * rows - columns]
    return Image.fromarray(np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8))


def changed(picture: Image.Image, seed: int = 0, **settings: object) -> NDArray[np.uint8]:
    augment = build_augmentation(Augmentation.model_validate(settings), SMALL)
    assert augment is not None
    torch.manual_seed(seed)
    found: NDArray[np.uint8] = augment(picture)
    return found


@pytest.mark.parametrize("settings", [{}, {"enabled": False, **EVERYTHING}, {"mixup": 0.2}])
def test_there_is_none_where_no_image_is_changed(settings: dict[str, object]) -> None:
    assert build_augmentation(Augmentation.model_validate(settings), SMALL) is None


@pytest.mark.parametrize(
    "settings",
    [*({name: value} for name, value in EVERYTHING.items()), EVERYTHING],
    ids=[*EVERYTHING, "everything"],
)
@pytest.mark.parametrize("shape", [(32, 32), (20, 52), (96, 64)])
def test_what_comes_out_is_the_networks_input(
    picture: Image.Image, settings: dict[str, object], shape: tuple[int, int]
) -> None:
    """For any shape; worker processes get it pickled; and the array is theirs to write to."""
    augment = build_augmentation(Augmentation.model_validate(settings), Preprocessing(*shape))
    image = pickle.loads(pickle.dumps(augment))(picture)
    assert (image.shape, image.dtype) == ((*shape, 3), np.uint8)
    assert image.flags.writeable
    assert image.flags.c_contiguous


def test_crops_may_be_smaller_than_the_networks_input(picture: Image.Image) -> None:
    settings = Augmentation(crop_scale=(0.5, 1), crop_size=(20, 30), erasing=1)
    augment = build_augmentation(settings, Preprocessing(64, 64))
    assert augment is not None
    assert augment(picture).shape == (20, 30, 3)


@pytest.mark.parametrize(
    "settings",
    [
        {"crop_scale": [0.2, 0.3]},
        {"rotation": 30},
        {"perspective": {"distortion": 0.5, "probability": 1}},
        {"color_jitter": {"saturation": 0.9, "contrast": 0.9}},
        {"flip": 1},
        {"grayscale": 1},
        {"jpeg": 1},
        {"border": 1},
        {"erasing": 1},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_change_alone_changes_the_picture(picture: Image.Image, settings: dict[str, object]) -> None:
    assert np.abs(changed(picture, seed=4, **settings).astype(int) - SMALL(picture)).max() >= 3


def test_a_flip_is_the_mirror_image(picture: Image.Image) -> None:
    assert np.array_equal(changed(picture, flip=1), SMALL(picture)[:, ::-1])


def test_a_grey_image_has_equal_channels(picture: Image.Image) -> None:
    found = changed(picture, grayscale=1)
    assert (found == found[..., :1]).all()


def test_an_erased_rectangle_has_the_mean_colour(picture: Image.Image) -> None:
    """Which is 0 to the network; the rest is as it was."""
    found, plain = changed(picture, erasing=1), SMALL(picture)
    different = (found != plain).any(axis=2)
    assert different.any()
    assert not different.all()
    assert np.abs(found[different] / 255 - SMALL.mean).max() < 1 / 255


def test_a_blur_makes_neighbours_more_alike() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    assert changed(noise, seed=4, blur=1).std() < 0.8 * SMALL(noise).std()


def test_a_strong_compression_keeps_what_the_picture_shows(picture: Image.Image) -> None:
    found, plain = changed(picture, jpeg=1).astype(int), SMALL(picture).astype(int)
    assert 0 < np.abs(found - plain).mean() < 16


def test_a_border_is_black_and_the_whole_picture_lies_in_it() -> None:
    white = Image.new("RGB", (60, 60), "white")
    found = changed(white, seed=3, border=1)
    inside = (found > 127).all(axis=2)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert 0.4 < inside.mean() < 1


def test_without_a_random_crop_the_preprocessings_is_taken(picture: Image.Image) -> None:
    middle = Preprocessing(32, 32, crop_fraction=0.5)
    augment = build_augmentation(Augmentation(flip=1), middle)
    assert augment is not None
    assert np.array_equal(augment(picture), middle(picture)[:, ::-1])


def test_a_crop_of_everything_is_the_whole_picture(picture: Image.Image) -> None:
    """Also where evaluation crops: the random crop stands for the centred one."""
    square = picture.resize((60, 60))
    settings = Augmentation.model_validate({"crop_scale": [1, 1], "crop_ratio": [1, 1]})
    augment = build_augmentation(settings, Preprocessing(32, 32, crop_fraction=0.5))
    assert augment is not None
    assert np.abs(augment(square).astype(int) - SMALL(square)).max() <= 2


def test_a_crop_keeps_shapes_where_the_input_is_not_square() -> None:
    """A ratio of 1 means the input's own shape: a circle stays a circle."""
    rows, columns = np.mgrid[:100, :200]
    circle = np.where((rows - 50) ** 2 + (columns - 100) ** 2 < 900, 255, 0).astype(np.uint8)
    settings = Augmentation.model_validate({"crop_scale": [0.9, 0.9], "crop_ratio": [1, 1]})
    augment = build_augmentation(settings, Preprocessing(40, 80))
    assert augment is not None
    torch.manual_seed(0)
    found = augment(Image.fromarray(circle).convert("RGB"))[..., 0] > 127
    height, width = found.any(axis=1).sum(), found.any(axis=0).sum()
    assert abs(int(height) - int(width)) <= 1


def test_the_draws_come_from_torchs_generator(picture: Image.Image) -> None:
    one, same, other = (changed(picture, seed, **EVERYTHING) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


# --- mixup


def test_mixup_weighs_each_place_with_another() -> None:
    images = torch.randint(0, 256, (6, 2, 4, 4, 3), dtype=torch.uint8)
    torch.manual_seed(3)
    mixed, others, weight = mixup(images, 1.0)
    assert sorted(others.tolist()) == list(range(6))
    assert 0 < weight < 1
    expected = weight * images.double() + (1 - weight) * images[others].double()
    assert torch.allclose(mixed.double(), expected, atol=1e-3)


@pytest.mark.parametrize(("alpha", "spread"), [(0.2, (0.37, 0.45)), (1.0, (0.26, 0.31)), (20.0, (0.06, 0.1))])
def test_the_weight_of_mixup_is_drawn_from_beta(alpha: float, spread: tuple[float, float]) -> None:
    """Whose standard deviation is 1 / (2 * sqrt(2 alpha + 1))."""
    torch.manual_seed(0)
    images = torch.zeros((2, 1), dtype=torch.uint8)
    weights = [mixup(images, alpha)[2] for _ in range(1500)]
    assert abs(np.mean(weights) - 0.5) < 0.05
    assert spread[0] < np.std(weights) < spread[1]
