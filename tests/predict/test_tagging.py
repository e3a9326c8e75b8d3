"""Estimates written back: marked, never over a measurement, and undone to the last byte."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from lostfound.data.importers import xmp
from lostfound.data.importers.own_place import ESTIMATED, own_place
from lostfound.data.importers.sidecars import Sidecars
from lostfound.errors import DatasetError, ImageError
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.locating import locate_into
from lostfound.predict.locator import Locator
from lostfound.predict.results import Results
from lostfound.predict.tagging import JOURNAL, Worthwhile, tag, undo
from lostfound.predict.tags import head_length, picture_of, with_exif, xmp_sidecar

MODEL = {"name": 'a "model" & more', "version": "0.2.0", "sha256": "ab" * 32}
exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="ExifTool is not installed")


def files(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder."""
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


@pytest.fixture
def located(tmp_path: Path, world: Path, model_folder: Path) -> tuple[Path, Path]:
    """A folder of photos, and the results of locating them: one has GPS, one a sidecar."""
    photos, results = tmp_path / "photos", tmp_path / "results"
    photos.mkdir()
    for number, image in enumerate(sorted((world / "images").iterdir())[:6]):
        with Image.open(image) as opened:
            exif = Image.Exif()
            exif[0x010E] = "a description"
            if number == 0:
                exif[0x8825] = {1: "N", 2: (48.0, 51.0, 0.0), 3: "E", 4: (2.0, 21.0, 0.0)}
            opened.convert("RGB").save(photos / f"{number}.jpg", exif=exif)
    (photos / "1.jpg.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    locate_into([photos], results, Locator.load(model_folder))
    return photos, results


def test_sidecars_are_written_and_taken_back(located: tuple[Path, Path]) -> None:
    photos, results = located
    before = files(photos)
    done = tag(results)
    assert [Path(each).name for each in done.written] == [f"{number}.jpg.xmp" for number in (2, 3, 4, 5)]
    assert sorted(reason for _, reason in done.skipped) == [
        "it has a position of its own",
        "it has a sidecar already, which is left alone",
    ]
    assert {name: sha for name, sha in files(photos).items() if name in before} == before
    again = tag(results)
    assert (again.written, again.kept) == ([], 4)
    assert len(undo(results).written) == 4
    assert files(photos) == before
    assert not (results / JOURNAL).exists()


def test_an_estimate_is_never_learnt_from(located: tuple[Path, Path]) -> None:
    photos, results = located
    tag(results)
    photo = photos / "2.jpg"
    place = own_place(photo.read_bytes(), Sidecars().of(str(photo)))
    assert place.latitude is None
    assert place.problem == ESTIMATED


def test_a_dry_run_writes_nothing(located: tuple[Path, Path]) -> None:
    photos, results = located
    before = files(photos), files(results)
    assert len(tag(results, dry_run=True).written) == 4
    assert (files(photos), files(results)) == before


def test_improbable_answers_are_left_out(located: tuple[Path, Path]) -> None:
    _, results = located
    probabilities = [each.guess.probability for each in Results.open(results) if each.guess]
    least = sorted(filter(None, probabilities))[-1]
    assert len(tag(results, min_probability=least, dry_run=True).written) <= 1
    assert tag(results, min_probability=1.0).written == []


def test_answers_that_may_be_far_off_are_left_out(located: tuple[Path, Path]) -> None:
    _, results = located
    done = tag(results, max_radius_km=20_000)
    assert done.written == []
    assert {reason for _, reason in done.skipped if "radius" in reason} == {
        "its answer has no radius (lostfound calibrate gives the model one)"
    }
    guess = next(each.guess for each in Results.open(results) if each.guess)
    worthwhile = Worthwhile(max_radius_km=500)
    worthwhile.check(replace(guess, radius_90_km=500.0))
    with pytest.raises(Exception, match="radius is too large"):
        worthwhile.check(replace(guess, radius_90_km=501.0))


def test_what_changed_or_went_is_left_alone(located: tuple[Path, Path]) -> None:
    photos, results = located
    (photos / "2.jpg").write_bytes((photos / "3.jpg").read_bytes())
    (photos / "3.jpg").unlink()
    done = tag(results)
    reasons = {Path(name).name: reason for name, reason in done.skipped}
    assert reasons["2.jpg"] == "it changed since it was located"
    assert reasons["3.jpg"] == "it is no longer there, or lies in an archive"
    assert len(done.written) == 2


def test_a_sidecar_that_others_changed_is_not_taken_back(located: tuple[Path, Path]) -> None:
    photos, results = located
    tag(results)
    (photos / "2.jpg.xmp").write_text("somebody's own work")
    done = undo(results)
    assert [Path(name).name for name, _ in done.skipped] == ["2.jpg.xmp"]
    assert len(done.written) == 3
    assert (photos / "2.jpg.xmp").read_text() == "somebody's own work"
    assert len((results / JOURNAL).read_text().splitlines()) == 1


def test_half_a_line_of_a_kill_is_dropped_and_another_is_an_error(located: tuple[Path, Path]) -> None:
    photos, results = located
    before = files(photos)
    tag(results)
    whole, journal = files(photos), results / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:20])  # as if killed: two files are not there
    for line in lines[2:]:
        Path(json.loads(line)["file"]).unlink()
    assert len(tag(results).written) == 2
    assert files(photos) == whole
    assert journal.read_bytes() == b"".join(lines)
    journal.write_bytes(b"nonsense\n")
    with pytest.raises(DatasetError, match="is damaged"):
        undo(results)
    journal.write_bytes(b"".join(lines))
    undo(results)
    assert files(photos) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_is_read_only_is_left_alone(located: tuple[Path, Path]) -> None:
    photos, results = located
    photos.chmod(0o555)
    try:
        assert {reason for _, reason in tag(results).skipped} >= {"it is read-only, or its folder is"}
    finally:
        photos.chmod(0o755)


