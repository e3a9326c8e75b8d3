"""Photos on disk: which are meant, and how one bad photo is reported among good ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lostfound.errors import ModelError, UsageError
from lostfound.predict.locator import Locator
from lostfound.predict.photos import find_photos, locate_photos, taken_at


@pytest.fixture(scope="module")
def locator(model_folder: Path) -> Locator:
    return Locator.load(model_folder, threads=1)


@pytest.fixture
def folder(world: Path, tmp_path: Path) -> Path:
    """Photos in folders, with a bad one and things that are none."""
    images = sorted((world / "images").iterdir())
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / ".hidden").mkdir()
    shutil.copy(images[0], tmp_path / "in" / "b.jpg")
    shutil.copy(images[1], tmp_path / "in" / "a.JPG")
    shutil.copy(images[2], tmp_path / "in" / "deep" / "c.jpg")
    shutil.copy(images[3], tmp_path / "in" / ".hidden" / "d.jpg")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no image")
    (tmp_path / "in" / "notes.txt").write_text("no photo")
    return tmp_path / "in"


def names(photos: list[Path]) -> list[str]:
    return [photo.name for photo in photos]


def test_a_folder_means_the_photos_below_it(folder: Path) -> None:
    assert names(find_photos([folder])) == ["a.JPG", "b.jpg", "bad.jpg", "c.jpg"]


def test_files_and_folders_keep_their_order(folder: Path) -> None:
    assert names(find_photos([folder / "deep", folder / "b.jpg", folder / "a.JPG"])) == [
        "c.jpg",
        "b.jpg",
        "a.JPG",
    ]


def test_a_file_is_tried_whatever_its_name(folder: Path) -> None:
    assert names(find_photos([folder / "notes.txt"])) == ["notes.txt"]


def test_a_path_that_does_not_exist_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.jpg does not exist"):
        find_photos([folder, folder / "nothing.jpg"])


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(UsageError, match=r"holds no images \(looked for"):
        find_photos([tmp_path])


def test_one_bad_photo_does_not_stop_the_rest(folder: Path, model_folder: Path) -> None:
    results = locate_photos([folder], Locator.load(model_folder), top=2)
    assert [Path(each.photo).name for each in results] == ["a.JPG", "b.jpg", "bad.jpg", "c.jpg"]
    assert [each.guess is None for each in results] == [False, False, True, False]
    assert results[2].error is not None
    assert "bad.jpg" in results[2].error
    assert results[0].error is None
    assert results[0].guess is not None
    assert len(results[0].guess.candidates) == 2


def test_a_model_that_cannot_be_used_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model folder"):
        locate_photos([folder], Locator.load(tmp_path))


def test_a_trip_is_by_the_times_in_the_files(locator, world: Path, tmp_path: Path, capsys) -> None:
    from PIL import Image

    originals = sorted((world / "images").iterdir())[:3]
    for number, (original, hour) in enumerate(zip(originals, (9, 7, 8), strict=True)):
        with Image.open(original) as image:
            exif = image.getexif()
            exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 {hour:02}:00:00"
            image.convert("RGB").save(tmp_path / f"{number}.jpg", exif=exif)
    files = sorted(tmp_path.iterdir())
    hours = [taken_at(file) for file in files]
    assert [hour - hours[1] for hour in hours] == [2, 0, 1]
    located = locate_photos([tmp_path], locator, same_trip=True)
    expected = locator.locate_trip(files, times=[2.0, 0.0, 1.0])
    assert [each.guess.probability for each in located] == pytest.approx(
        [guess.probability for guess in expected], abs=1e-6
    )
    assert "the country stays with" in capsys.readouterr().err


def test_photos_without_times_are_in_their_order(locator, world: Path, capsys) -> None:
    photos = sorted((world / "images").iterdir())[:3]
    located = locate_photos(photos, locator, same_trip=True)
    assert [each.photo for each in located] == [str(photo) for photo in photos]
    assert "3 of 3 photos don't say when they were taken" in capsys.readouterr().err
    assert taken_at(photos[0].with_name("none.jpg")) is None


def test_one_place_is_no_trip(locator, world: Path) -> None:
    with pytest.raises(UsageError, match="one of the two"):
        locate_photos([world / "images"], locator, same_place=True, same_trip=True)
