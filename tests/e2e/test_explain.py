"""`lostfound explain` through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def photo(world: Path) -> Path:
    return min((world / "images").iterdir())


@pytest.mark.slow
def test_pictures_a_page_and_numbers(lostfound, photo: Path, model_folder: Path, tmp_path: Path) -> None:
    done = lostfound("explain", photo, "--model", model_folder, "--country", "KE", "--to", tmp_path / "why")
    assert done.returncode == 0, done.stderr
    assert "answer" in done.stdout
    assert "hiding parts" in done.stdout
    assert "Hiding parts: 169/169" in done.stderr
    assert f"open {tmp_path / 'why' / 'explanation.html'}" in done.stderr
    numbers = json.loads((tmp_path / "why" / "explanation.json").read_text())
    pictures = {path.name for path in (tmp_path / "why").glob("*.png")}
    assert pictures == {f"{each['role']}-{each['measure']}.png".replace(" ", "-") for each in numbers["maps"]}


@pytest.mark.slow
def test_similar_photos_are_remembered(
    lostfound, photo: Path, model_folder: Path, dataset_folder: Path, tmp_path: Path
) -> None:
    arguments = (
        *("explain", photo, "--model", model_folder, "--method", "occlusion"),
        *("--like", dataset_folder, "--to", tmp_path / "why"),
    )
    cache = {"LOSTFOUND_CACHE": str(tmp_path / "cache")}
    first, second = (lostfound(*arguments, **cache) for _ in range(2))
    assert "Looking at dataset: 96/96" in first.stderr
    assert "Looking at dataset" not in second.stderr
    assert first.stdout == second.stdout
    assert "Looks most alike to the model" in first.stdout
    similar = json.loads((tmp_path / "why" / "explanation.json").read_text())["similar"]
    assert similar[0]["distance_km"] >= 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nothere.jpg", "--to", "why"), 1, "nothere.jpg: no such file"),
        ((".", "--to", "why"), 1, "it is a folder"),
        (("bad.jpg", "--to", "why"), 1, "bad.jpg: not an image"),
        (("good.jpg", "--to", "bad.jpg"), 2, "bad.jpg is a file: give a folder"),
        (("good.jpg", "--to", "why", "--country", "Frnace"), 1, "FR (France)"),
        (("good.jpg", "--to", "why", "--country", "KI"), 2, "can't answer with Kiribati (KI); it knows BR,"),
        (("good.jpg", "--to", "why", "--method", "grad"), 2, "'auto', 'cam', 'occlusion'"),
        (("good.jpg", "--to", "why", "--like", "nowhere"), 1, "nowhere"),
        (("good.jpg",), 2, "--to"),
    ],
)
@pytest.mark.slow
def test_what_is_wrong_is_said(
    lostfound,
    photo: Path,
    model_folder: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    (tmp_path / "good.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    done = lostfound("explain", *arguments, "--model", model_folder, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert says in done.stderr.replace("\n", " ")
    assert not (tmp_path / "why").exists()


@pytest.mark.slow
def test_a_model_without_cells_has_no_class_activation(
    lostfound, photo: Path, point_model_folder: Path, tmp_path: Path
) -> None:
    done = lostfound("explain", photo, "--model", point_model_folder, "--to", tmp_path / "why")
    assert done.returncode == 0, done.stderr
    assert "No class activation" in done.stdout
    assert [path.name for path in (tmp_path / "why").glob("*.png")] == ["answer-distance.png"]
    refused = lostfound(
        "explain", photo, "--model", point_model_folder, "--method", "cam", "--to", tmp_path / "other"
    )
    assert refused.returncode == 1
    assert "choose occlusion" in refused.stderr


@pytest.mark.slow
def test_the_starter_needs_no_training_packages(lostfound, photo: Path, tmp_path: Path) -> None:
    done = lostfound("explain", photo, "--method", "cam", "--to", tmp_path / "why")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "why" / "answer-class-activation.png").is_file()
