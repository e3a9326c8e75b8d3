"""A small data set and quick recipes, for tests that train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from exporter import quicken

from lostfound.data.dataset import Dataset
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe


@pytest.fixture(scope="session", autouse=True)
def exporter(shared: Path) -> None:
    """Of many models, each is exported."""
    quicken(shared / "graphs")


@pytest.fixture(scope="session")
def dataset(dataset_folder: Path) -> Dataset:
    return Dataset.open(dataset_folder)


@pytest.fixture(scope="session")
def recipe(tiny: list[str]) -> Callable[..., Recipe]:
    """`recipe(override, ...)` is the demo's recipe, cut down to an epoch at 32 pixels."""
    return lambda *overrides: load_recipe("demo", [*tiny, "trainer.epochs=1", *overrides])
