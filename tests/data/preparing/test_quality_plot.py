import io

import numpy as np
import pytest
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.preparing.quality import Threshold, measure_quality
from lostfound.data.preparing.quality_plot import draw_quality
from lostfound.errors import DatasetError


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return Dataset.open(dataset_folder)


@pytest.fixture(scope="module")
def measured(dataset):
    return measure_quality(dataset, jobs=1)


@pytest.mark.parametrize(
    "thresholds",
    [
        [],
        [Threshold("color_variance", 0)],
        [Threshold("color_variance", 1e6), Threshold("sharpness", quantile=0.5)],
    ],
    ids=["none", "below all", "above all, and in the middle"],
)
def test_a_picture_whatever_the_thresholds(dataset, measured, thresholds):
    picture = Image.open(io.BytesIO(draw_quality(dataset, measured, thresholds)))

    assert picture.format == "PNG"
    assert picture.width >= 1200
    assert np.asarray(picture.convert("L")).std() > 10


@pytest.mark.slow
def test_other_thresholds_show_other_images(dataset, measured):
    pictures = [
        draw_quality(dataset, measured, [Threshold("sharpness", quantile=share)]) for share in (0.2, 0.8)
    ]

    assert pictures[0] != pictures[1]


def test_images_that_can_t_be_decoded_are_left_out(dataset, measured):
    partly = np.where(np.arange(96)[:, None] < 90, np.nan, measured)

    draw_quality(dataset, partly, [Threshold("sharpness", 1)])
    with pytest.raises(DatasetError, match="no image whose quality can be measured"):
        draw_quality(dataset, np.full_like(measured, np.nan), [])
