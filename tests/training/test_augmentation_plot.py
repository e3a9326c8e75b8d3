"""The picture of what a recipe's augmentation does, through the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, RecipeError
from lostfound.training.augmentation_plot import draw_augmentation
from lostfound.training.recipe import load_recipe

EVERYTHING = (
    "augmentation={crop_scale: [0.5, 1], rotation: 10, perspective: {}, color_jitter: {hue: 0.1}, flip: 0.5, "
    "grayscale: 0.1, blur: 0.1, jpeg: 0.1, border: 0.1, "
    "erasing: 0.2, mixup: 0.4}"
)


def width(dataset: Dataset, *overrides: str) -> int:
    picture = draw_augmentation(dataset, load_recipe("demo", ["input.size=[32, 32]", *overrides]), 2)
    return Image.open(io.BytesIO(picture)).width


def test_there_is_a_column_for_each_change(dataset_folder: Path) -> None:
    """Beside the image as it is and three draws of all together: 15 columns where one change has 5."""
    dataset = Dataset.open(dataset_folder)
    assert width(dataset, EVERYTHING) / width(dataset, "augmentation.flip=0.5") == pytest.approx(
        15 / 5, rel=0.02
    )


@pytest.mark.slow
def test_the_same_recipe_draws_the_same_picture(dataset_folder: Path) -> None:
    dataset, recipe = Dataset.open(dataset_folder), load_recipe("demo", [EVERYTHING])
    assert draw_augmentation(dataset, recipe, 1) == draw_augmentation(dataset, recipe, 1)


@pytest.mark.parametrize("overrides", [[], ["augmentation={enabled: false, flip: 0.5}"]])
def test_a_recipe_that_changes_nothing_is_refused(dataset_folder: Path, overrides: list[str]) -> None:
    with pytest.raises(RecipeError, match="changes no image"):
        draw_augmentation(Dataset.open(dataset_folder), load_recipe("demo", overrides))


def test_a_data_set_without_training_images_is_refused(dataset_folder: Path) -> None:
    with pytest.raises(DatasetError, match="no training images"):
        draw_augmentation(Dataset.open(dataset_folder).split("val"), load_recipe("demo", [EVERYTHING]))


@pytest.mark.slow
def test_stats_writes_it(dataset_folder: Path, tmp_path: Path, lostfound) -> None:
    picture = tmp_path / "changes.png"
    said = lostfound("stats", dataset_folder, "--augmentation", picture, "--recipe", "countries", "--json")
    assert said.returncode == 0, said.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert said.stderr == f"Picture: {picture}\n"


def test_stats_asks_for_the_recipe(dataset_folder: Path, tmp_path: Path, lostfound) -> None:
    said = lostfound("stats", dataset_folder, "--augmentation", tmp_path / "changes.png")
    assert said.returncode == 2
    assert "name it with --recipe" in said.stderr
    assert said.stdout == ""
