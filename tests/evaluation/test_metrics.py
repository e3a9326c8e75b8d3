"""Each metric against a slow, obvious way to it; the one list of them; what answers are scored on."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.errors import UsageError
from lostfound.evaluation.evaluate import metric_samples, report_samples
from lostfound.evaluation.matching import Matched, Truth, match
from lostfound.evaluation.metrics import (
    DISTANCES_KM,
    METRICS,
    SAMPLED,
    expected_calibration_error,
    metric_name,
    usual_metrics,
)
from lostfound.geo.sphere import geoguessr_score
from lostfound.partitions import Partition, build_partition
from lostfound.predict.predictions import Predictions

PARIS, TOKYO, NOWHERE = [48.85, 2.35], [35.68, 139.69], [np.nan, np.nan]


def matched(points, truth, guesses, **ranked) -> Matched:
    """Answers beside the truth, a place for each."""
    names = [f"image {row}" for row in range(len(points))]
    located = np.array(points, dtype=np.float64)
    records = pa.table(
        {
            "image_id": names,
            "place_id": [name.replace("image", "place") for name in names],
            "latitude": pa.array(located[:, 0], from_pandas=True),
            "longitude": pa.array(located[:, 1], from_pandas=True),
            "country": pa.array(truth, pa.string()),
        }
    )
    predictions = Predictions(np.array(names, dtype=object), np.array(guesses, dtype=np.float64), **ranked)
    return Matched(predictions, Truth(records))


# --- what is scored on what


def test_each_metric_is_over_the_images_that_it_can_judge() -> None:
    """One located, one with a country alone, one with nothing."""
    found = metric_samples(
        matched([PARIS, NOWHERE, NOWHERE], [None, "JP", None], [[48.0, 2.0], [48.0, 2.0], [0.0, 0.0]]),
        SAMPLED,
    )
    assert found["country_accuracy"].values.tolist() == [1.0, 0.0]  # the first by its coordinates
    assert found["median_distance_km"].values == pytest.approx([98.0], abs=1)
    assert found["within_200_km_region"].values.tolist() == [1.0]
    assert found["within_25_km_city"].values.tolist() == [0.0]
    assert "top_1_accuracy" not in found
    assert found["country_accuracy"].places.tolist() == ["place 0", "place 1"]


def test_no_image_with_coordinates_no_distance() -> None:
    assert "mean_distance_km" not in metric_samples(matched([NOWHERE], ["FR"], [PARIS]), SAMPLED)


def test_who_gives_no_point_is_judged_by_the_country_alone() -> None:
    """Such as a person who names a country."""
    answers = matched(
        [PARIS, TOKYO], [None, None], [NOWHERE, NOWHERE], countries=np.array(["FR", "FR"], object)
    )
    found = metric_samples(answers, SAMPLED)
    assert found["country_accuracy"].values.tolist() == [1.0, 0.0]
    assert "geoguessr_score" not in found


def test_only_what_is_asked_for() -> None:
    answers = matched([PARIS], [None], [PARIS])
    assert metric_samples(answers, ["mean_distance_km"]).keys() == {"mean_distance_km"}
    with pytest.raises(UsageError, match="no metric 'median': choose of"):
        metric_samples(answers, ["median"])


def test_ranks_without_a_partition_are_countries() -> None:
    cells = np.array([["FR", "DE"], ["US", "JP"]], dtype=object)
    found = metric_samples(matched([PARIS, TOKYO], ["FR", None], [PARIS, PARIS], cells=cells), SAMPLED)
    assert found["top_1_accuracy"].values.tolist() == [1.0, 0.0]
    assert found["top_3_accuracy"].values.tolist() == [1.0, 1.0]
    assert found["country_accuracy"].values.tolist() == [1.0, 0.0]


@pytest.fixture(scope="module")
def partition() -> Partition:
    return build_partition("countries", np.array([PARIS, TOKYO]), ["FR", "JP"])


def test_outside_of_all_cells_is_wrong_and_a_class_of_its_own(partition: Partition) -> None:
    cells = np.array([["FR", "JP"]] * 3, dtype=object)
    answers = matched(
        [PARIS, [64.1, -21.9], TOKYO], ["FR", "IS", "JP"], [PARIS] * 3, cells=cells, partition=partition
    )
    assert answers.outside.tolist() == [False, True, False]
    assert answers.classes.tolist() == ["FR", "IS", "JP"]
    found = metric_samples(answers, SAMPLED)
    assert found["top_5_accuracy"].value == pytest.approx(2 / 3)
    assert found["balanced_accuracy"].value == pytest.approx(1 / 3)


def test_predictions_are_matched_by_their_ids(partition: Partition) -> None:
    answers = matched([PARIS, TOKYO, PARIS], ["FR", "JP", "FR"], [PARIS, TOKYO, PARIS])
    chosen = Predictions(np.array(["image 2", "image 1"], dtype=object), np.array([PARIS, PARIS]))
    found = match(chosen, answers.truth.records)
    assert found.truth.places.tolist() == ["place 2", "place 1"]
    assert found.distance_km == pytest.approx([0, 9712], abs=10)
    stranger = Predictions(np.array(["image 1", "other"], dtype=object), np.array([PARIS, PARIS]))
    with pytest.raises(
        ValueError, match=r"1 of 2 predictions are of none of the 3 images .the first: 'other'"
    ):
        match(stranger, answers.truth.records)


# --- the list


def test_metrics_are_told_apart() -> None:
    assert len({metric.heading for metric in METRICS.values()}) == len(METRICS)
    assert all(name == metric.name for name, metric in METRICS.items())


def test_what_is_better() -> None:
    lower = {name for name, metric in METRICS.items() if not metric.higher_is_better}
    assert lower == {
        *("mean_distance_km", "median_distance_km", "mean_error_degrees", "anchor_error_degrees"),
        *("area_under_risk_coverage", "expected_calibration_error", "loss"),
    }


@pytest.mark.parametrize(
    ("metric", "value", "says"),
    [
        ("top_5_accuracy", 0.1234, ("top-5 accuracy (%)", "12.3", "+12.3", "12.3 %")),
        ("median_distance_km", 0.0712, ("median distance (km)", "0.071", "+0.071", "0.071 km")),
        ("median_distance_km", 1815.7, ("median distance (km)", "1816", "+1816", "1816 km")),
        ("within_25_km_city", 0.5, ("within 25 km city (%)", "50.0", "+50.0", "50.0 %")),
        ("geoguessr_score", 42.42, ("GeoGuessr score", "42.4", "+42.4", "42.4")),
        ("anchor_error_degrees", 2.934, ("anchor error (°)", "2.93", "+2.93", "2.93°")),
    ],
)
def test_numbers_as_people_read_them(metric: str, value: float, says: tuple[str, ...]) -> None:
    one = METRICS[metric]
    assert (one.heading, one.number(value), one.number(value, signed=True), one.text(value)) == says


def test_names_that_training_had_for_them() -> None:
    assert [metric_name(name) for name in ("accuracy", "mean_km", "median_km", "loss")] == [
        *("top_1_accuracy", "mean_distance_km", "median_distance_km", "loss")
    ]


def test_the_country_is_not_reported_twice(partition: Partition) -> None:
    """Where cells are countries the first rank says it."""
    ids, points = np.array(["a"], dtype=object), np.array([PARIS])
    ranked = Predictions(ids, points, np.array([["FR"]], dtype=object), partition=partition)
    assert "country_accuracy" not in usual_metrics(ranked)
    assert "country_accuracy" in usual_metrics(Predictions(ids, points))


# --- scores


@pytest.mark.parametrize(
    ("distance", "score"),
    [(0, 5000), (1492.7, 5000 / math.e), (14927, 5000 * math.exp(-10)), (20015, 0.0075)],
)
def test_the_geoguessr_score(distance: float, score: float) -> None:
    assert geoguessr_score(distance) == pytest.approx(score, rel=0.01)


def test_the_score_is_not_rounded_and_taken_before_the_mean() -> None:
    assert float(geoguessr_score(1.0)) == 5000 * math.exp(-1 / 1492.7)
    far_and_near = geoguessr_score([0, 10000]).mean()
    assert far_and_near == pytest.approx((5000 + 5000 * math.exp(-10000 / 1492.7)) / 2)


def test_the_distances_are_the_fields() -> None:
    assert list(DISTANCES_KM.values()) == [1, 25, 200, 750, 2500]


# --- calibration


def slow_calibration_error(probability: list[float], correct: list[bool], bins: int) -> float:
    pairs = sorted(zip(probability, correct, strict=True), key=lambda pair: pair[0])
    bins = min(bins, len(pairs))
    size, larger = divmod(len(pairs), bins)
    total, start = 0.0, 0
    for number in range(bins):
        part = pairs[start : start + size + (number < larger)]
        start += len(part)
        accuracy = sum(hit for _, hit in part) / len(part)
        confidence = sum(each for each, _ in part) / len(part)
        total += len(part) / len(pairs) * abs(accuracy - confidence)
    return total


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60, unique_by=lambda x: x[0]),
    st.integers(1, 20),
)
def test_the_calibration_error_against_its_definition(pairs, bins: int) -> None:
    probability, correct = zip(*pairs, strict=True)
    found = expected_calibration_error(np.array(probability), np.array(correct), bins)
    assert found == pytest.approx(slow_calibration_error(list(probability), list(correct), bins))


@pytest.mark.parametrize(
    ("probability", "correct", "expected"),
    [([1.0] * 30, [True] * 30, 0.0), ([1.0] * 30, [False] * 30, 1.0), ([0.7], [True], 0.3)],
)
def test_the_calibration_error_at_its_ends(
    probability: list[float], correct: list[bool], expected: float
) -> None:
    assert expected_calibration_error(np.array(probability), np.array(correct)) == pytest.approx(expected)


def test_bins_hold_equally_many_images() -> None:
    """Equal widths would put the first 30 into one bin and find less."""
    probability = np.concatenate([np.linspace(0.01, 0.02, 30), np.linspace(0.5, 0.9, 30)])
    correct = np.concatenate([np.repeat([True, False], 15), np.repeat([False, True], 15)])
    found = expected_calibration_error(probability, correct)
    assert found == pytest.approx(slow_calibration_error(list(probability), list(correct), 15))
    assert found > 0.4


# --- knowing when not to answer


def test_the_radii_cover_the_truth_where_they_are_stated() -> None:
    answers = matched(
        [PARIS, TOKYO, PARIS, NOWHERE], [None] * 4, [[48.0, 2.0], [48.0, 2.0], PARIS, PARIS],
        radius_50_km=np.array([50.0, 50.0, np.nan, 1.0]), radius_90_km=np.array([200.0, 9999.0, 1.0, 1.0]),
    )  # fmt: skip
    found = metric_samples(answers, SAMPLED)
    assert found["radius_50_coverage"].values.tolist() == [0.0, 0.0]
    assert found["radius_90_coverage"].values.tolist() == [1.0, 1.0, 1.0]
    assert METRICS["radius_90_coverage"].target == 0.9


def test_without_radii_or_confidence_there_is_nothing_to_say_of_them() -> None:
    found = metric_samples(matched([PARIS], [None], [PARIS]), SAMPLED)
    assert not found.keys() & {"radius_50_coverage", "area_under_risk_coverage", "answered_share"}


def test_risk_is_the_share_of_wrong_cells_among_the_surest() -> None:
    cells = np.array([["FR"], ["FR"], ["FR"]], dtype=object)
    answers = matched(
        [PARIS, TOKYO, PARIS], [None] * 3, [PARIS] * 3,
        cells=cells, probabilities=np.array([[0.9], [0.6], [0.3]]),
    )  # fmt: skip
    found = metric_samples(answers, ["area_under_risk_coverage"])["area_under_risk_coverage"]
    assert found.value == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


def test_accuracy_where_it_answers() -> None:
    cells = np.array([["FR"], ["FR"], ["FR"]], dtype=object)
    reasons = np.array([None, "not sure", None], dtype=object)
    answers = matched([PARIS, TOKYO, PARIS], [None] * 3, [PARIS] * 3, cells=cells, abstained=reasons)
    found = metric_samples(answers, ["answered_share", "answered_accuracy", "top_1_accuracy"])
    assert found["answered_share"].value == pytest.approx(2 / 3)
    assert found["answered_accuracy"].value == 1.0
    assert found["top_1_accuracy"].value == pytest.approx(2 / 3)


def test_without_cells_an_answer_is_right_in_reach_of_the_country() -> None:
    answers = matched([PARIS, PARIS], [None] * 2, [[52.5, 2.0], TOKYO], confidence=np.array([0.9, 0.5]))
    found = metric_samples(answers, ["area_under_risk_coverage"])["area_under_risk_coverage"]
    assert found.values.tolist() == [0.0, 1.0]
    assert found.value == pytest.approx((0 + 0.5) / 2)


# --- degrees, as GeoTrainr has them


def test_degrees_are_euclidean_and_go_the_short_way_round() -> None:
    a = [[50.0, 10.0], [0.0, 179.0], [10.0, -179.5]]
    b = [[53.0, 14.0], [0.0, -179.0], [10.0, 179.5]]
    found = metric_samples(matched(a, [None] * 3, b), ["mean_error_degrees", "within_5_degrees"])
    assert found["mean_error_degrees"].values == pytest.approx([5.0, 2.0, 1.0])
    assert found["within_5_degrees"].values.tolist() == [1.0, 1.0, 1.0]


def test_anchor_errors_are_means_over_the_anchors_of_clipped_degrees() -> None:
    rule = {"centres": [[0.0, 1.0], [0.0, 90.0]], "west": -180.0, "boundary": None}
    anchors = Partition("voronoi", ("a", "b"), ("a", "b"), np.array([[0.0, 1.0], [0.0, 90.0]]),
        np.ones(2, dtype=np.int64), (None, None), rule=rule)  # fmt: skip
    points = [[0.0, 0.0], [0.0, 3.0], NOWHERE]
    predicted = np.array([[1.0, 10.0], [0.0, 4.0], [1.0, 1.0]], dtype=np.float32)
    answers = matched(
        points, [None] * 3, [PARIS] * 3, anchor_degrees=predicted, clip_degrees=10.0, partition=anchors
    )
    degree = 6371.0088 * math.pi / 180 / 111  # of 111 km
    found = metric_samples(answers, ["anchor_error_degrees"])["anchor_error_degrees"]
    assert found.values == pytest.approx([(degree - 1) / 2, (2 * degree + 6) / 2])


def test_a_report_of_the_first_version_kept_the_errors_themselves(tmp_path) -> None:
    answers = matched([PARIS, NOWHERE], [None, None], [PARIS, PARIS])
    table = answers.truth.records.append_column("anchor_error_degrees", pa.array([1.5, None]))
    for name in answers.predictions.to_table().column_names[1:]:
        table = table.append_column(name, answers.predictions.to_table()[name])
    pa.parquet.write_table(table, tmp_path / "predictions.parquet")
    found = report_samples(tmp_path, None, ["anchor_error_degrees"])
    assert found["anchor_error_degrees"].values.tolist() == [1.5]
