"""Each number against a slow, obvious way to it, and each interval against resampling by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.evaluation.metrics import (
    DISTANCES_KM,
    RESAMPLES,
    Bootstrap,
    Metric,
    anchor_errors,
    degrees_apart,
    expected_calibration_error,
)
from lostfound.geo.sphere import geoguessr_score

# (place, value, class, right?) of a few images
images = st.lists(
    st.tuples(st.integers(0, 6), st.integers(-50, 50), st.sampled_from("ABC"), st.booleans()),
    min_size=1,
    max_size=25,
)


def columns(rows: list[tuple[int, int, str, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    places, values, classes, right = zip(*rows, strict=True)
    return (
        np.array([f"place {each}" for each in places], dtype=object),
        np.array(values, dtype=np.float64),
        np.array(classes, dtype=object),
        np.array(right),
    )


def recall_mean(classes: list[str], right: list[bool]) -> float:
    """Balanced accuracy as its definition reads."""
    recalls = []
    for name in sorted(set(classes)):
        own = [hit for each, hit in zip(classes, right, strict=True) if each == name]
        recalls.append(sum(own) / len(own))
    return sum(recalls) / len(recalls)


def by_hand(places: np.ndarray, statistic, *data: np.ndarray) -> tuple[float, float]:
    """The interval, drawn as the bootstrap draws: places with replacement, with all their images."""
    names = sorted(set(places))
    counts = np.random.default_rng(0).multinomial(len(names), [1 / len(names)] * len(names), size=RESAMPLES)
    found = []
    for row in counts:
        chosen = [
            index
            for name, times in zip(names, row, strict=True)
            for _ in range(times)
            for index in np.flatnonzero(places == name)
        ]
        found.append(statistic(*(each[chosen] for each in data)))
    low, high = np.percentile(found, [2.5, 97.5])
    return low, high


# --- the numbers


@given(images)
def test_the_mean_is_the_mean(rows) -> None:
    places, values, _, _ = columns(rows)
    found = Bootstrap(places).mean(values)
    assert found is not None
    assert found.value == pytest.approx(sum(values) / len(values))
    assert (found.n, found.places) == (len(rows), len(set(places)))
    assert min(values) <= found.low <= found.high <= max(values)


@given(images)
def test_the_median_is_the_median(rows) -> None:
    places, values, _, _ = columns(rows)
    found = Bootstrap(places).median(values)
    assert found is not None
    ordered = sorted(values)
    middle = len(ordered) // 2
    odd = len(ordered) % 2
    assert found.value == (ordered[middle] if odd else (ordered[middle - 1] + ordered[middle]) / 2)


@given(images)
def test_balanced_accuracy_is_the_mean_recall(rows) -> None:
    places, _, classes, right = columns(rows)
    found = Bootstrap(places).balanced(right, classes)
    assert found is not None
    assert found.value == pytest.approx(recall_mean(list(classes), list(right)))
    assert 0 <= found.low <= found.high <= 1


@given(images, st.integers(0, 2**25))
def test_only_the_images_chosen_count(rows, chosen: int) -> None:
    """A subset gives what the subset alone would give."""
    places, values, classes, right = columns(rows)
    where = np.array([bool(chosen >> index & 1) for index in range(len(rows))])
    whole, part = Bootstrap(places), Bootstrap(places[where])
    assert whole.mean(values, where) == part.mean(values[where])
    assert whole.median(values, where) == part.median(values[where])
    assert whole.balanced(right, classes, where) == part.balanced(right[where], classes[where])


@pytest.mark.parametrize(
    ("right", "classes", "expected"),
    [
        ([True, True, True, False], "AAAB", 0.5),
        ([True, False, True, True], "AABB", 0.75),
        ([True], "A", 1.0),
        ([False, False], "AB", 0.0),
    ],
)
def test_balanced_accuracy_weighs_classes_alike(right: list[bool], classes: str, expected: float) -> None:
    places = np.array([str(index) for index in range(len(right))], dtype=object)
    found = Bootstrap(places).balanced(np.array(right), np.array(list(classes), dtype=object))
    assert found is not None
    assert found.value == expected


def test_no_images_give_no_number() -> None:
    empty = Bootstrap(np.array([], dtype=object))
    assert empty.mean([]) is None
    assert empty.median([]) is None
    assert empty.balanced(np.array([], dtype=bool), np.array([], dtype=object)) is None


# --- the intervals


@settings(max_examples=8, deadline=None)
@given(images)
def test_the_intervals_are_those_of_resampled_places(rows) -> None:
    places, values, classes, right = columns(rows)
    bootstrap = Bootstrap(places)
    mean, median = bootstrap.mean(values), bootstrap.median(values)
    balanced = bootstrap.balanced(right, classes)
    assert mean is not None
    assert median is not None
    assert balanced is not None
    assert (mean.low, mean.high) == pytest.approx(by_hand(places, np.mean, values))
    assert (median.low, median.high) == pytest.approx(by_hand(places, np.median, values))
    recalls = by_hand(places, lambda each, hit: recall_mean(list(each), list(hit)), classes, right)
    assert (balanced.low, balanced.high) == pytest.approx(recalls)


def width(metric: Metric | None) -> float:
    assert metric is not None
    return metric.high - metric.low


def test_views_of_one_place_are_no_new_evidence() -> None:
    """400 images of 100 places, all views of a place alike: as uncertain as 100 images."""
    right = np.repeat(np.random.default_rng(1).random(100) < 0.5, 4)
    by_place = np.repeat(np.arange(100), 4).astype(object)
    by_image = np.arange(400).astype(object)
    clustered, independent = Bootstrap(by_place).mean(right), Bootstrap(by_image).mean(right)
    assert width(clustered) == pytest.approx(2 * width(independent), rel=0.15)
    assert width(clustered) == pytest.approx(2 * 1.96 * 0.05, rel=0.15)  # of 100 coin tosses
    assert clustered is not None
    assert (clustered.n, clustered.places) == (400, 100)


def test_the_median_and_balanced_accuracy_are_by_place_too() -> None:
    generator = np.random.default_rng(1)
    values, right = np.repeat(generator.normal(size=100), 4), np.repeat(generator.random(100) < 0.5, 4)
    classes = np.repeat(np.array(["A", "B"], dtype=object), 200)
    by_place, by_image = np.repeat(np.arange(100), 4).astype(object), np.arange(400).astype(object)
    assert width(Bootstrap(by_place).median(values)) > 1.5 * width(Bootstrap(by_image).median(values))
    assert width(Bootstrap(by_place).balanced(right, classes)) > 1.5 * width(
        Bootstrap(by_image).balanced(right, classes)
    )


def test_a_single_place_has_no_spread() -> None:
    found = Bootstrap(np.array(["here"] * 3, dtype=object)).mean([0.0, 1.0, 2.0])
    assert found == Metric(1.0, 1.0, 1.0, 3, 1)


def test_the_interval_is_the_same_each_time_and_another_with_another_seed() -> None:
    places, values = np.arange(50).astype(object), np.random.default_rng(0).normal(size=50)
    assert Bootstrap(places).mean(values) == Bootstrap(places).mean(values)
    assert Bootstrap(places).mean(values) != Bootstrap(places, seed=1).mean(values)


def test_many_places_are_drawn_in_chunks_without_a_seam() -> None:
    """Enough that not all draws are held at once."""
    places, values = np.arange(3000).astype(object), np.random.default_rng(0).normal(size=3000)
    found = Bootstrap(places).mean(values)
    assert width(found) == pytest.approx(2 * 1.96 / math.sqrt(3000), rel=0.15)


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


# --- degrees, as GeoTrainr has them


def test_degrees_are_euclidean_and_go_the_short_way_round() -> None:
    a = np.array([[50.0, 10.0], [0.0, 179.0], [10.0, -179.5]])
    b = np.array([[53.0, 14.0], [0.0, -179.0], [10.0, 179.5]])
    assert degrees_apart(a, b) == pytest.approx([5.0, 2.0, 1.0])


def test_anchor_errors_are_means_over_the_anchors_of_clipped_degrees() -> None:
    points = np.array([[0.0, 0.0], [0.0, 3.0], [np.nan, np.nan]])
    anchors = np.array([[0.0, 1.0], [0.0, 90.0]])
    outputs = -np.array([[1.0, 10.0], [0.0, 4.0], [1.0, 1.0]])
    degree = 6371.0088 * math.pi / 180 / 111  # of 111 km
    found = anchor_errors(outputs, points, anchors, 10.0)
    assert found[:2] == pytest.approx([(degree - 1) / 2, (2 * degree + 6) / 2])
    assert np.isnan(found[2])