@exiftool
@pytest.mark.slow
def test_exif_is_written_and_taken_back(located: tuple[Path, Path]) -> None:
    photos, results = located
    before = files(photos)
    pictures = {name: picture_of((photos / name).read_bytes()) for name in before if name.endswith("jpg")}
    times = {name: (photos / name).stat().st_mtime_ns for name in before}
    done = tag(results, into_exif=True)
    assert [Path(each).name for each in done.written] == [f"{number}.jpg" for number in (1, 2, 3, 4, 5)]
    after = files(photos)
    assert {name for name in before if before[name] != after[name]} == {
        f"{number}.jpg" for number in range(1, 6)
    }
    assert {name: picture_of((photos / name).read_bytes()) for name in pictures} == pictures
    assert {name: (photos / name).stat().st_mtime_ns for name in before} == times
    with Image.open(photos / "2.jpg") as opened:
        assert opened.getexif()[0x010E] == "a description"
    assert own_place((photos / "2.jpg").read_bytes()).problem == ESTIMATED
    assert tag(results, into_exif=True).kept == 5
    undo(results)
    assert files(photos) == before


@exiftool
@pytest.mark.parametrize(
    ("does", "says"),
    [
        ('kill -9 "$$"', r"ExifTool can't write it \(\)"),
        ('echo "no room for $before" >&2; echo 1; exit 1', r"can't write it \(no room for it\)"),
        ("echo 0", r"ExifTool can't write it \(0\)"),
        ('cp "$before" "$after"; echo 1; echo "[{}, {}]"', r"can't write it \(1\)"),
        ('cp "$before" "$after"; echo 0; kill -9 "$$"', "metadata is broken"),
        ('cp "$before" "$after"; echo 0; echo "[{}]"', "metadata is broken"),
        ('cp "$before" "$after"; echo 0; echo "[1, 1]"', "metadata is broken"),
        ('cp "$before" "$after"; echo 0; echo \'[{"a": 1}, {"a": 2}]\'', "metadata is broken"),
        ('cp "$before" "$after"; printf x >>"$after"; echo 0; echo "[{}, {}]"', "more than its metadata"),
        ('"$exiftool" "$@"', None),
        ('"$exiftool" "$@" | sed "1s/.*/\\${status}/"', None),  # as before 12.10
    ],
)
def test_an_exiftool_that_fails_or_is_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, says: str | None
) -> None:
    tool = tmp_path / "exiftool"
    first = 'while [ "$1" != -o ]; do set -- "$@" "$1"; shift; done; after="$2" before="$3"'
    find = f'found() {{ {first}; }}; found "$@"; exiftool="{shutil.which("exiftool")}"'
    tool.write_text(f"#!/bin/sh\n{find}\n{does}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a description"
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    guess = Guess((Candidate("FR", "France", 0.4, 48.0, 2.0, "FR"),))
    if says is None:
        assert own_place(with_exif(buffer.getvalue(), guess, MODEL)).problem == ESTIMATED
    else:
        with pytest.raises(ImageError, match=says):
            with_exif(buffer.getvalue(), guess, MODEL)


@exiftool
def test_a_photo_that_says_nothing_gets_a_position_and_no_more() -> None:
    """As those are that went through a messenger: no EXIF at all."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    guess = Guess((Candidate("FR", "France", 0.4, 48.0, 2.0, "FR"),))
    written = with_exif(buffer.getvalue(), guess, MODEL)
    assert own_place(written).problem == ESTIMATED
    assert picture_of(written) == picture_of(buffer.getvalue())
    with Image.open(io.BytesIO(written)) as opened:
        exif = opened.getexif()
        assert exif.get_ifd(0x8825)[2] == pytest.approx((48.0, 0.0, 0.0))
        needed = {"XResolution", "YResolution", "ResolutionUnit", "YCbCrPositioning", "GPSInfo"}
        assert {ExifTags.TAGS[each] for each in exif} <= needed
    again = with_exif(written, guess, MODEL)  # now it has EXIF, to which nothing is added
    with Image.open(io.BytesIO(again)) as opened:
        assert dict(opened.getexif()) == dict(exif)


@exiftool
def test_exif_that_is_broken_is_left_alone() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0" + b"II*\0" + b"\xff" * 40)
    guess = Guess((Candidate("FR", "France", 0.4, 48.0, 2.0, "FR"),))
    with pytest.raises(ImageError, match=r"metadata is broken|ExifTool can't write it"):
        with_exif(buffer.getvalue(), guess, MODEL)


@exiftool
@pytest.mark.data
@pytest.mark.slow
def test_real_camera_files_keep_all_they_say(tmp_path: Path, real_data: Path) -> None:
    photos, results = tmp_path / "photos", tmp_path / "results"
    shutil.copytree(real_data / "exif-samples", photos)
    before = files(photos)
    locate_into([photos], results, Locator.load().using(always_answer=True))

    def told() -> dict[str, dict[str, object]]:
        command = ["exiftool", "-json", "-r", "-a", "-G1", "-n", "-b", str(photos)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
        ours = ("System", "File:ExifByteOrder", "GPS", "Composite", "ExifTool")
        gone = ("ThumbnailOffset", "PreviewImageStart", "Warning", "OtherImageStart", "InteropOffset")
        return {
            each["SourceFile"]: {
                name: value
                for name, value in each.items()
                if not name.startswith(ours) and not name.endswith(gone)
            }
            for each in json.loads(done.stdout)
        }

    said = told()
    done = tag(results, into_exif=True)
    assert len(done.written) > 20
    assert not [reason for _, reason in done.skipped if reason.startswith("its metadata is broken")]
    needed = {f"IFD0:{name}" for name in ("XResolution", "YResolution", "ResolutionUnit", "YCbCrPositioning")}
    for name, values in told().items():
        without = not any(each.startswith("IFD0:") for each in said[name]) and name in done.written
        assert {each: values[each] for each in values if not (without and each in needed)} == said[name]
    command = ["exiftool", "-json", "-n", "-GPSLatitude", "-GPSHPositioningError", "-GPSProcessingMethod"]
    read = json.loads(subprocess.run([*command, *done.written], capture_output=True, check=True).stdout)
    guesses = {each.photo: each.guess for each in Results.open(results)}
    for each in read:
        guess = guesses[each["SourceFile"]]
        assert guess is not None
        assert each["GPSLatitude"] == pytest.approx(guess.latitude, abs=1e-5)
        assert each["GPSHPositioningError"] == pytest.approx(
            1000 * (guess.radius_90_km or 0), rel=1e-3, abs=1
        )
        assert each["GPSProcessingMethod"].startswith("lostfound estimate starter")
    undo(results)
    assert files(photos) == before


@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 179.999999))
def test_a_sidecar_says_the_place_to_a_centimetre(latitude: float, longitude: float) -> None:
    guess = Guess((Candidate("FR", "France", 0.4, latitude, longitude, "FR"),), radius_90_km=12.5)
    packet = xmp_sidecar(guess, MODEL)
    fields = xmp.read_xmp(packet)
    assert xmp.location(fields) == pytest.approx((latitude, longitude), abs=1e-7)
    assert b'GPSHPositioningError="12500/1"' in packet
    assert b"&amp; more" in packet


def test_what_is_no_jpeg_has_no_head() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    for data in (buffer.getvalue(), b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\xff\xff"):
        with pytest.raises(ImageError, match="no JPEG"):
            head_length(data)
