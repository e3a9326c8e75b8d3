"""Training: what can't be trained is refused with the reason, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.records import set_column
from lostfound.errors import ModelError, RecipeError, UsageError
from lostfound.training.fit import fit, fit_best_epoch
from lostfound.training.settings import Recipe


def refused(run: Recipe, dataset: Dataset, folder: Path, **options: object) -> str:
    with pytest.raises((RecipeError, ModelError, UsageError)) as caught:
        fit(run, dataset, folder, **options)  # type: ignore[arg-type]
    assert not folder.exists()
    return str(caught.value)


def relabelled(dataset: Dataset, column: str, values: list[object]) -> Dataset:
    return dataset.with_records(set_column(dataset.records, column, values))


def test_no_validation_images(dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    train = dataset.split("train")
    said = refused(recipe(), train, tmp_path / "m")
    assert "50 training and 0 validation images" in said
    assert "training needs both" in said
    assert "prepare --resplit" in said


def test_no_training_images(dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    assert "0 training and" in refused(recipe(), dataset.split("val"), tmp_path / "m")


@pytest.mark.slow
def test_a_class_with_one_image(dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    countries = dataset.records["country"].to_pylist()
    first = dataset.records["split"].to_pylist().index("train")
    countries[first] = "IS"
    lonely = relabelled(dataset, "country", countries)
    said = refused(recipe("task.min_images=1"), lonely, tmp_path / "m")
    assert "1 cell(s) have a single training image (Iceland)" in said
    assert "task.min_images=2" in said
    result = fit_best_epoch(recipe("task.min_images=2"), lonely, tmp_path / "m")
    assert result.left_out == [("IS", 1)]


@pytest.mark.slow
def test_countries_with_too_few_images_are_listed(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    result = fit(recipe("task.min_images=11"), dataset, tmp_path / "m")
    train = dataset.split("train").records
    numbers = {each["values"]: each["counts"] for each in pc.value_counts(train["country"]).to_pylist()}
    assert dict(result.left_out) == {code: n for code, n in numbers.items() if n < 11}
    assert result.left_out
    assert result.folder.config["training"]["left_out"] == dict(result.left_out)
    assert not dict(result.left_out).keys() & set(result.folder.partition.cell_ids)
    assert result.folder.config["training"]["train_images"] == sum(n for n in numbers.values() if n >= 11)


def test_one_class_only(dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    alone = relabelled(dataset, "country", ["FR"] * len(dataset))
    assert "only one cell (France)" in refused(recipe(), alone, tmp_path / "m")


def test_too_few_images_of_every_class(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    said = refused(recipe("task.min_images=1000"), dataset, tmp_path / "m")
    assert "has 1000 training images" in said


def test_validation_images_of_other_countries_alone(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    records = dataset.records
    countries = [
        "IS" if split == "val" else country
        for split, country in zip(records["split"].to_pylist(), records["country"].to_pylist(), strict=True)
    ]
    said = refused(recipe(), relabelled(dataset, "country", countries), tmp_path / "m")
    assert "trainer.monitor=top_1_accuracy can't be measured on the 16 validation images" in said
    assert "none of them lies in one of the 4 cells" in said


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("model.backbone=resnett18", "did you mean"),
        ("model={backbone: vit_tiny_patch16_224}", "images of 32x32 pixels"),
        ("trainer.device=toaster", "trainer.device=toaster"),
        ("trainer.device=gpu", "trainer.device=gpu"),
    ],
)
def test_a_recipe_that_cannot_run_here(
    dataset: Dataset, tmp_path: Path, override: str, says: str, recipe: Callable[..., Recipe]
) -> None:
    assert says in refused(recipe(override), dataset, tmp_path / "m")


def test_weights_that_cannot_be_used(dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    assert "does not exist" in refused(recipe(), dataset, tmp_path / "m", weights=tmp_path / "w.safetensors")


def test_a_head_to_go_on_with_is_a_model_s(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe], model_folder: Path
) -> None:
    run = recipe("model.keep_head=true")
    assert "name its folder with --weights" in refused(run, dataset, tmp_path / "m")
    file = model_folder / "model.safetensors"
    assert "name its folder with --weights" in refused(run, dataset, tmp_path / "m", weights=file)
    points = recipe("model.keep_head=true", "task={kind: coordinates, scaling: unit_vector}")
    assert "for task.kind=classify" in refused(points, dataset, tmp_path / "m", weights=model_folder)
