from __future__ import annotations

import json
from pathlib import Path

import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.splits import SplitSettings
from lostfound.errors import DatasetError, UsageError
from lostfound.studies.runs import StudyRun, plan
from lostfound.studies.study import load_study


def finish(run: StudyRun) -> None:
    """As if it had been trained and judged."""
    run.prepare()
    run.model.mkdir(parents=True)
    (run.model / "config.json").write_text("{}")
    run.report.mkdir()
    run.finish()


@pytest.fixture
def planned(write_study, dataset_folder, tmp_path):
    def make(*, weights: str | None = None, **changes) -> list[StudyRun]:
        return plan(
            load_study(write_study(**changes)), tmp_path / "out", data=dataset_folder, weights=weights
        )

    return make


@pytest.fixture
def split_otherwise(world, tmp_path):
    """The same images with another share for the test."""

    def make(test: float) -> Path:
        folder = tmp_path / "other"
        import_images([world], folder, size=64, splits=SplitSettings(val=0.2, test=test), jobs=1)
        return folder

    return make


def names(runs: list[StudyRun]) -> list[tuple[str, int]]:
    return [(run.entry, run.seed) for run in runs]


def test_each_seed_has_all_entries_before_the_next(planned):
    entries = {"b": {"from": "plain"}, "plain": {}}
    assert names(planned(seeds=[3, 1], variants=entries)) == [("plain", 3), ("b", 3), ("plain", 1), ("b", 1)]


def test_the_seed_is_that_of_the_recipe(planned):
    assert [run.recipe.seed for run in planned(seeds=[3, 1], variants={"plain": {}})] == [3, 1]


def test_starts_from_the_model_of_the_same_seed(planned):
    runs = planned(seeds=[0, 1], variants={"plain": {}, "b": {"from": "plain"}})
    assert [run.start for run in runs if run.entry == "b"] == [
        run.model for run in runs if run.entry == "plain"
    ]


def test_judges_the_same_model(planned):
    plain, other = planned(
        variants={"plain": {}, "b": {"same_model_as": "plain", "evaluate_on": {"unit": "place"}}}
    )
    assert other.model == plain.model
    assert other.report != plain.report
    assert (plain.unit, other.unit) == (None, "place")


class TestWeights:
    @pytest.fixture
    def files(self, tmp_path):
        for name in ("own.safetensors", "other.safetensors"):
            (tmp_path / name).write_text(name)
        return tmp_path

    @pytest.mark.parametrize(
        ("entry", "given", "start"),
        [
            ({}, None, None),
            ({}, "hub", "hub"),
            ({}, "other.safetensors", "other.safetensors"),
            ({"weights": None}, "other.safetensors", None),
            ({"weights": "hub"}, None, "hub"),
            ({"weights": "own.safetensors"}, "other.safetensors", "own.safetensors"),
        ],
    )
    def test_an_entry_s_own_or_the_command_s(self, planned, files, monkeypatch, entry, given, start):
        monkeypatch.chdir(files)
        [run] = planned(variants={"plain": entry}, weights=given)
        assert (Path(run.start).name if run.start is not None else None) == start

    def test_a_file_that_is_missing(self, planned):
        with pytest.raises(UsageError, match=r"nothing\.safetensors do not exist"):
            planned(variants={"plain": {"weights": "nothing.safetensors"}})

    def test_another_content_is_another_training(self, planned, files):
        entries = {"plain": {"weights": "own.safetensors"}}
        [run] = planned(variants=entries)
        finish(run)
        (files / "moved.safetensors").write_text("own.safetensors")
        assert planned(variants=entries)[0].state() == "done"
        other = planned(variants={"plain": {"weights": "other.safetensors"}})
        assert other[0].state() == "changed"


class TestData:
    def test_none_is_given(self, write_study, tmp_path):
        with pytest.raises(UsageError, match="plain names no data set: give one with --data"):
            plan(load_study(write_study()), tmp_path / "out")

    def test_paths_are_relative_to_the_study(self, write_study, dataset_folder, tmp_path):
        (tmp_path / "own").symlink_to(dataset_folder)
        study = load_study(write_study(data="own"))
        assert plan(study, tmp_path / "out")[0].data.folder == tmp_path / "own"

    def test_only_what_the_recipe_is_about_is_judged(self, planned, dataset_folder):
        [run] = planned(variants={"plain": {"set": {"data.countries": ["FR", "JP"]}}})
        assert set(run.judged_on.records["country"].to_pylist()) == {"FR", "JP"}
        assert len(Dataset.open(dataset_folder)) > len(run.judged_on)

    def test_a_split_without_images(self, write_study, split_otherwise, tmp_path):
        with pytest.raises(DatasetError, match="plain is judged on the split 'test', of which"):
            plan(load_study(write_study()), tmp_path / "out", data=split_otherwise(0.0))

    def test_judged_on_other_data(self, planned, split_otherwise, dataset_folder):
        other = split_otherwise(0.4)
        [run] = planned(variants={"plain": {"evaluate_on": {"data": str(other)}}})
        assert (run.data.folder, run.judged_on.folder) == (dataset_folder, other)


