"""Trackers by name: each gets the numbers, the recipe and the record of a run."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import MissingExtraError
from lostfound.training import tracking
from lostfound.training.fit import fit_best_epoch
from lostfound.training.settings import Recipe

Tracked = Callable[..., "subprocess.CompletedProcess[str]"]

SCRIPT = """
import json, sys
from lostfound.data.dataset import Dataset
from lostfound.training.fit import fit_best_epoch
from lostfound.training.recipe import load_recipe

dataset, to, *overrides = sys.argv[1:]
if __name__ == "__main__":
    fit_best_epoch(load_recipe("demo", overrides), Dataset.open(dataset), to)
"""


@pytest.fixture
def tracked(dataset_folder: Path, tmp_path: Path, tiny: list[str]) -> Tracked:
    """`tracked(logger, ..., VARIABLE=...)` trains for two epochs in a process of its own, into "model".

    The trackers' libraries keep threads and change the environment.
    """

    def run(*loggers: str, **variables: str) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "run.py"
        script.write_text(SCRIPT)
        overrides = [*tiny, "trainer.epochs=2", f"trainer.loggers={json.dumps(loggers)}"]
        return subprocess.run(
            [sys.executable, script, dataset_folder, tmp_path / "model", *overrides],
            env={**os.environ, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )

    return run


def needs(library: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(library) is None, reason=f"{library} is not installed")


def test_numbers_go_to_csv_and_tensorboard_by_default(model_folder: Path) -> None:
    run = model_folder / "run"
    with (run / "csv" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(row.get("val_top_1_accuracy") for row in rows)
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    assert "optimizer.learning_rate: 0.004" in (run / "tensorboard" / "hparams.yaml").read_text()


@pytest.mark.slow
def test_no_tracker_is_a_choice(dataset: Dataset, recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    fit_best_epoch(recipe("trainer.loggers=[]"), dataset, tmp_path / "model")
    left = {path.name for path in (tmp_path / "model" / "run").iterdir()}
    assert left == {"recipe.yaml", "environment.json", "images.csv"}


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_tracker_is_named_with_its_extra(
    name: str,
    dataset: Dataset,
    recipe: Callable[..., Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is written."""
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'lostfound\[{name}\]'"):
        fit_best_epoch(recipe(f"trainer.loggers=[csv, {name}]"), dataset, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@needs("mlflow")
def test_mlflow_keeps_a_run_in_a_store_of_its_own(tracked: Tracked, tmp_path: Path) -> None:
    tracked("mlflow")
    assert not (tmp_path / "mlruns").exists()
    look = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
(experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
(run,) = client.search_runs([experiment.experiment_id])
epochs = client.get_metric_history(run.info.run_id, "val_top_1_accuracy")
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
def test_wandb_is_offline_unless_it_is_told_otherwise(tracked: Tracked, tmp_path: Path) -> None:
    environment = dict.fromkeys(("WANDB_API_KEY", "WANDB_MODE"), "")
    tracked("wandb", **environment)
    (kept,) = (tmp_path / "model" / "run" / "wandb").glob("offline-run-*")
    assert list(kept.glob("run-*.wandb"))
    assert {path.name for path in (kept / "files").iterdir()} >= {
        "environment.json",
        "images.csv",
        "recipe.yaml",
    }
