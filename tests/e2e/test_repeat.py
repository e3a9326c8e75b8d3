"""A run repeated from what it kept, through the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from exporter import ANEW

# Everything that draws random numbers is on.
SETTINGS = [
    "task.min_images=2",
    "input.size=[32, 32]",
    "model={backbone: 'lostfound:cnn5', options: {width: 8}, dropout: 0.2}",
    "augmentation={crop_scale: [0.5, 1], rotation: 5, color_jitter: {hue: 0.1}, erasing: 0.2, mixup: 0.4}",
    "schedule={name: one_cycle}",
    "trainer={epochs: 2, batch_size: 16, device: cpu, workers: 0, ema: 0.9, accumulate: 2}",
    "seed=5",
]


@pytest.fixture(scope="session")
def repeated(dataset_folder: Path, made_once, lostfound) -> Path:
    """A run, and its repetition after more images were imported; `said.txt` is what that said."""
    from lostfound.world import write_world

    def build(folder: Path) -> None:
        shutil.copytree(dataset_folder, folder / "data")
        options = [part for each in SETTINGS for part in ("--set", each)]
        anew = {ANEW: "1"}
        said = lostfound("train", "demo", "--data", "data", "--to", "first", *options, cwd=folder, **anew)
        assert said.returncode == 0, said.stderr
        write_world(folder / "more", places=8, views=2, size=64, countries=["FR", "JP"], seed=9)
        said = lostfound("import", "more", "--to", "data", "--size", "64", cwd=folder)
        assert said.returncode == 0, said.stderr
        # Cold: Python's hashes have another seed than they had for the first.
        said = lostfound("train", "--from", "first", "--to", "second", cwd=folder, cold=True)
        assert said.returncode == 0, said.stderr
        (folder / "said.txt").write_text(said.stderr)

    return made_once("repeated", build)


@pytest.mark.slow
def test_a_repeated_run_gives_the_same_model_to_the_bit(repeated: Path) -> None:
    """Even if the data set has grown since."""
    for name in ("model.safetensors", "model.onnx", "partition.parquet", "calibration.json"):
        one, other = ((repeated / folder / name).read_bytes() for folder in ("first", "second"))
        assert one == other, name
    kept = [
        {
            path.relative_to(repeated / name)
            for path in (repeated / name).rglob("*.*")
            if "tfevents" not in path.name
        }
        for name in ("first", "second")
    ]
    assert kept[0] == kept[1]


@pytest.mark.slow
def test_a_repeated_run_says_what_is_not_as_it_was(repeated: Path) -> None:
    said = (repeated / "said.txt").read_text().splitlines()
    (note,) = [line for line in said if line.startswith("Not as it was: ")]
    assert note.endswith("data has changed; the run's own images were found in it and are used")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--to", "new"], "give a RECIPE and its --data, or a model to repeat with --from"),
        (["demo", "--to", "new"], "give a RECIPE and its --data"),
        (["demo", "--from", "model", "--to", "new"], "leave RECIPE out"),
        (["--from", "model", "--to", "new", "--weights", "hub"], "leave RECIPE out"),
    ],
)
def test_it_is_either_a_recipe_or_a_run(options: list[str], expected: str, tmp_path: Path, lostfound) -> None:
    said = lostfound("train", *options, cwd=tmp_path)
    assert said.returncode == 2
    assert expected in said.stderr
    assert not (tmp_path / "new").exists()


def test_a_folder_without_a_run_is_said(tmp_path: Path, lostfound) -> None:
    said = lostfound("train", "--from", tmp_path, "--to", tmp_path / "new")
    assert said.returncode == 1
    assert "holds no run that could be repeated" in said.stderr
