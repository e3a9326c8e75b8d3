"""Trackers by name: each gets the numbers, the recipe and the record of a run."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import MissingExtraError
from lostfound.training import tracking
from lostfound.training.fit import fit
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe

SCRIPT = """
import json, sys
from lostfound.data.dataset import Dataset
from lostfound.training.fit import fit
from lostfound.training.recipe import load_recipe

dataset, to, *overrides = sys.argv[1:]
if __name__ == "__main__":
    fit(load_recipe("demo", overrides), Dataset.open(dataset), to)
"""
TINY = [
    "task.min_images=2",
    "input.size=[32, 32]",
    "trainer.batch_size=16",
    "trainer.device=cpu",
    "trainer.workers=0",
    "trainer.epochs=2",
]


def tracked(dataset: Path, to: Path, *loggers: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A run in a process of its own: the trackers' libraries keep threads and change the environment."""
    script = to.parent / "run.py"
    script.write_text(SCRIPT)
    overrides = [*TINY, f"trainer.loggers={json.dumps(loggers)}"]
    return subprocess.run(
        [sys.executable, script, dataset, to, *overrides],
        env={**os.environ, **variables},
        cwd=to.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )


def needs(library: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(library) is None, reason=f"{library} is not installed")


def test_numbers_go_to_csv_and_tensorboard_by_default(model_folder: Path) -> None:
    run = model_folder / "run"
    with (run / "csv" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row.get("val_accuracy") for row in rows)
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    assert "optimizer.learning_rate: 0.004" in (run / "tensorboard" / "hparams.yaml").read_text()


def test_no_tracker_is_a_choice(dataset_folder: Path, tmp_path: Path) -> None:
    recipe = load_recipe("demo", [*TINY, "trainer.epochs=1", "trainer.loggers=[]"])
    fit(recipe, Dataset.open(dataset_folder), tmp_path / "model")
    left = {path.name for path in (tmp_path / "model" / "run").iterdir()}
    assert left == {"recipe.yaml", "environment.json", "images.csv"}


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_tracker_is_named_with_its_extra(
    name: str, dataset_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written."""
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    recipe: Recipe = load_recipe("demo", [*TINY, f"trainer.loggers=[csv, {name}]"])
    with pytest.raises(MissingExtraError, match=rf"pip install 'lostfound\[{name}\]'"):
        fit(recipe, Dataset.open(dataset_folder), tmp_path / "model")
    assert not (tmp_path / "model").exists()


@needs("mlflow")
def test_mlflow_keeps_a_run_in_a_store_of_its_own(dataset_folder: Path, tmp_path: Path) -> None:
    tracked(dataset_folder, tmp_path / "model", "mlflow")
    assert not (tmp_path / "mlruns").exists()
    look = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
(experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
(run,) = client.search_runs([experiment.experiment_id])
epochs = client.get_metric_history(run.info.run_id, "val_accuracy")
files = [each.path for each in client.list_artifacts(run.info.run_id)]
print(json.dumps([experiment.name, run.info.status, run.data.params, len(epochs), files, run.info.run_name]))
"""
    store = f"sqlite:///{tmp_path / 'model' / 'run' / 'mlflow' / 'mlflow.db'}"
    found = subprocess.run(
        [sys.executable, "-c", look, store],
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    name, status, parameters, epochs, files, title = json.loads(found.stdout)
    assert (name, status, epochs, title) == ("demo", "FINISHED", 2, "model")
    assert parameters["optimizer.learning_rate"] == "0.004"
    assert parameters["seed"] == "0"
    assert sorted(files) == ["environment.json", "images.csv", "recipe.yaml"]


@needs("wandb")
def test_wandb_is_offline_unless_it_is_told_otherwise(dataset_folder: Path, tmp_path: Path) -> None:
    environment = dict.fromkeys(("WANDB_API_KEY", "WANDB_MODE"), "")
    tracked(dataset_folder, tmp_path / "model", "wandb", **environment)
    (kept,) = (tmp_path / "model" / "run" / "wandb").glob("offline-run-*")
    assert list(kept.glob("run-*.wandb"))
    assert {path.name for path in (kept / "files").iterdir()} >= {
        "environment.json",
        "images.csv",
        "recipe.yaml",
    }
