from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lostfound.data.dataset import Dataset
from lostfound.evaluation.comparison import estimate
from lostfound.evaluation.evaluate import evaluate
from lostfound.predict.locator import Locator
from lostfound.studies.scores import METRICS, label, number, read_scores


@pytest.mark.parametrize("unit", ["image", "place"])
def test_agree_with_the_evaluation(model_folder, dataset_folder, tmp_path, unit):
    measured = evaluate(Locator.load(model_folder), Dataset.open(dataset_folder), unit=unit)
    measured.save(tmp_path)
    scores = read_scores(tmp_path, model_folder).scores
    shared = measured.metrics.keys() & scores.keys()
    assert {"top_1_accuracy", "top_5_accuracy", "balanced_accuracy", "median_distance_km"} <= shared
    for name in shared:
        found = estimate([scores[name]])
        assert found.value == pytest.approx(measured.metrics[name].value), name
        assert (found.n, found.places) == (measured.metrics[name].n, measured.metrics[name].places)


def predictions(folder, **columns) -> None:
    """Three images: one located, one with a country alone, one with nothing."""
    values = {
        "place_id": ["a", "b", "c"],
        "latitude": [48.85, None, None],
        "longitude": [2.35, None, None],
        "country": [None, "JP", None],
        "guess_latitude": [48.0, 35.0, 0.0],
        "guess_longitude": [2.0, 139.0, 0.0],
        "guess_country": ["FR", "FR", None],
        "distance_km": [98.0, None, None],
        **columns,
    }
    table = pa.table({name: pa.array(column) for name, column in values.items()})
    pq.write_table(table, folder / "predictions.parquet")


def test_each_metric_is_over_the_images_that_it_can_judge(tmp_path):
    predictions(tmp_path)
    judged = read_scores(tmp_path, tmp_path / "model")
    assert judged.cells is None
    assert judged.scores["country_accuracy"].values.tolist() == [1.0, 0.0]  # the first by its coordinates
    assert judged.scores["median_distance_km"].values.tolist() == [98.0]
    assert judged.scores["within_200_km_region"].values.tolist() == [1.0]
    assert judged.scores["within_25_km_city"].values.tolist() == [0.0]
    assert "top_1_accuracy" not in judged.scores


def test_only_what_is_asked_for(tmp_path):
    predictions(tmp_path)
    assert read_scores(tmp_path, tmp_path, ["mean_distance_km"]).scores.keys() == {"mean_distance_km"}


def test_no_image_with_coordinates(tmp_path):
    predictions(
        tmp_path, latitude=[None] * 3, longitude=[None] * 3, distance_km=[None] * 3, country=["FR"] * 3
    )
    assert "mean_distance_km" not in read_scores(tmp_path, tmp_path).scores


def test_errors_in_degrees_where_the_evaluation_has_them(tmp_path):
    predictions(tmp_path, anchor_error_degrees=[1.5, None, None])
    assert read_scores(tmp_path, tmp_path).scores["anchor_error_degrees"].values.tolist() == [1.5]


@pytest.mark.parametrize(
    ("metric", "value", "says"),
    [
        ("top_5_accuracy", 0.1234, ("top-5 accuracy (%)", "12.3", "+12.3")),
        ("median_distance_km", 0.0712, ("median distance (km)", "0.071", "+0.071")),
        ("median_distance_km", 1815.7, ("median distance (km)", "1816", "+1816")),
        ("within_25_km_city", 0.5, ("within 25 km city (%)", "50.0", "+50.0")),
        ("geoguessr_score", 42.42, ("geoguessr score", "42.4", "+42.4")),
        ("anchor_error_degrees", 2.934, ("anchor error degrees", "2.93", "+2.93")),
    ],
)
def test_says_numbers_as_people_read_them(metric, value, says):
    assert (label(metric), number(metric, value), number(metric, value, signed=True)) == says


def test_every_metric_has_a_name():
    assert len({label(metric) for metric in METRICS}) == len(METRICS)
    assert np.unique(METRICS).size == len(METRICS)