class TestState:
    def test_new_stopped_trained_done(self, planned):
        def state():
            return planned(variants={"plain": {}})[0].state()

        [run] = planned(variants={"plain": {}})
        assert state() == "new"
        run.prepare()
        assert state() == "new"
        run.model.mkdir()
        assert state() == "stopped"
        (run.model / "config.json").write_text("{}")
        assert state() == "trained"
        run.finish()
        assert state() == "done"

    @pytest.mark.parametrize(
        ("change", "states"),
        [
            (
                {"variants": {"plain": {}, "faster": {"set": {"optimizer.learning_rate": 0.02}}}},
                ["done", "changed"],
            ),
            (
                {"claims": {"plain": "x"}, "metrics": ["top_1_accuracy"], "baseline": "faster"},
                ["done", "done"],
            ),
            ({"set": {"trainer.epochs": 2}}, ["changed", "changed"]),
            ({"seeds": [0, 1]}, ["done", "done", "new", "new"]),
            ({"variants": {"plain": {}}}, ["done"]),
            (
                {"variants": {"plain": {"evaluate_on": {"split": "val"}}, "more": {}}},
                ["trained", "new"],
            ),
        ],
    )
    def test_only_what_changed_is_done_again(self, planned, change, states):
        before = {"plain": {}, "faster": {"set": {"optimizer.learning_rate": 0.01}}}
        for run in planned(variants=before, set={"trainer.epochs": 1}):
            finish(run)
        after = {"variants": before, "set": {"trainer.epochs": 1}, **change}
        assert [run.state() for run in planned(**after)] == states

    def test_workers_and_device_change_nothing(self, planned):
        finish(planned(variants={"plain": {}})[0])
        changed = planned(variants={"plain": {"set": {"trainer.workers": 1, "trainer.device": "auto"}}})
        assert changed[0].state() == "done"

    def test_another_start_is_another_training(self, planned):
        def entries(rate: float):
            return {"plain": {"set": {"optimizer.learning_rate": rate}}, "b": {"from": "plain"}}

        for run in planned(variants=entries(0.1)):
            finish(run)
        assert [run.state() for run in planned(variants=entries(0.2))] == ["changed", "changed"]

    def test_other_data_are_another_training(self, planned, split_otherwise):
        finish(planned(variants={"plain": {}})[0])
        assert planned(variants={"plain": {"data": str(split_otherwise(0.4))}})[0].state() == "changed"

    def test_a_model_with_other_settings_is_deleted_before_its_training(self, planned):
        [run] = planned(variants={"plain": {}})
        finish(run)
        [changed] = planned(variants={"plain": {"set": {"trainer.epochs": 9}}})
        changed.prepare()
        assert not changed.model.exists()
        assert not changed.report.exists()
        assert (
            json.loads((changed.folder / "trained-with.json").read_text())["recipe"]["trainer"]["epochs"] == 9
        )

    def test_a_training_that_was_stopped_is_kept(self, planned):
        [run] = planned(variants={"plain": {}})
        run.prepare()
        run.model.mkdir()
        run.prepare()
        assert run.model.is_dir()


def test_a_setting_that_recipes_got_since_changes_nothing_at_its_default(planned):
    entries = {"plain": {}, "b": {"from": "plain"}}
    for run in planned(variants=entries):
        finish(run)
        for name in ("trained-with.json", "judged-with.json"):
            file = run.folder / name
            text = json.dumps(without_mixup(json.loads(file.read_text())))
            file.write_text(text)
            assert "mixup" not in text
    assert [run.state() for run in planned(variants=entries)] == ["done", "done"]
    changed = planned(set={"augmentation.mixup": 0.1}, variants=entries)
    assert [run.state() for run in changed] == ["changed", "changed"]


def without_mixup(values):
    """As an older version wrote it, that knew no mixup."""
    if not isinstance(values, dict):
        return values
    return {key: without_mixup(value) for key, value in values.items() if key != "mixup"}
