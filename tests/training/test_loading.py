"""Training samples: what is drawn, and from what; and the batches they make."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
import torch

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.training.loading import FeatureSamples, ImageSamples, build_loader, draw_seed
from lostfound.training.sampling import EpochSampler, FixedOrderSampler
from lostfound.training.settings import Augmentation

EVERYTHING = Augmentation.model_validate(
    {"crop_scale": [0.3, 1], "rotation": 20, "color_jitter": {"brightness": 0.4, "hue": 0.2}}
)
SMALL = Preprocessing(32, 32)


def samples(
    dataset: Dataset, augmentation: Augmentation | None = None, seed: int = 0, **kwargs
) -> ImageSamples:
    return ImageSamples(dataset, SMALL, augmentation, seed, **kwargs)


def image(samples: ImageSamples, epoch: int, position: int, row: int) -> np.ndarray:
    """The one view of a sample."""
    views, _ = samples[epoch, position, np.array([row])]
    return views[0]


@pytest.mark.parametrize(
    "augmentation", [None, Augmentation(), EVERYTHING.model_copy(update={"enabled": False})]
)
@pytest.mark.parametrize("shape", [(32, 32), (20, 52), (96, 64)])
@pytest.mark.parametrize("crop_fraction", [1.0, 0.8])
def test_without_augmentation_a_sample_is_the_models_input(
    dataset: Dataset, augmentation: Augmentation | None, shape: tuple[int, int], crop_fraction: float
) -> None:
    preprocessing = Preprocessing(*shape, crop_fraction)
    found, rows = ImageSamples(dataset, preprocessing, augmentation, 7)[3, 1, np.array([0, 5])]
    assert (found.shape, found.dtype) == ((2, *shape, 3), np.uint8)
    assert rows.tolist() == [0, 5]
    for view, row in zip(found, rows, strict=True):
        assert view.tobytes() == preprocessing(dataset.read(int(row))).tobytes()


def test_the_same_seed_epoch_and_position_give_the_same_pixels(dataset: Dataset) -> None:
    first, second = samples(dataset, EVERYTHING), samples(dataset, EVERYTHING)
    torch.manual_seed(1)
    one = image(first, 2, 3, 5)
    image(second, 2, 4, 6)  # whatever was drawn before does not matter
    torch.manual_seed(2)
    assert np.array_equal(one, image(second, 2, 3, 5))


@pytest.mark.parametrize(("seed", "epoch", "position"), [(1, 2, 5), (0, 3, 5), (0, 2, 6)])
def test_another_seed_epoch_or_position_gives_other_pixels(
    dataset: Dataset, seed: int, epoch: int, position: int
) -> None:
    """An image that is drawn twice in an epoch is changed differently each time."""
    one = image(samples(dataset, EVERYTHING, seed=0), 2, 5, 0)
    other = image(samples(dataset, EVERYTHING, seed=seed), epoch, position, 0)
    assert not np.array_equal(one, other)


def test_each_view_draws_its_own_numbers(dataset: Dataset) -> None:
    (one, other), _ = samples(dataset, EVERYTHING)[0, 0, np.array([4, 4])]
    assert not np.array_equal(one, other)


def test_drawing_leaves_the_global_generator_alone(dataset: Dataset) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    image(samples(dataset, EVERYTHING), 0, 0, 0)
    assert torch.equal(torch.rand(4), expected)


def test_seeds_are_the_same_on_every_machine() -> None:
    assert draw_seed(0, 1, 2) == 3071860871404845570
    assert draw_seed(0, 1) != draw_seed(1, 0)


def test_pixels_kept_ready_are_taken_instead_of_the_files(dataset: Dataset) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (len(dataset), 32, 32, 3), dtype=np.uint8)
    assert image(samples(dataset, pixels=pixels), 0, 0, 3).tobytes() == pixels[3].tobytes()
    whole = Augmentation.model_validate({"crop_scale": [1, 1], "crop_ratio": [1, 1]})
    assert np.array_equal(image(samples(dataset, whole, pixels=pixels), 0, 0, 3), pixels[3])


def test_features_stand_for_images() -> None:
    features = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    samples = FeatureSamples(features, np.array([3, 0, 4]))
    found, rows = samples[0, 0, np.array([2, 1])]
    assert len(samples) == 3
    assert np.array_equal(found, features[[4, 0]])
    assert rows.tolist() == [2, 1]


# --- batches


def in_turn(n: int) -> EpochSampler:
    return EpochSampler(lambda generator: generator.permutation(n)[:, None], n, seed=0)


@pytest.mark.parametrize(
    ("n", "batch_size", "expected"),
    [(20, 8, [8, 8]), (16, 8, [8, 8]), (15, 8, [8, 7]), (9, 8, [8]), (5, 8, [5]), (2, 8, [2])],
)
def test_no_training_batch_holds_one_sample(
    dataset: Dataset, n: int, batch_size: int, expected: list[int]
) -> None:
    batches = build_loader(samples(dataset), in_turn(n), batch_size, 0, training=True)
    assert [len(rows) for _, rows in batches] == expected


def test_validation_batches_hold_every_sample_in_order(dataset: Dataset) -> None:
    pairs = np.arange(18).reshape(9, 2)
    images, rows = zip(*build_loader(samples(dataset), FixedOrderSampler(pairs), 4, 0), strict=True)
    assert torch.cat(rows).tolist() == pairs.tolist()
    assert torch.cat(images).dtype == torch.uint8
    assert torch.cat(images).shape == (9, 2, 32, 32, 3)


@pytest.mark.parametrize("keep", [True, False])
def test_closing_ends_the_workers_of_a_pass_that_was_given_up(dataset: Dataset, keep: bool) -> None:
    batches = build_loader(
        samples(dataset), FixedOrderSampler(np.arange(9)[:, None]), 1, 1, keep_workers=keep
    )
    given_up = iter(batches)
    next(given_up)
    assert multiprocessing.active_children()
    batches.close()
    assert multiprocessing.active_children() == []
    assert len(list(batches)) == 9  # the next pass starts others
    batches.close()
