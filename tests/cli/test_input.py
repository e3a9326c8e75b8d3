"""What `lostfound locate` takes for a photo, and what it says of what is none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def photo(world: Path) -> Path:
    return min((world / "images").iterdir())


@pytest.fixture
def piped(model_folder: Path, tmp_path: Path):
    """Run `lostfound locate` with bytes on standard input."""

    def run(data: bytes, *arguments: object) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "lostfound", "locate", "--model", model_folder, *arguments]
        done = subprocess.run(list(map(str, words)), input=data, capture_output=True, cwd=tmp_path)
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(words, done.returncode, out, err)

    return run


def test_a_photo_on_standard_input_is_located_beside_files(piped, photo: Path):
    done = piped(photo.read_bytes(), "-", photo, "--format", "json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["photos"]
    assert (first.pop("photo"), second.pop("photo")) == ("-", str(photo))
    assert first == second


@pytest.mark.slow
def test_a_map_shows_the_photo_on_standard_input(piped, photo: Path, tmp_path: Path):
    done = piped(photo.read_bytes(), "-", "--output", "map.html")
    assert done.returncode == 0, done.stderr
    assert re.search(r'"thumbnail":"[^"]', (tmp_path / "map.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("data", "arguments", "code", "said"),
    [
        (b"", ["-"], 2, "nothing on standard input"),
        pytest.param(b"x", ["-", "-"], 2, "give - once", marks=pytest.mark.slow),
        pytest.param(b"x", ["-", "--to", "results"], 2, "leave --to out", marks=pytest.mark.slow),
        pytest.param(b"no image", ["-"], 1, "1 of 1 photos could not be read", marks=pytest.mark.slow),
    ],
)
def test_what_standard_input_can_not_give(piped, tmp_path: Path, data, arguments, code, said):
    done = piped(data, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://example.org/photo.jpg", "https://example.org/photo.jpg is an address"),
        ("s3://bucket/photos", "s3://bucket/photos is an address"),
        ("*.jpg", "*.jpg is a pattern, which the shell fills in: leave the quotes out"),
        ("holiday/*.jpg", "no file matches holiday/*.jpg"),
        ("gone.jpg", "gone.jpg does not exist: give a photo"),
    ],
)
@pytest.mark.parametrize("to", [[], ["--to", "results"]])
def test_what_is_no_file_is_told_apart(lostfound, model_folder, tmp_path: Path, given, said, to):
    (tmp_path / "there.jpg").touch()
    done = lostfound("locate", given, "--model", model_folder, *to, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["there.jpg"]


def with_gps(photo: Path, to: Path) -> Path:
    from PIL import ExifTags, Image

    exif = Image.Exif()
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (48.0, 51.0, 29.6), 3: "E", 4: (2.0, 17.0, 39.6)}
    Image.open(photo).save(to, exif=exif)
    return to


def test_a_position_in_the_file_is_shown_beside_the_answer(lostfound, model_folder, photo, tmp_path: Path):
    own = with_gps(photo, tmp_path / "own.jpg")
    command = ("locate", own, photo, "--model", model_folder, "--always-answer")
    done = lostfound(*command, "--format", "json")
    with_it, without = json.loads(done.stdout)["photos"]
    assert "gps" not in without
    assert (with_it["gps"]["latitude"], with_it["gps"]["longitude"]) == pytest.approx(
        (48.8582, 2.2943), abs=1e-3
    )
    assert with_it["gps"]["distance_km"] > 0
    table = lostfound(*command).stdout
    assert table.count("GPS: 48.858, 2.294") == 1
    assert "from the answer" in table


def test_json_is_what_its_schema_says(lostfound, model_folder, photo: Path, tmp_path: Path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    own = with_gps(photo, tmp_path / "own.jpg")
    done = lostfound("locate", own, tmp_path / "bad.jpg", "--model", model_folder, "--format", "json")
    found = json.loads(done.stdout)
    assert found["schema"] == "lostfound.located/1"
    assert found["model"]["name"] == "model"
    schema = json.loads((REPOSITORY / "docs" / "located-1.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(found, schema)
    del found["photos"][0]["candidates"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema)


def test_quiet_leaves_results_and_errors(lostfound, model_folder, photo: Path, tmp_path: Path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    command = ("locate", photo, tmp_path / "bad.jpg", "--format", "csv")
    loud, quiet = (
        lostfound(*command, "--model", model_folder),
        lostfound(*command, "--quiet", "--model", model_folder),
    )
    assert (quiet.returncode, quiet.stdout) == (loud.returncode, loud.stdout) == (1, loud.stdout)
    assert "Locating" in loud.stderr
    assert quiet.stderr.splitlines() == [
        f"{tmp_path / 'bad.jpg'}: bad.jpg: not an image that can be read",
        "lostfound: 1 of 2 photos could not be read",
    ]


def test_quiet_after_the_end_of_options_is_a_name(lostfound, tmp_path: Path):
    done = lostfound("locate", "--", "--quiet", cwd=tmp_path)
    assert "--quiet does not exist" in done.stderr


def test_a_kind_of_cells_is_named_like_it_or_not(lostfound, dataset_folder: Path, tmp_path: Path):
    for name, kind in (("a", ["square"]), ("b", ["--kind", "square"])):
        done = lostfound(
            "partition", "build", dataset_folder, *kind, "--set", "cells=20", "--to", tmp_path / name
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    for kind, said in (([], "which kind of cells?"), (["square", "--kind", "s2"], "square and s2: give one")):
        done = lostfound("partition", "build", dataset_folder, *kind, "--to", tmp_path / "c")
        assert done.returncode == 2
        assert said in done.stderr
