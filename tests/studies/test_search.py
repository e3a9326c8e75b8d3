"""Searches with real trainings that take a second or two."""

from __future__ import annotations

import csv
import importlib
import shlex
import shutil
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
import yaml
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.errors import UsageError
from lostfound.studies import queue
from lostfound.studies.search import Search, check_metric, default_metric
from lostfound.studies.space import Parameter, Space
from lostfound.studies.trials import best, read_trials, train_command
from lostfound.studies.tune import tune, write_search
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Monitor

optuna = pytest.importorskip("optuna")

RATES = Space((Parameter("optimizer.learning_rate", (0.01, 1e30)),))


@pytest.fixture
def search(tiny_settings, dataset_folder, tmp_path) -> Search:
    return Search(
        recipe="demo",
        variant=None,
        changes=tiny_settings,
        space=RATES,
        data=Dataset.open(dataset_folder),
        weights=None,
        to=tmp_path / "search",
        metric="top_1_accuracy",
        trials=None,
        sampler="grid",
        prune=True,
    )


def open_again(search: Search):
    return optuna.load_study(study_name="search", storage=f"sqlite:///{search.to / 'tune.db'}")


@pytest.mark.slow
def test_a_grid_with_a_trial_that_fails(search):
    trials, command = tune(search)
    done, failed = trials
    assert (done.settings, done.state, done.best_epoch) == ({"optimizer.learning_rate": 0.01}, "done", 1)
    assert (failed.settings, failed.state, failed.value) == (
        {"optimizer.learning_rate": 1e30},
        "failed",
        None,
    )
    assert "nan" in failed.error
    assert "optimizer.learning_rate=0.01" in shlex.split(command)
    assert yaml.safe_load((search.to / "best.yaml").read_text()) == {"optimizer.learning_rate": 0.01}
    with (search.to / "trials.csv").open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["done", "failed"]
    assert command in (search.to / "trials.md").read_text()
    with Image.open(search.to / "tune.png") as picture:
        assert picture.format == "PNG"
    assert list((search.to / "trials").rglob("model.onnx")) == []
    assert list((search.to / "trials" / "0000").rglob("metrics.csv"))
    before = len(open_again(search).trials)
    tune(search)  # all of it is done
    assert len(open_again(search).trials) == before


@pytest.mark.slow
def test_the_test_split_is_never_read(search, tmp_path):
    """With the bytes of all test images destroyed, nothing changes."""
    space = Space((Parameter("optimizer.learning_rate", (0.01,)),))
    [whole], _ = tune(replace(search, space=space))
    broken = tmp_path / "broken"
    shutil.copytree(search.data.folder, broken)
    for row in search.data.split("test").records.select(["shard", "offset", "size"]).to_pylist():
        with (broken / "images" / row["shard"]).open("r+b") as file:
            file.seek(row["offset"])
            file.write(b"\0" * row["size"])
    [without], _ = tune(replace(search, space=space, data=Dataset.open(broken), to=tmp_path / "other"))
    assert without.value == whole.value


@pytest.mark.slow
def test_what_falls_behind_is_pruned(search):
    """Four finished trials that were far better at the first epoch."""
    search = replace(
        search,
        space=Space((Parameter("optimizer.learning_rate", (0.001, 0.01), "log"),)),
        changes={**search.changes, "trainer.epochs": 3},
        sampler="tpe",
        trials=5,
        metric="loss",
    )
    search.to.mkdir()
    study, _ = queue.open_study(
        queue.open_storage(f"sqlite:///{search.to / 'tune.db'}"),
        "search",
        maximise=False,
        settings=search.same(),
        pruner=optuna.pruners.NopPruner(),
    )
    for slot in range(4):
        study.add_trial(
            optuna.create_trial(
                value=0.01,
                params={"optimizer.learning_rate": 0.005},
                distributions={
                    "optimizer.learning_rate": optuna.distributions.FloatDistribution(0.001, 0.01, log=True)
                },
                intermediate_values={1: 0.01, 2: 0.01, 3: 0.01},
                user_attrs={queue.SLOT: slot, "value": 0.01},
            )
        )
    trials, _ = tune(search)
    pruned = trials[-1]
    assert (pruned.slot, pruned.state, list(pruned.by_epoch)) == (4, "pruned", [1])
    assert [trial.state for trial in trials[:4]] == ["done"] * 4


@pytest.mark.slow
def test_goes_on_only_with_the_same_settings(search):
    search.to.mkdir()
    queue.open_study(
        queue.open_storage(f"sqlite:///{search.to / 'tune.db'}"),
        "search",
        maximise=True,
        settings=search.same(),
        pruner=optuna.pruners.NopPruner(),
    )
    with pytest.raises(UsageError, match=r"other settings \(recipe\.trainer\.epochs\)"):
        tune(replace(search, changes={**search.changes, "trainer.epochs": 9}))
    with pytest.raises(UsageError, match=r"other settings \(space"):
        tune(replace(search, space=Space((Parameter("optimizer.learning_rate", (0.5,)),))))


