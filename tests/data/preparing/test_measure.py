import shutil

import numpy as np
import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.images import open_image, shrink
from lostfound.data.preparing.measure import measure_quality
from lostfound.data.preparing.quality import color_variance, sharpness


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
