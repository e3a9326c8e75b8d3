"""A study from its file to its table, with real trainings that take a second or two."""

from __future__ import annotations

import json
import shutil

import pyarrow.parquet as pq
import pytest

from lostfound.errors import UsageError
from lostfound.predict.model_folder import ModelFolder
from lostfound.studies.compare import run_study
from lostfound.studies.results import ResultRow, StudyResults
from lostfound.studies.runs import plan
from lostfound.studies.study import load_study

ENTRIES = {
    "plain": {},
    "started": {"from": "plain", "set": {"task.partition": "square", "task.settings": {"cells": 6}}},
    "places": {"same_model_as": "plain", "evaluate_on": {"unit": "place"}},
    "broken": {"weights": "broken.safetensors"},
    "needs-broken": {"from": "broken"},
}
METRICS = ["country_accuracy", "top_1_accuracy", "median_distance_km"]


@pytest.fixture
def run(write_study, dataset_folder, tmp_path, made_once):
    """Run a study into a copy of the folder where it was once run."""
    (tmp_path / "broken.safetensors").write_text("no weights")

    def make(to, **changes) -> StudyResults:
        study = load_study(write_study(**{"variants": ENTRIES, "metrics": METRICS, **changes}))
        return run_study(study, plan(study, to, data=dataset_folder), to)

    folder = made_once("study", lambda to: make(to))

    def again(**changes) -> StudyResults:
        if not (tmp_path / "out").exists():
            shutil.copytree(folder, tmp_path / "out")
        return make(tmp_path / "out", **changes)

    again.folder = tmp_path / "out"
    return again


def rows(outcome: StudyResults) -> dict[tuple[str, str], ResultRow]:
    return {(row.metric, row.entry): row for row in outcome.rows}


def changed_files(folder, before) -> set[str]:
    """Entries in which a file was written since."""
    return {
        path.relative_to(folder).parts[0]
        for path in folder.rglob("*")
        if path.is_file()
        and path.stat().st_mtime_ns != before.get(path)
        and len(path.relative_to(folder).parts) > 1
    }


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_trains_judges_and_compares(run):
    found = rows(run())
    plain, started, places = (found["country_accuracy", name] for name in ("plain", "started", "places"))
    assert plain.difference is None
    assert started.difference.value == pytest.approx(started.estimate.value - plain.estimate.value)
    assert (plain.unit, places.unit) == ("image", "place")
    assert (plain.estimate.n, places.estimate.n) == (30, 15)
    assert (
        found["median_distance_km", "started"].p_holm >= found["median_distance_km", "started"].difference.p
    )


@pytest.mark.slow
def test_metrics_of_cells_are_compared_only_where_the_cells_are_the_same(run):
    found = rows(run())
    assert found["top_1_accuracy", "started"].estimate is not None
    assert found["top_1_accuracy", "started"].difference is None
    assert found["top_1_accuracy", "places"].difference is not None


@pytest.mark.slow
def test_keeps_models_and_predictions(run):
    run()
    model = ModelFolder.open(run.folder / "plain" / "seed-0" / "model")
    assert model.config["recipe"]["seed"] == 0
    assert (model.path / "README.md").is_file()
    report = run.folder / "started" / "seed-0" / "report"
    assert pq.read_table(report / "predictions.parquet").num_rows == 30
    assert json.loads((report / "metrics.json").read_text())["unit"] == "image"


@pytest.mark.slow
def test_starts_from_the_other_entry_s_weights(run):
    run()
    config = ModelFolder.open(run.folder / "started" / "seed-0" / "model").config
    assert config["training"]["weights"] == "model"


@pytest.mark.slow
def test_a_run_that_fails_does_not_stop_the_others(run):
    outcome = run()
    assert outcome.failed.keys() == {("broken", 0, None), ("needs-broken", 0, None)}
    assert "can't be read as safetensors" in outcome.failed["broken", 0, None]
    assert outcome.failed["needs-broken", 0, None] == "it needs the model of broken, seed 0, which failed"
    assert rows(outcome)["country_accuracy", "broken"].estimate is None
    assert "- broken, seed 0: " in (run.folder / "results.md").read_text()


@pytest.mark.slow
def test_what_is_done_is_not_done_again(run):
    run()
    before = times(run.folder)
    run()
    assert changed_files(run.folder, before) <= {"broken"}


@pytest.mark.slow
def test_only_what_changed_is_trained_again(run):
    run()
    before = times(run.folder)
    entries = {**ENTRIES, "started": {"from": "plain"}}
    found = rows(run(variants=entries, claims={"plain": "x"}))
    assert changed_files(run.folder, before) <= {"broken", "started"}
    assert "started" in changed_files(run.folder, before)
    assert found["top_1_accuracy", "started"].difference is not None


@pytest.mark.slow
def test_what_was_trained_is_only_judged_again(run):
    run()
    model = run.folder / "plain" / "seed-0" / "model"
    before = (model / "model.onnx").stat().st_mtime_ns
    outcome = run(variants={"plain": {"evaluate_on": {"split": "val"}}}, baseline="plain")
    assert (model / "model.onnx").stat().st_mtime_ns == before
    assert rows(outcome)["country_accuracy", "plain"].estimate.n == 16


@pytest.mark.slow
def test_a_training_killed_before_its_first_epoch_starts_again(run):
    run()
    model = run.folder / "plain" / "seed-0" / "model"
    shutil.rmtree(model)
    (model / "run").mkdir(parents=True)
    (model / "run" / "recipe.yaml").write_text("half")
    outcome = run(variants={"plain": {}})
    assert outcome.failed == {}
    assert ModelFolder.open(model)


@pytest.mark.parametrize(
    ("file", "text"), [("notes.txt", "mine"), ("study.txt", "another study\nMade by lostfound compare.\n")]
)
@pytest.mark.slow
def test_a_folder_of_something_else(run, file, text):
    run.folder.mkdir()
    (run.folder / file).write_text(text)
    with pytest.raises(UsageError, match="choose another folder with --to"):
        run()
    assert [path.name for path in run.folder.iterdir()] == [file]
