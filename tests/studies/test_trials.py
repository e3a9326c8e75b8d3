"""What is told of trials; reading them from a study is tested with the search."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.studies.search import Search
from lostfound.studies.search_plot import draw_search
from lostfound.studies.space import Parameter, Space
from lostfound.studies.trials import (
    TrialResult,
    best,
    cells,
    columns,
    describe_ties,
    train_command,
)
from lostfound.studies.tune import write_search

pytest.importorskip("optuna")

SIZES = Parameter("input.size", ([32, 32], [64, 64]))
RATES = Parameter("optimizer.learning_rate", (1e-4, 1e-1), "log")


@pytest.fixture
def search(dataset_folder, tmp_path) -> Search:
    data = Dataset.open(dataset_folder)
    space = Space((RATES, SIZES))
    return Search("demo", None, {}, space, data, None, tmp_path, "top_1_accuracy", None, "tpe", True)


def tried(slot: int, value: float | None, state: str = "done", **settings) -> TrialResult:
    chosen = {"optimizer.learning_rate": 0.0012345678, "input.size": [64, 64], **settings}
    error = "the loss became\nnan" if state == "failed" else None
    return TrialResult(slot, chosen, state, value, value and 3, value and 12.4, {}, error)


def test_a_line_of_the_table(search):
    assert columns(search) == [
        "trial",
        "optimizer.learning_rate",
        "input.size",
        "top-1 accuracy (%)",
        "epoch",
        "s",
        "state",
    ]
    assert cells(search, tried(4, 0.43217)) == ["5", "0.001235", "[64, 64]", "43.2", "3", "12", "done"]


def test_a_trial_that_was_not_begun_has_no_settings_yet(search):
    waits = TrialResult(1, {}, "waiting", None, None, None, {}, None)
    assert cells(search, waits) == ["2", "", "", "", "", "", "waiting"]


def test_nothing_as_a_value_is_told_from_no_value(search):
    search = replace(search, space=Space((Parameter("task.haversine", (None, 0.5)),)))
    assert cells(search, tried(0, 0.5, **{"task.haversine": None}))[1] == "null"


@pytest.mark.parametrize(
    ("trials", "says"),
    [
        ([], None),
        ([tried(0, None, "failed")], None),
        ([tried(0, 0.5), tried(1, 0.4)], None),
        ([tried(0, 0.5), tried(1, 0.5, "pruned")], None),
        ([tried(2, 0.5), tried(3, 0.5), tried(1, 0.4)], "2 trials share the best score"),
    ],
)
def test_trials_as_good_as_the_best_are_told(trials, says):
    told = describe_ties(trials)
    assert told is None if says is None else told.startswith(says)


def test_the_files_of_a_search(search):
    trials = [tried(1, 0.5), tried(0, 0.5), tried(3, 0.1, "pruned"), tried(2, None, "failed")]
    command = train_command(search, best(trials).settings)
    write_search(search, trials, command)
    told = (search.to / "trials.md").read_text()
    assert "the test split was not looked at" in told
    assert "- 3: the loss became nan" in told
    assert "2 trials share the best score" in told
    assert f"```sh\n{command}\n```" in told
    assert re.findall(r"^\| (\d+) \|.*\| (\w+) \|$", told, re.MULTILINE) == [
        ("2", "done"),
        ("1", "done"),
        ("4", "pruned"),
        ("3", "failed"),
    ]
    rows = list(csv.DictReader(io.StringIO((search.to / "trials.csv").read_text())))
    assert float(rows[0]["optimizer.learning_rate"]) == 0.0012345678  # all digits, where a machine reads
    assert rows[3]["error"] == "the loss became\nnan"
    assert command in (search.to / "best.yaml").read_text()


def test_no_best_settings_where_no_trial_ended(search):
    write_search(search, [tried(0, None, "failed")], None)
    assert {path.name for path in search.to.iterdir()} == {"trials.csv", "trials.md"}


@pytest.mark.parametrize(
    ("parameters", "sampler", "wide"),
    [
        ([RATES], "tpe", 2),
        ([RATES, SIZES], "tpe", 3),
        ([RATES, SIZES, Parameter("a", (0, 1), "uniform"), Parameter("b", (1, 9), "int")], "tpe", 1.5),
        ([Parameter("optimizer.learning_rate", (0.0012345678, 0.1)), SIZES], "grid", 2),
    ],
    ids=["one setting", "two", "four in two rows", "a grid of two"],
)
def test_the_picture_has_a_panel_for_each_setting(search, parameters, sampler, wide):
    search = replace(search, space=Space(tuple(parameters)), sampler=sampler)
    trials = [tried(0, 0.5, a=0.3, b=4), tried(1, 0.2, "pruned", a=0.1, b=2), tried(2, None, "failed")]
    with Image.open(io.BytesIO(draw_search(search, trials))) as picture:
        assert picture.width / picture.height == pytest.approx(wide * 4.4 / 3.8, rel=0.15)
        assert picture.width < 1800
