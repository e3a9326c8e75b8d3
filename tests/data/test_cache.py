import os
import shutil
from collections import namedtuple

import numpy as np
import pytest

from lostfound.data import cache
from lostfound.data.cache import cached_pixels
from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.errors import DatasetError, DiskFullError

SMALL = Preprocessing(24, 32)


@pytest.fixture
def dataset(dataset_folder):
    return Dataset.open(dataset_folder)


@pytest.fixture
def blocks(monkeypatch):
    monkeypatch.setattr(cache, "_BLOCK", 20)  # five blocks, the last not full


@pytest.fixture
def decoded(monkeypatch):
    """The first rows of the blocks that were decoded."""
    starts = []
    decode = cache._decode_block

    def watch(block, **settings):
        starts.append(block.start)
        return decode(block, **settings)

    monkeypatch.setattr(cache, "_decode_block", watch)
    return starts


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_pixels_are_what_the_preprocessing_makes(dataset, tmp_path, jobs):
    pixels = cached_pixels(dataset, SMALL, jobs=jobs, folder=tmp_path)
    assert (pixels.shape, pixels.dtype) == ((96, 24, 32, 3), np.uint8)
    for row in range(96):
        np.testing.assert_array_equal(pixels[row], SMALL(dataset.read(row)))


def test_the_second_start_decodes_nothing_and_says_what_it_saved(dataset, tmp_path, blocks, decoded, capsys):
    first = cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path)
    assert decoded == [0, 20, 40, 60, 80]
    capsys.readouterr()

    second = cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path)

    assert len(decoded) == 5
    np.testing.assert_array_equal(first, second)
    assert "96 decoded images from the cache in 0.0 s; decoding them took " in capsys.readouterr().err
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npy"]


def test_the_pixels_are_mapped_and_not_to_be_written(dataset, tmp_path):
    pixels = cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path)
    assert isinstance(pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Preprocessing(24, 32, mean=(0.5, 0.5, 0.5)), True),  # subtracted later, in the network
        (Preprocessing(24, 24), False),
        (Preprocessing(24, 32, crop_fraction=0.9), False),
        (Preprocessing(24, 32, interpolation="bilinear"), False),
    ],
)
def test_other_settings_make_other_pixels(dataset, tmp_path, other, same):
    cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path)
    cached_pixels(dataset, other, jobs=1, folder=tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == (1 if same else 2)


def test_other_images_or_another_order_make_other_pixels(dataset, tmp_path):
    for rows in (range(96), range(95), range(95, -1, -1)):
        part = dataset.with_records(dataset.records.take(np.array(rows)))
        pixels = cached_pixels(part, SMALL, jobs=1, folder=tmp_path)
        np.testing.assert_array_equal(pixels[-1], SMALL(part.read(len(part) - 1)))
    assert len(list(tmp_path.glob("*.npy"))) == 3


def test_a_run_that_was_stopped_goes_on(dataset, tmp_path, blocks, monkeypatch, decoded):
    decode = cache._decode_block

    def stopped(block, **settings):
        if block.start == 60:
            raise KeyboardInterrupt
        return decode(block, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(cache, "_decode_block", stopped)
        with pytest.raises(KeyboardInterrupt):
            cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path)
    work = next(path for path in tmp_path.iterdir() if path.is_dir())
    unfinished = np.lib.format.open_memmap(work / "pixels.npy", "r+")
    unfinished[25] = 0  # of the second block, not as it was decoded
    del unfinished
    decoded.clear()

    pixels = cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path)

    assert decoded == [20, 60, 80]
    np.testing.assert_array_equal(pixels[25], SMALL(dataset.read(25)))
    np.testing.assert_array_equal(pixels[95], SMALL(dataset.read(95)))
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


Usage = namedtuple("Usage", "total used free")


def test_what_does_not_fit_is_refused_and_leaves_nothing(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, cache._SPARE + 1000))
    with pytest.raises(DiskFullError, match=r"need 1 MB, and .* has room for 0 MB: .*LOSTFOUND_CACHE"):
        cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_pixels_used_longest_ago_make_room(dataset, tmp_path, monkeypatch):
    sizes = [Preprocessing(16, 16), Preprocessing(16, 17), Preprocessing(16, 18)]
    for age, preprocessing in enumerate(sizes[:2]):
        cached_pixels(dataset, preprocessing, jobs=1, folder=tmp_path)
        for path in tmp_path.glob("*.npy"):
            os.utime(path, (path.stat().st_mtime - 100 * (2 - age),) * 2)
    cached_pixels(dataset, sizes[0], jobs=1, folder=tmp_path)  # used again
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, cache._SPARE + 10_000))

    cached_pixels(dataset, sizes[2], jobs=1, folder=tmp_path)

    left = {np.load(path, mmap_mode="r").shape[2] for path in tmp_path.glob("*.npy")}
    assert left == {16, 18}


def test_a_damaged_data_set_gives_no_pixels(dataset_folder, tmp_path):
    dataset = Dataset.open(shutil.copytree(dataset_folder, tmp_path / "data"))
    shard = tmp_path / "data" / "images" / dataset.records["shard"][0].as_py()
    data = bytearray(shard.read_bytes())
    data[dataset.records["offset"][0].as_py() + 50] ^= 255
    shard.write_bytes(data)
    with pytest.raises(DatasetError, match="its hash differs"):
        cached_pixels(dataset, SMALL, jobs=1, folder=tmp_path / "pixels")
    assert not list((tmp_path / "pixels").glob("*.npy"))
