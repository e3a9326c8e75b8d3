"""Evaluating: what is counted, what is left out, and what is written."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.records import set_column
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.evaluate import Evaluation, evaluate
from lostfound.geo.sphere import haversine_km
from lostfound.predict.locator import Locator


@pytest.fixture(scope="module")
def dataset(dataset_folder: Path) -> Dataset:
    return Dataset.open(dataset_folder)


@pytest.fixture(scope="module")
def locator(model_folder: Path) -> Locator:
    return Locator.load(model_folder, threads=1)


@pytest.fixture(scope="module")
def measured(locator: Locator, dataset: Dataset) -> Evaluation:
    return evaluate(locator, dataset)


def changed(dataset: Dataset, **columns: list[object]) -> Dataset:
    records = dataset.records
    for name, values in columns.items():
        records = set_column(records, name, values)
    return dataset.with_records(records)


def value(evaluation: Evaluation, name: str) -> float:
    return evaluation.metrics[name].value


# --- the numbers


def test_the_numbers_are_those_of_the_predictions(measured: Evaluation) -> None:
    rows = measured.predictions.to_pylist()
    assert len(rows) == measured.about["images"] > 0
    for k in (1, 3, 5):
        hits = [row["country"] in row["candidates"][:k] for row in rows]
        assert value(measured, f"top_{k}_accuracy") == pytest.approx(np.mean(hits))
    distances = [
        float(
            haversine_km((row["latitude"], row["longitude"]), (row["guess_latitude"], row["guess_longitude"]))
        )
        for row in rows
    ]
    assert [row["distance_km"] for row in rows] == pytest.approx(distances)
    assert value(measured, "mean_distance_km") == pytest.approx(np.mean(distances))
    assert value(measured, "median_distance_km") == pytest.approx(np.median(distances))
    scores = [5000 * math.exp(-each / 1492.7) for each in distances]
    assert value(measured, "geoguessr_score") == pytest.approx(np.mean(scores))
    for limit, name in [(1, "street"), (25, "city"), (200, "region"), (750, "country"), (2500, "continent")]:
        within = np.mean([each <= limit for each in distances])
        assert value(measured, f"within_{limit}_km_{name}") == pytest.approx(within)
    recalls = []
    for code in {row["country"] for row in rows}:
        own = [row["guess_country"] == code for row in rows if row["country"] == code]
        recalls.append(np.mean(own))
    assert value(measured, "balanced_accuracy") == pytest.approx(np.mean(recalls))


def test_the_answers_are_those_that_users_get(
    measured: Evaluation, locator: Locator, dataset: Dataset
) -> None:
    test = dataset.split("test")
    for index in (0, 7):
        guess = locator.locate(test.read(index))
        row = measured.predictions.slice(index, 1).to_pylist()[0]
        assert row["image_id"] == test.records["image_id"][index].as_py()
        assert row["guess_country"] == guess.country
        assert (row["guess_latitude"], row["guess_longitude"]) == (guess.latitude, guess.longitude)
        assert row["candidates"] == [each.cell_id for each in guess.candidates]
        assert row["probabilities"] == pytest.approx(
            [each.probability for each in guess.candidates], abs=1e-6
        )


def test_every_number_has_an_interval_and_a_count(measured: Evaluation) -> None:
    for name, metric in measured.metrics.items():
        assert metric.low <= metric.value <= metric.high, name
        assert metric.n == measured.about["images"]
        assert metric.places == measured.about["places"]
    assert measured.about["places"] < measured.about["images"]  # two views a place


def test_it_is_the_same_each_time(measured: Evaluation, locator: Locator, dataset: Dataset) -> None:
    again = evaluate(locator, dataset)
    assert again.as_dict() == measured.as_dict()
    assert again.predictions.equals(measured.predictions)


@pytest.mark.parametrize("split", ["train", "val", "test", "all"])
def test_a_split_is_what_is_measured(locator: Locator, dataset: Dataset, split: str) -> None:
    expected = dataset.records if split == "all" else dataset.split(split).records
    found = evaluate(locator, dataset, split)
    assert found.predictions["image_id"].to_pylist() == expected["image_id"].to_pylist()
    assert found.about["split"] == split


# --- places


def test_a_place_is_scored_once_by_the_mean_of_its_views(locator: Locator, dataset: Dataset) -> None:
    found = evaluate(locator, dataset, unit="place")
    test = dataset.split("test")
    places = test.records["place_id"].to_pylist()
    rows = found.predictions.to_pylist()
    assert sorted(row["place_id"] for row in rows) == sorted(set(places))
    assert found.metrics["top_1_accuracy"].n == found.about["places"] == len(rows)
    assert found.about["images"] == len(test)
    assert found.scored == f"{len(rows)} places, by the mean of their {len(test)} images"
    for row in rows[:3]:
        views = [test.read(index) for index, place in enumerate(places) if place == row["place_id"]]
        assert len(views) == 2
        guess = locator.locate_place(views)
        assert row["guess_country"] == guess.country
        assert row["probabilities"] == pytest.approx(
            [each.probability for each in guess.candidates], rel=1e-3
        )
    hits = [row["country"] == row["guess_country"] for row in rows]
    assert value(found, "top_1_accuracy") == pytest.approx(np.mean(hits))


# --- bare coordinates


def test_a_model_without_cells_has_no_ranks_and_no_calibration(
    point_model_folder: Path, dataset: Dataset, tmp_path: Path
) -> None:
    found = evaluate(Locator.load(point_model_folder, threads=1), dataset)
    assert found.about["unit"] == "place"  # as it was trained
    assert found.about["cells"] is None
    assert found.calibration_error is None
    assert not [name for name in found.metrics if "top_" in name or "balanced" in name]
    rows = found.predictions.to_pylist()
    assert value(found, "country_accuracy") == np.mean(
        [row["country"] == row["guess_country"] for row in rows]
    )
    km = [
        float(
            haversine_km((row["latitude"], row["longitude"]), (row["guess_latitude"], row["guess_longitude"]))
        )
        for row in rows
    ]
    assert value(found, "mean_distance_km") == pytest.approx(np.mean(km))
    assert "candidates" not in found.predictions.column_names
    found.save(tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["expected_calibration_error"] is None


# --- what is not in the model's world


def test_countries_without_a_cell_count_as_wrong_and_are_listed(
    locator: Locator, dataset: Dataset, measured: Evaluation
) -> None:
    countries = dataset.records["country"].to_pylist()
    moved = ["IS" if code == "FR" else "NZ" if code == "JP" else code for code in countries]
    found = evaluate(locator, changed(dataset, country=moved))
    truth = found.predictions["country"].to_pylist()
    outside = sum(code in ("IS", "NZ") for code in truth)
    assert found.about["images_outside_all_cells"] == outside > 0
    assert found.about["countries_outside_all_cells"] == ["IS", "NZ"]
    right = [
        guess == code
        for guess, code in zip(found.predictions["guess_country"].to_pylist(), truth, strict=True)
    ]
    assert value(found, "top_1_accuracy") == pytest.approx(np.mean(right))
    assert value(found, "top_5_accuracy") == pytest.approx(1 - outside / len(truth))
    recalls = [
        np.mean([hit for hit, each in zip(right, truth, strict=True) if each == code]) for code in set(truth)
    ]
    assert value(found, "balanced_accuracy") == pytest.approx(np.mean(recalls))
    assert found.metrics["mean_distance_km"] == measured.metrics["mean_distance_km"]


def test_an_image_without_a_country_gets_it_from_its_coordinates(
    locator: Locator, dataset: Dataset, measured: Evaluation
) -> None:
    found = evaluate(locator, changed(dataset, country=[None] * len(dataset)))
    for name in ("top_1_accuracy", "balanced_accuracy"):
        assert found.metrics[name] == measured.metrics[name]
    assert found.about["images_outside_all_cells"] == 0


def test_a_photo_of_the_open_sea_is_in_no_country(locator: Locator, dataset: Dataset) -> None:
    n = len(dataset)
    sea = changed(dataset, country=[None] * n, latitude=[-48.9] * n, longitude=[-123.4] * n)
    found = evaluate(locator, sea)
    assert found.about["countries_outside_all_cells"] == ["no country"]
    assert value(found, "top_5_accuracy") == 0


def test_images_with_a_country_alone_have_no_distance(
    locator: Locator, dataset: Dataset, measured: Evaluation, tmp_path: Path
) -> None:
    n = len(dataset)
    found = evaluate(locator, changed(dataset, latitude=[None] * n, longitude=[None] * n))
    assert found.metrics["top_1_accuracy"] == measured.metrics["top_1_accuracy"]
    assert not [name for name in found.metrics if "km" in name or "score" in name]
    assert found.predictions["distance_km"].null_count == found.about["images"]
    found.save(tmp_path)
    assert "mean_distance_km" not in json.loads((tmp_path / "metrics.json").read_text())["metrics"]


def test_distances_are_over_the_images_that_have_coordinates(
    locator: Locator, dataset: Dataset, measured: Evaluation
) -> None:
    half = [each if index % 2 else None for index, each in enumerate(dataset.records["latitude"].to_pylist())]
    found = evaluate(locator, changed(dataset, latitude=half))
    known = [each for each in found.predictions["distance_km"].to_pylist() if each is not None]
    assert found.metrics["mean_distance_km"].n == len(known) < measured.about["images"]
    assert value(found, "mean_distance_km") == pytest.approx(np.mean(known))
    assert found.metrics["top_1_accuracy"].n == measured.about["images"]


def test_images_that_say_nothing_of_their_place_are_left_out(locator: Locator, dataset: Dataset) -> None:
    unknown = [index % 3 == 0 for index in range(len(dataset))]
    columns = {
        name: [
            None if hide else each
            for hide, each in zip(unknown, dataset.records[name].to_pylist(), strict=True)
        ]
        for name in ("country", "latitude", "longitude")
    }
    found = evaluate(locator, changed(dataset, **columns))
    rows = [row for row in found.predictions.to_pylist() if row["country"]]
    hits = [row["country"] == row["guess_country"] for row in rows]
    assert found.about["images"] > len(rows)
    assert found.metrics["top_1_accuracy"].n == found.metrics["balanced_accuracy"].n == len(rows)
    assert value(found, "top_1_accuracy") == pytest.approx(np.mean(hits))
    assert found.about["images_outside_all_cells"] == 0
    best = [row["probabilities"][0] for row in rows]
    order = np.argsort(best, kind="stable")
    groups = np.array_split(order, min(15, len(rows)))
    gaps = [abs(sum(hits[index] - best[index] for index in group)) for group in groups]
    assert found.calibration_error == pytest.approx(sum(gaps) / len(rows))


# --- refusals


def test_an_unknown_split_lists_the_known(locator: Locator, dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="choose one of train, val, test, all"):
        evaluate(locator, dataset, "testing")


def test_an_empty_split_says_what_to_do(locator: Locator, dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"no images in the split 'test': .*prepare --resplit"):
        evaluate(locator, dataset.split("train"), "test")


def test_a_split_without_any_label_is_refused(locator: Locator, dataset: Dataset) -> None:
    n = len(dataset)
    blank = changed(dataset, country=[None] * n, latitude=[None] * n, longitude=[None] * n)
    with pytest.raises(DatasetError, match="nothing to compare answers with"):
        evaluate(locator, blank)


def test_a_damaged_image_is_named(locator: Locator, dataset_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dataset_folder, tmp_path / "data"))
    record = Dataset.open(folder).split("test").records.slice(2, 1).to_pylist()[0]
    with (folder / "images" / record["shard"]).open("r+b") as file:
        file.seek(record["offset"] + 50)
        file.write(b"damage")
    with pytest.raises(DatasetError, match=record["image_id"]):
        evaluate(locator, Dataset.open(folder))


# --- what is written


def test_the_report_holds_numbers_predictions_and_a_picture(measured: Evaluation, tmp_path: Path) -> None:
    measured.save(tmp_path / "new" / "report")
    written = {each.name for each in (tmp_path / "new" / "report").iterdir()}
    assert written == {"metrics.json", "predictions.parquet", "confusion.png"}
    with Image.open(tmp_path / "new" / "report" / "confusion.png") as picture:
        picture.load()


def test_the_numbers_are_strict_json(measured: Evaluation, tmp_path: Path) -> None:
    measured.save(tmp_path)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    found = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)
    assert found == measured.as_dict()
    assert found["metrics"]["top_1_accuracy"].keys() == {"value", "low", "high", "n", "places"}
    assert found["expected_calibration_error"] == measured.calibration_error
    assert found["records_sha256"]


def test_the_predictions_have_a_row_an_image_and_known_columns(measured: Evaluation, tmp_path: Path) -> None:
    measured.save(tmp_path)
    table = pq.read_table(tmp_path / "predictions.parquet")
    assert {field.name: field.type for field in table.schema} == {
        "image_id": pa.string(),
        "place_id": pa.string(),
        "source": pa.string(),
        "original": pa.string(),
        "heading": pa.float32(),
        "latitude": pa.float64(),
        "longitude": pa.float64(),
        "country": pa.string(),
        "guess_latitude": pa.float64(),
        "guess_longitude": pa.float64(),
        "guess_country": pa.string(),
        "distance_km": pa.float64(),
        "candidates": pa.list_(pa.string()),
        "cell": pa.string(),
        "confidence": pa.float64(),
        "abstained": pa.string(),
        "probabilities": pa.list_(pa.float64()),
    }
    assert table.num_rows == measured.about["images"]
    assert {len(each) for each in table["candidates"].to_pylist()} == {4}  # the model has four cells
    for row in table["probabilities"].to_pylist():
        assert sum(row) == pytest.approx(1)
        assert row == sorted(row, reverse=True)
