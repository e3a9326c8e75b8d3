import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFilter
from scipy.ndimage import convolve

from lostfound.data.dataset import Dataset
from lostfound.data.images import open_image, shrink
from lostfound.data.preparing.quality import Threshold, color_variance, measure_quality, sharpness
from lostfound.errors import RecipeError

KERNEL = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


def image(pixels):
    return Image.fromarray(np.asarray(pixels, dtype=np.uint8))


pictures = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


@given(pictures)
def test_color_variance_is_the_largest_of_the_channels(pixels):
    expected = pixels.reshape(-1, 3).astype(float).var(axis=0).max()

    assert color_variance(image(pixels)) == pytest.approx(expected, abs=1e-9)


@given(pictures.filter(lambda pixels: min(pixels.shape[:2]) > 1))
def test_sharpness_is_the_variance_of_the_laplacian_of_the_grey_image(pixels):
    grey = np.asarray(image(pixels).convert("L"), dtype=float)

    assert sharpness(image(pixels)) == pytest.approx(convolve(grey, KERNEL, mode="mirror").var())


@pytest.mark.parametrize(
    ("pixels", "variance"),
    [
        (np.zeros((4, 4, 3)), 0.0),
        (np.full((4, 4, 3), 255), 0.0),
        ([[[0, 0, 0], [255, 10, 0]]], 127.5**2),  # the largest there is
        ([[[5, 0, 0], [5, 20, 0]]], 100.0),
    ],
)
def test_color_variances_by_hand(pixels, variance):
    assert color_variance(image(pixels)) == variance


def test_a_flat_picture_and_an_even_slope_are_not_sharp():
    slope = np.repeat(np.arange(0, 200, 10)[None], 20, axis=0)

    assert sharpness(image(np.full((20, 20), 90))) == 0
    assert sharpness(image(slope)) < sharpness(image(slope[:, ::-1] ^ 64))


def test_a_checkerboard_is_the_sharpest():
    board = np.indices((8, 8)).sum(axis=0) % 2 * 255

    assert sharpness(image(board)) == (4 * 255) ** 2


def test_one_pixel_is_measured():
    assert sharpness(image([[7]])) == 0


def test_blurring_takes_sharpness_and_dimming_takes_colour(picture):
    sharp = picture(1, 128, 96)
    sharp = image(np.asarray(sharp) ^ np.random.default_rng(0).integers(0, 32, (96, 128, 1), dtype=np.uint8))

    assert sharpness(sharp.filter(ImageFilter.GaussianBlur(3))) < 0.1 * sharpness(sharp)
    assert color_variance(sharp.point(lambda value: value // 4)) < 0.1 * color_variance(sharp)


VALUES = np.array([1.0, 5.0, 300.0, 300.0, 1000.0])


@pytest.mark.parametrize(
    ("threshold", "kept"),
    [
        (Threshold("sharpness", 0), [1, 5, 300, 300, 1000]),
        (Threshold("sharpness", 300), [300, 300, 1000]),  # "at least"
        (Threshold("sharpness", 300.5), [1000]),
        (Threshold("sharpness", quantile=0.0), [1, 5, 300, 300, 1000]),
        (Threshold("sharpness", quantile=0.25), [5, 300, 300, 1000]),
        (Threshold("sharpness", quantile=0.99), [1000]),
    ],
)
def test_thresholds_by_value_and_by_quantile(threshold, kept):
    assert VALUES[~threshold.below(VALUES)].tolist() == kept


def test_a_threshold_that_drops_everything_says_what_remains_at_which_value():
    with pytest.raises(RecipeError) as caught:
        Threshold("color_variance", 2000).below(VALUES)

    said = str(caught.value)
    assert "quality.min_color_variance of 2000 would drop all 5 images, whose largest value is 1000.0" in said
    assert "1 keeps 5" in said
    assert "300 keeps 3" in said


@given(arrays(float, st.integers(1, 30), elements=st.floats(0, 1e5)))
def test_what_is_promised_to_remain_does(values):
    with pytest.raises(RecipeError) as caught:
        Threshold("sharpness", 1e6).below(values)

    for promise in str(caught.value).rpartition(": ")[2].split(", "):
        value, _, number = promise.partition(" keeps ")
        assert int(number) > 0
        assert (values >= float(value) * (1 - 1e-9)).sum() >= int(number)


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return Dataset.open(dataset_folder)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_image_is_measured_in_its_row(dataset, jobs):
    measured = measure_quality(dataset, jobs=jobs)

    assert measured.shape == (96, 2)
    for row in (0, 50, 95):
        image = open_image(dataset.read(row))
        assert measured[row].tolist() == [color_variance(image), sharpness(image)]


def test_images_can_be_measured_smaller_than_they_are(dataset):
    image = shrink(open_image(dataset.read(3)), 32)

    assert measure_quality(dataset, size=32, jobs=1)[3].tolist() == [color_variance(image), sharpness(image)]


def test_what_was_measured_is_not_measured_again(dataset, dataset_folder, tmp_path):
    before = measure_quality(dataset, parts=tmp_path / "parts", jobs=1)
    gone = shutil.copytree(dataset_folder, tmp_path / "gone")
    unreadable = Dataset(gone, dataset.records, {})
    shutil.rmtree(gone / "images")

    assert np.array_equal(measure_quality(unreadable, parts=tmp_path / "parts", jobs=1), before)
