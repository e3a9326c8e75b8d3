"""Models judged on collections that they never saw, with real trainings of a second or two."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lostfound.data.dataset import Dataset, write_dataset
from lostfound.errors import RecipeError, UsageError
from lostfound.studies.compare import run_study
from lostfound.studies.holding_out import deal_folds
from lostfound.studies.runs import plan
from lostfound.studies.study import load_study


@pytest.fixture
def of_collections(dataset_folder):
    """The small data set, whose images are said to be of so many collections; the first are larger."""

    def make(count: int) -> Dataset:
        whole = Dataset.open(dataset_folder)
        places = np.unique(whole.records["place_id"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
        names = pa.array([f"own/{(place % (2 * count)) % count:02}" for place in places])
        records = whole.records
        return whole.with_records(records.set_column(records.column_names.index("source"), "source", names))

    return make


def test_a_few_collections_are_held_out_alone_and_many_are_dealt(of_collections):
    few, many = of_collections(4), of_collections(12)
    assert [fold.sources for fold in deal_folds(few)] == [
        (name,) for name in ("own/00", "own/01", "own/02", "own/03")
    ] or sorted(fold.sources for fold in deal_folds(few)) == [(f"own/{n:02}",) for n in range(4)]
    dealt = deal_folds(many)
    assert len(dealt) == 5
    assert sorted(source for fold in dealt for source in fold.sources) == [f"own/{n:02}" for n in range(12)]
    sizes = [len(fold.held_out(many)) for fold in dealt]
    assert sum(sizes) == len(many)
    assert max(sizes) - min(sizes) <= len(many) / 12 + 8  # no more apart than a collection is large


@pytest.mark.parametrize("count", [2, 3, 4])
def test_nothing_is_in_a_fold_and_beside_it(of_collections, count):
    dataset = of_collections(4)
    for fold in deal_folds(dataset, count):
        held_out, others = fold.held_out(dataset), fold.others(dataset)
        assert len(held_out) + len(others) == len(dataset)
        assert not set(held_out.records["source"].to_pylist()) & set(others.records["source"].to_pylist())


@pytest.mark.parametrize(("collections", "count"), [(1, None), (3, 4)])
def test_too_few_collections(of_collections, collections, count):
    with pytest.raises(UsageError, match="collection"):
        deal_folds(of_collections(collections), count)


def test_what_is_judged_is_what_was_held_out(write_study):
    variants = {"plain": {"evaluate_on": {"split": "val"}}}
    with pytest.raises(RecipeError, match="hold_out"):
        load_study(write_study(variants=variants), hold_out="source")
    with pytest.raises(UsageError, match="--folds goes with --hold-out"):
        load_study(write_study(), folds=3)
    assert load_study(write_study(hold_out="source"), folds=3).file.folds == 3


@pytest.fixture
def studied(write_study, dataset_folder, of_collections, made_once):
    """A study of one entry on a data set of three collections, of which each is held out in turn."""
    shown = ["country_accuracy", "median_distance_km"]
    study = load_study(write_study(metrics=shown, variants={"plain": {}}), hold_out="source")

    def build(folder: Path) -> None:
        shutil.copytree(dataset_folder, folder / "data")
        of_three = of_collections(3)
        write_dataset(folder / "data", of_three.records, of_three.info)
        run_study(study, plan(study, folder / "out", data=folder / "data"), folder / "out")

    folder = made_once("held-out-study", build)
    runs = plan(study, folder / "out", data=folder / "data")
    return Dataset.open(folder / "data"), runs, run_study(study, runs, folder / "out"), folder / "out"


@pytest.mark.slow
def test_each_collection_is_judged_by_a_model_that_never_saw_it(studied):
    dataset, runs, outcome, _ = studied
    assert not outcome.failed
    assert not outcome.missing
    assert all(run.state() == "done" for run in runs)
    sources = dict(zip(*(dataset.records[name].to_pylist() for name in ("image_id", "source")), strict=True))
    judged = []
    for run in runs[:3]:
        (held_out,) = run.fold.sources
        assert held_out not in run.data.records["source"].to_pylist()
        ids = pq.read_table(run.report / "predictions.parquet")["image_id"].to_pylist()
        assert {sources[name] for name in ids} == {held_out}
        judged += ids
    assert sorted(judged) == sorted(sources)  # of all splits, each once


@pytest.mark.slow
def test_each_collection_and_each_country_counts_as_much_as_any_other(studied):
    _, runs, outcome, to = studied
    found = {(row.metric, row.average): row.estimate for row in outcome.rows if row.entry == "plain"}
    assert set(found) == {
        ("country_accuracy", "collections"),
        ("country_accuracy", "countries"),
        ("country_accuracy", None),
        ("median_distance_km", None),
    }
    tables = [pq.read_table(run.report / "predictions.parquet") for run in runs if run.entry == "plain"]
    hits = [
        np.array(table["guess_country"].to_pylist()) == np.array(table["country"].to_pylist())
        for table in tables
    ]
    assert found["country_accuracy", "collections"].value == pytest.approx(np.mean([h.mean() for h in hits]))
    assert found["country_accuracy", None].value == pytest.approx(np.concatenate(hits).mean())
    assert found["country_accuracy", None].places == 3
    text = (to / "results.md").read_text()
    assert "country accuracy (%), mean of collections" in text
    assert "saw none of its collection" in text
    with (to / "results.csv").open(newline="") as file:
        assert {row["average"] for row in csv.DictReader(file)} == {"collections", "countries", ""}
