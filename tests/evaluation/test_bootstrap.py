"""Each number against a slow, obvious way to it, and each interval against resampling by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.evaluation.bootstrap import RESAMPLES, Samples, Score, bootstrap

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


def mean(places, values, seed: int = 0) -> Score:
    return bootstrap(Samples(places, np.asarray(values, dtype=np.float64)), seed=seed)


def median(places, values) -> Score:
    return bootstrap(Samples(places, np.asarray(values, dtype=np.float64), "median"))


def balanced(places, right, classes) -> Score:
    return bootstrap(Samples(places, np.asarray(right, dtype=np.float64), "balanced", classes))


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
    found = mean(places, values)
    assert found.value == pytest.approx(sum(values) / len(values))
    assert (found.n, found.places) == (len(rows), len(set(places)))
    assert min(values) <= found.low <= found.high <= max(values)


@given(images)
def test_the_median_is_the_median(rows) -> None:
    places, values, _, _ = columns(rows)
    found = median(places, values)
    ordered = sorted(values)
    middle = len(ordered) // 2
    odd = len(ordered) % 2
    assert found.value == (ordered[middle] if odd else (ordered[middle - 1] + ordered[middle]) / 2)


@given(images)
def test_balanced_accuracy_is_the_mean_recall(rows) -> None:
    places, _, classes, right = columns(rows)
    found = balanced(places, right, classes)
    assert found.value == pytest.approx(recall_mean(list(classes), list(right)))
    assert 0 <= found.low <= found.high <= 1


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
    found = balanced(places, np.array(right), np.array(list(classes), dtype=object))
    assert found.value == expected


# --- the intervals


@settings(max_examples=8, deadline=None)
@given(images)
def test_the_intervals_are_those_of_resampled_places(rows) -> None:
    places, values, classes, right = columns(rows)
    for found, statistic in ((mean(places, values), np.mean), (median(places, values), np.median)):
        assert (found.low, found.high) == pytest.approx(by_hand(places, statistic, values))
    found = balanced(places, right, classes)
    recalls = by_hand(places, lambda each, hit: recall_mean(list(each), list(hit)), classes, right)
    assert (found.low, found.high) == pytest.approx(recalls)


def width(score: Score) -> float:
    return score.high - score.low


def test_views_of_one_place_are_no_new_evidence() -> None:
    """400 images of 100 places, all views of a place alike: as uncertain as 100 images."""
    right = np.repeat(np.random.default_rng(1).random(100) < 0.5, 4)
    by_place = np.repeat(np.arange(100), 4).astype(object)
    by_image = np.arange(400).astype(object)
    clustered, independent = mean(by_place, right), mean(by_image, right)
    assert width(clustered) == pytest.approx(2 * width(independent), rel=0.15)
    assert width(clustered) == pytest.approx(2 * 1.96 * 0.05, rel=0.15)  # of 100 coin tosses
    assert (clustered.n, clustered.places) == (400, 100)


def test_the_median_and_balanced_accuracy_are_by_place_too() -> None:
    generator = np.random.default_rng(1)
    values, right = np.repeat(generator.normal(size=100), 4), np.repeat(generator.random(100) < 0.5, 4)
    classes = np.repeat(np.array(["A", "B"], dtype=object), 200)
    by_place, by_image = np.repeat(np.arange(100), 4).astype(object), np.arange(400).astype(object)
    assert width(median(by_place, values)) > 1.5 * width(median(by_image, values))
    assert width(balanced(by_place, right, classes)) > 1.5 * width(balanced(by_image, right, classes))


def test_a_single_place_has_no_spread() -> None:
    found = mean(np.array(["here"] * 3, dtype=object), [0.0, 1.0, 2.0])
    assert found == Score(1.0, 1.0, 1.0, 3, 1)


def test_the_interval_is_the_same_each_time_and_another_with_another_seed() -> None:
    places, values = np.arange(50).astype(object), np.random.default_rng(0).normal(size=50)
    assert mean(places, values) == mean(places, values)
    assert mean(places, values) != mean(places, values, seed=1)


def test_many_places_are_drawn_in_chunks_without_a_seam() -> None:
    """Enough that not all draws are held at once."""
    places, values = np.arange(3000).astype(object), np.random.default_rng(0).normal(size=3000)
    found = mean(places, values)
    assert width(found) == pytest.approx(2 * 1.96 / math.sqrt(3000), rel=0.15)


# --- risk and coverage


def area(confidences, wrong) -> float:
    """The mean risk among those as sure as each, as its definition reads."""
    risks = []
    for each in confidences:
        as_sure = [bad for sure, bad in zip(confidences, wrong, strict=True) if sure >= each]
        risks.append(sum(as_sure) / len(as_sure))
    return sum(risks) / len(risks)


def risk_coverage(places, wrong, confidences) -> Samples:
    return Samples(places, wrong.astype(np.float64), "risk_coverage", confidences=confidences)


@given(images)
@pytest.mark.slow
def test_the_area_under_risk_coverage_against_its_definition(rows) -> None:
    places, confidences, _, wrong = columns(rows)
    found = risk_coverage(places, wrong, confidences).value
    assert found == pytest.approx(area(confidences, wrong))


@given(images)
@settings(max_examples=5, deadline=None)
def test_the_interval_of_the_area_against_resampling_by_hand(rows) -> None:
    places, confidences, _, wrong = columns(rows)
    found = bootstrap(risk_coverage(places, wrong, confidences))
    assert (found.low, found.high) == pytest.approx(by_hand(places, area, confidences, wrong))