def test_a_wrong_setting_shows_before_anything_is_trained(search):
    with pytest.raises(UsageError, match=r"did you mean 'optimizer\.learning_rate'"):
        tune(replace(search, space=Space((Parameter("optimizer.learning_rat", (0.1,)),))))
    with pytest.raises(UsageError, match="learning_rate"):
        tune(replace(search, space=Space((Parameter("optimizer.learning_rate", (0.1, -1)),))))
    assert not (search.to / "trials").exists()


class TestSlots:
    def test_a_grid_has_its_own_number(self, search):
        assert len(search.slots()) == 2
        with pytest.raises(UsageError, match="this grid has 2 trials"):
            replace(search, trials=3).slots()

    @pytest.mark.parametrize(("trials", "number"), [(None, 30), (7, 7)])
    def test_tpe_has_as_many_as_it_is_told(self, search, trials, number):
        assert replace(search, sampler="tpe", trials=trials).slots() == [{}] * number


class TestMetric:
    @pytest.mark.parametrize("kind", ["classify", "coordinates", "distance", "hybrid"])
    def test_by_default_that_of_the_task(self, kind):
        module = importlib.import_module(f"lostfound.training.tasks.{kind}")
        objective = getattr(module, f"{kind.title()}Objective")
        assert default_metric(load_recipe("demo", {"task.kind": kind})) == objective.monitor

    def test_or_of_the_recipe(self):
        assert default_metric(load_recipe("lost-and-found", variant="regions")) == "country_accuracy"

    def test_unknown(self):
        with pytest.raises(UsageError, match="no metric 'acuracy': choose one of top_1_accuracy"):
            check_metric("acuracy")

    def test_a_name_of_before(self, search):
        assert check_metric("median_km") == replace(search, metric="median_km").metric == "median_distance_km"

    def test_less_is_better_of_errors(self, search):
        higher = {name for name in get_args(Monitor) if replace(search, metric=name).maximise}
        assert higher == {"top_1_accuracy", "country_accuracy", "balanced_accuracy"}


def finished(study, slot: int, rate: float, decay: str, value: float | None, state="COMPLETE") -> None:
    distributions = {
        "optimizer.learning_rate": optuna.distributions.CategoricalDistribution([0.1, 0.01]),
        "input.size": optuna.distributions.CategoricalDistribution(["[32, 32]", "[64, 64]"]),
    }
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState[state],
            value=value if state == "COMPLETE" else None,
            params={"optimizer.learning_rate": rate, "input.size": decay},
            distributions=distributions,
            intermediate_values={1: value} if value is not None else {},
            user_attrs={queue.SLOT: slot, "value": value, "best_epoch": 1, "seconds": 2.0},
        )
    )


@pytest.mark.parametrize(
    ("metric", "order"), [("top_1_accuracy", [1, 0, 2]), ("median_distance_km", [0, 1, 2])]
)
@pytest.mark.slow
def test_trials_are_listed_best_first_and_pruned_ones_last(search, metric, order):
    space = Space(
        (
            Parameter("optimizer.learning_rate", (0.1, 0.01)),
            Parameter("input.size", ([32, 32], [64, 64])),
        )
    )
    search = replace(search, space=space, metric=metric)
    study = optuna.create_study(direction="maximize" if search.maximise else "minimize")
    finished(study, 0, 0.1, "[32, 32]", 0.2)
    finished(study, 1, 0.1, "[64, 64]", 0.4)
    finished(study, 2, 0.01, "[64, 64]", 0.9, "PRUNED")
    trials = read_trials(search, study)
    assert [trial.slot for trial in trials] == order
    assert best(trials).settings["input.size"] == ([64, 64] if order[0] else [32, 32])
    write_search(search, trials, train_command(search, best(trials).settings))
    assert yaml.safe_load((search.to / "best.yaml").read_text()) == best(trials).settings


def test_nothing_is_the_best_of_what_never_ended(search):
    study = optuna.create_study()
    assert best(read_trials(search, study)) is None


def test_the_command_gives_the_same_recipe(search):
    search = replace(search, variant=None, weights="some file.safetensors")
    settings = {
        "optimizer.learning_rate": 1e-5,
        "model.options": {"pad_type": "same"},
        "input.size": [64, 48],
    }
    words = shlex.split(train_command(search, settings))
    assert words[:3] == ["lostfound", "train", "demo"]
    assert words[words.index("--weights") + 1] == "some file.safetensors"
    overrides = [after for word, after in pairwise(words) if word == "--set"]
    assert load_recipe("demo", overrides) == search.load(settings)
