"""What a training would do, told without doing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lostfound.cli.output.models import say_left_out
from lostfound.data.dataset import Dataset
from lostfound.errors import RecipeError
from lostfound.training.batches import Batches
from lostfound.training.build import build_training
from lostfound.training.plan import plan_training
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Data


def test_it_says_what_the_training_does(tiny: list[str], dataset_folder: Path) -> None:
    recipe = load_recipe("demo", [*tiny, "data.countries=[FR, JP, BR]", "data.views_per_place=1"])
    dataset = Dataset.open(dataset_folder)
    plan = plan_training(recipe, dataset)
    training = build_training(recipe, dataset, None)
    batches: Batches = training.batches
    try:
        assert plan.steps == len(batches.train)
        assert plan.train_images == len(training.module.objective.images)
        assert plan.splits["val"] == len(training.val)
        assert plan.parameters == sum(each.numel() for each in training.module.network.parameters())
    finally:
        batches.close()
    assert {name for name, _ in plan.classes} == {"France", "Japan", "Brazil"}
    assert sum(count for _, count in plan.classes) == plan.train_images
    assert plan.images == 96
    assert plan.dropped["are in other countries than data.countries"] == 24
    views = plan.splits["train"] - plan.train_images
    assert plan.dropped["are more than data.views_per_place and data.limit take"] == views > 0
    assert plan.cost.seconds > 0
    assert plan.weights is None


@pytest.mark.parametrize(
    "changes", [["task.kind=coordinates"], ["model.views=2", "model.lock.share=1.0"], ["task.kind=distance"]]
)
@pytest.mark.slow
def test_every_task_can_be_planned(tiny: list[str], dataset_folder: Path, changes: list[str]) -> None:
    kinds = [each for each in changes if "kind" in each]
    settings = [each for each in tiny if "min_images" not in each] if kinds else tiny
    plan = plan_training(load_recipe("demo", [*changes, *settings]), Dataset.open(dataset_folder))
    assert plan.steps > 0
    assert plan.cost.bytes > 0
    assert (plan.trained < plan.parameters) == ("model.lock.share=1.0" in changes)


def test_what_can_not_be_trained_is_refused_as_the_training_would(dataset_folder: Path, tiny) -> None:
    with pytest.raises(RecipeError, match="96 are in other countries"):
        plan_training(load_recipe("demo", [*tiny, "data.countries=[IS]"]), Dataset.open(dataset_folder))


def test_a_dry_run_writes_nothing(lostfound, tmp_path: Path, dataset_folder: Path, tiny: list[str]) -> None:
    changes = [word for each in tiny if not each.startswith("model.") for word in ("--set", each)]
    command = ("train", "countries", "--data", dataset_folder, "--to", "model", "--dry-run", *changes)
    done = lostfound(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "starts from pretrained weights" in done.stderr
    assert "4: " in done.stdout
    assert "mobilenetv2_100 at 32x32 pixels, from scratch" in done.stdout
    assert "Nothing was written" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_from_scratch_may_be_meant(lostfound, tmp_path: Path, dataset_folder: Path, tiny: list[str]) -> None:
    changes = [word for each in tiny if not each.startswith("model.") for word in ("--set", each)]
    command = ("train", "countries", "--data", dataset_folder, "--to", "model", "--dry-run", *changes)
    done = lostfound(*command, "--weights", "none", cwd=tmp_path)
    assert "from scratch" in done.stdout
    assert "pretrained" not in done.stderr


def test_only_recipes_whose_source_does_start_from_weights() -> None:
    assert load_recipe("countries").model.pretrained
    assert not load_recipe("demo").model.pretrained


def test_the_difference_between_two_counts_is_said(dataset_folder: Path, capsys) -> None:
    dataset = Dataset.open(dataset_folder)
    test = len(dataset.split("test"))
    say_left_out(dataset, "test", Data(countries=("FR",)))
    said = capsys.readouterr().err
    assert f"of the {test} test images" in said
    assert "are in other countries than data.countries" in said
    say_left_out(dataset, "all", Data())
    assert capsys.readouterr().err == ""
