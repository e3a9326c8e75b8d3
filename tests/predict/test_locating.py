"""Many photos into a results folder: none asked twice, none lost, whatever lies in the folders."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from lostfound.claims import holding
from lostfound.errors import UsageError
from lostfound.pages.map import write_photo_map
from lostfound.predict import results as results_module
from lostfound.predict.locating import UNREADABLE, locate_into
from lostfound.predict.locator import Locator
from lostfound.predict.photos import locate_photos
from lostfound.predict.results import Results
from lostfound.predict.sources import Selection, read_again


@pytest.fixture(scope="module")
def locator(model_folder: Path) -> Locator:
    return Locator.load(model_folder)


@pytest.fixture
def photos(tmp_path: Path, world: Path) -> Path:
    """Twelve photos, two of them in a folder within."""
    folder = tmp_path / "photos"
    (folder / "within").mkdir(parents=True)
    for number, image in enumerate(sorted((world / "images").iterdir())[:12]):
        shutil.copy(image, folder / ("within" if number > 9 else ".") / f"{number:02}.jpg")
    return folder


def names(results: Results) -> list[str]:
    return [Path(each.photo).name for each in results]


def test_the_answers_are_those_of_locating_without_a_folder(
    photos: Path, tmp_path: Path, locator: Locator
) -> None:
    run = locate_into([photos], tmp_path / "results", locator, top=3)
    assert (run.asked, run.known, run.unreadable) == (12, 0, [])
    assert list(Results.open(tmp_path / "results")) == locate_photos([photos], locator, top=3)


def test_only_new_and_changed_photos_are_asked(photos: Path, tmp_path: Path, locator: Locator) -> None:
    to = tmp_path / "results"
    locate_into([photos], to, locator)
    shutil.copy(photos / "00.jpg", photos / "again.jpg")  # the same picture under another name
    data = (photos / "01.jpg").read_bytes()
    (photos / "02.jpg").write_bytes(data + b"\0")  # changed: other bytes, though the same picture
    os.utime(photos / "03.jpg", ns=(1, 1))  # touched: the same bytes
    run = locate_into([photos], to, locator)
    assert (run.asked, run.copied, run.known) == (1, 1, 11)
    found = {Path(each.photo).name: each.guess for each in run.results}
    assert len(found) == len(run.results) == 13
    assert found["again.jpg"] == found["00.jpg"]
    assert found["02.jpg"] == found["01.jpg"]


def test_a_photo_that_changed_back_has_its_first_answer(
    photos: Path, tmp_path: Path, locator: Locator
) -> None:
    to, first, other = (
        tmp_path / "results",
        (photos / "00.jpg").read_bytes(),
        (photos / "05.jpg").read_bytes(),
    )
    before = {each.photo: each.guess for each in locate_into([photos], to, locator).results}
    for data in (other, first):
        (photos / "00.jpg").write_bytes(data)
        run = locate_into([photos], to, locator)
        assert (run.asked, run.copied) == (0, 1)
    assert {each.photo: each.guess for each in run.results} == before


def test_what_can_not_be_read_is_listed_each_time(photos: Path, tmp_path: Path, locator: Locator) -> None:
    (photos / "03.jpg").write_bytes(b"no picture")
    (photos / "raw.cr2").write_bytes(b"II*\0")
    for _ in range(2):
        run = locate_into([photos], tmp_path / "results", locator)
        assert [Path(name).name for name, _ in run.unreadable] == ["03.jpg", "raw.cr2"]
        listed = (tmp_path / "results" / UNREADABLE).read_text()
        assert "03.jpg: not an image that can be read" in listed
        assert "raw.cr2" in listed
    (photos / "raw.cr2").unlink()
    shutil.copy(photos / "00.jpg", photos / "03.jpg")
    assert locate_into([photos], tmp_path / "results", locator).unreadable == []
    assert not (tmp_path / "results" / UNREADABLE).exists()


def test_photos_are_chosen(photos: Path, tmp_path: Path, locator: Locator) -> None:
    def chosen(name: str, **selection: object) -> list[str]:
        run = locate_into([photos], tmp_path / name, locator, selection=Selection(**selection))  # type: ignore[arg-type]
        return names(run.results)

    assert len(chosen("flat", recursive=False)) == 10
    assert chosen("within", include=("within/*",)) == ["10.jpg", "11.jpg"]
    assert chosen("some", include=("0[1-3].jpg",), exclude=("02*",)) == ["01.jpg", "03.jpg"]


def test_archives_are_read_in_place(photos: Path, tmp_path: Path, locator: Locator) -> None:
    plain = {Path(each.photo).name: each.guess for each in locate_photos([photos], locator)}
    zipped, tarred = tmp_path / "a.zip", tmp_path / "a.tar.gz"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(photos / "00.jpg", "../../out.jpg")  # a path that leads out is a name, and nothing more
        archive.write(photos / "01.jpg", "in/01.jpg")
        archive.writestr("__MACOSX/._01.jpg", b"not a photo")
        archive.writestr("notes.txt", b"not a photo")
    with tarfile.open(tarred, "w:gz") as archive:
        archive.add(photos / "02.jpg", "02.jpg")
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        data = tarfile.TarInfo("03.jpg")
        data.size = 4
        archive.addfile(data, io.BytesIO(b"none"))
    before = sorted(tmp_path.rglob("*"))
    run = locate_into([zipped, tarred], tmp_path / "results", locator)
    found = {each.photo: each.guess for each in run.results}
    assert found == {
        f"{zipped}/../../out.jpg": plain["00.jpg"],
        f"{zipped}/in/01.jpg": plain["01.jpg"],
        f"{tarred}/02.jpg": plain["02.jpg"],
        f"{tarred}/03.jpg": None,
    }
    assert [name for name, _ in run.unreadable] == [f"{tarred}/03.jpg"]
    assert {each for each in tmp_path.rglob("*") if tmp_path / "results" not in (each, *each.parents)} == set(
        before
    )
    assert locate_into([zipped, tarred], tmp_path / "results", locator).asked == 0

    page = write_photo_map(list(run.results), tmp_path / "map.html").read_text(encoding="utf-8")
    assert page.count('"thumbnail":') == 3
    again = list(read_again([*found, str(photos / "00.jpg"), str(tmp_path / "gone.zip" / "a.jpg")]))
    pictures = [(photos / name).read_bytes() for name in ("00.jpg", "01.jpg", "02.jpg")]
    assert again[:3] == pictures
    assert again[4] == photos / "00.jpg"
    zipped.unlink()
    assert isinstance(next(read_again(found)), Path)  # which says itself that it is no more


def test_a_damaged_archive_costs_nothing_that_was_answered(
    photos: Path, tmp_path: Path, locator: Locator
) -> None:
    damaged = tmp_path / "b.zip"
    damaged.write_bytes(b"PK\3\4 and no more")
    locate_into([photos], tmp_path / "results", locator)
    with pytest.raises(UsageError, match=r"b\.zip can't be read as an archive"):
        locate_into([photos, damaged], tmp_path / "results", locator)
    assert len(Results.open(tmp_path / "results")) == 12


def test_another_model_or_other_settings_are_refused(
    photos: Path, tmp_path: Path, locator: Locator, point_model_folder: Path
) -> None:
    to = tmp_path / "results"
    locate_into([photos], to, locator)
    before = {each.name: each.read_bytes() for each in to.rglob("*") if each.is_file()}
    with pytest.raises(UsageError, match="answers of another model"):
        locate_into([photos], to, Locator.load(point_model_folder))
    with pytest.raises(UsageError, match=r"other settings \(top\)"):
        locate_into([photos], to, locator, top=2)
    assert {each.name: each.read_bytes() for each in to.rglob("*") if each.is_file()} == before


def test_a_folder_in_use_or_of_something_else_is_refused(
    photos: Path, tmp_path: Path, locator: Locator
) -> None:
    to = tmp_path / "results"
    locate_into([photos], to, locator)
    with holding(to, UsageError("busy")):
        pass
    with pytest.raises(UsageError, match="is not a results folder"):
        locate_into([photos], photos, locator)
    with pytest.raises(UsageError, match="is no results folder"):
        Results.open(photos)


def test_parts_end_where_they_would_without_a_stop(
    photos: Path, tmp_path: Path, locator: Locator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lostfound.predict.locating.ROWS", 4)
    monkeypatch.setattr("lostfound.predict.locating._BLOCK", 2)
    locate_into([photos], tmp_path / "whole", locator)
    written = 0

    def full(self: Results, rows: object) -> None:
        nonlocal written
        written += 1
        if written == 2:
            raise OSError(28, "No space left on device")
        add(self, rows)  # type: ignore[arg-type]

    add = results_module.Results.add
    with monkeypatch.context() as disk:
        disk.setattr(results_module.Results, "add", full)
        with pytest.raises(OSError, match="No space left"):
            locate_into([photos], tmp_path / "stopped", locator)
    assert len(Results.open(tmp_path / "stopped")) == 4
    assert locate_into([photos], tmp_path / "stopped", locator).asked == 8
    whole, stopped = (
        {each.name: each.read_bytes() for each in (tmp_path / name / "parts").iterdir()}
        for name in ("whole", "stopped")
    )
    assert whole == stopped
    assert len(whole) == 3


def test_a_position_that_a_file_states_is_kept_beside_the_answer(
    photos: Path, tmp_path: Path, locator: Locator
) -> None:
    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (151.0, 15.0, 0.0)}
    with Image.open(next(photos.glob("*.jpg"))) as image:
        image.save(photos / "own.jpg", exif=exif)
    locate_into([photos], tmp_path / "results", locator)
    stated = {Path(each.photo).name: each.gps for each in Results.open(tmp_path / "results")}
    assert stated.pop("own.jpg") == (-33.5, 151.25)
    assert set(stated.values()) == {None}
