"""Calibration: known temperatures, poolings, radii and thresholds are found again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from lostfound.predict.calibration import (
    Calibration,
    conformal_factor,
    fit_strangeness,
    fit_temperature,
    fit_view_exponent,
    places_needed,
    threshold_for,
)


def drawn(temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and cells drawn with the probabilities that the logits mean at a temperature."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (n, 5))
    shares = softmax(logits / temperature, axis=1)
    cells = (shares.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)
    return logits, cells


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.12)


def test_images_outside_every_cell_have_no_say() -> None:
    logits, cells = drawn(2.0)
    expected = fit_temperature(logits, cells)
    with_others = np.concatenate([logits, 100 * np.eye(5)]), np.concatenate([cells, np.full(5, -1)])
    assert fit_temperature(*with_others) == expected


def test_without_images_nothing_is_changed() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == 1.0
    assert fit_temperature(np.ones((2, 3)), np.array([-1, -1])) == 1.0


@pytest.mark.parametrize(("cells", "limit"), [([0, 1, 2], 0.05), ([1, 2, 0], 20)])
def test_it_stays_within_bounds(cells: list[int], limit: float) -> None:
    """Always right would ask for zero, always wrong for infinity."""
    assert fit_temperature(np.eye(3), np.array(cells)) == pytest.approx(limit, rel=0.01)


def test_huge_logits_do_no_harm() -> None:
    assert np.isfinite(fit_temperature(1e5 * np.eye(3), np.array([0, 1, 0])))


# --- several views


def test_independent_views_are_multiplied_and_equal_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    cells = generator.integers(0, 5, 3000)
    views = np.full(3000, 4)
    evidence = generator.normal(size=(4, 3000, 5))
    evidence[:, np.arange(3000), cells] += 1.0  # log-likelihood ratio of unit normals
    independent = evidence.mean(axis=0)
    assert fit_view_exponent(independent, cells, views) == pytest.approx(1, abs=0.1)
    assert fit_view_exponent(evidence[0], cells, views) == pytest.approx(0, abs=0.1)


# --- radii


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(20, 300), st.sampled_from([0.5, 0.9]))
def test_a_factor_holds_its_share_of_the_places_it_was_fitted_on(seed: int, n: int, share: float) -> None:
    scores = np.random.default_rng(seed).exponential(size=n)
    factor = conformal_factor(scores, np.arange(n).astype(str).astype(object), share)
    assert share <= (scores <= factor).mean() <= share + 2 / n + 1e-9


def test_new_places_are_covered_as_promised() -> None:
    """On average over many draws: what split conformal prediction promises."""
    generator = np.random.default_rng(0)
    places = np.arange(50).astype(str).astype(object)
    covered = [
        (
            generator.exponential(size=400) <= conformal_factor(generator.exponential(size=50), places, 0.9)
        ).mean()
        for _ in range(300)
    ]
    assert 0.9 - 0.01 <= np.mean(covered) <= 0.9 + 1 / 51 + 0.01


def test_a_place_of_many_views_counts_once() -> None:
    scores = np.concatenate([np.full(100, 5.0), np.linspace(0.1, 1.9, 19)])
    places = np.array(["seen often"] * 100 + [f"place {n}" for n in range(19)], dtype=object)
    assert conformal_factor(scores, places, 0.5) < 1.5


@pytest.mark.parametrize(("share", "needed"), [(0.5, 1), (0.9, 9), (0.95, 19)])
def test_a_coverage_needs_places(share: float, needed: int) -> None:
    assert places_needed(share) == needed


# --- when to answer


def test_the_threshold_answers_as_much_as_the_accuracy_allows() -> None:
    confidence = np.linspace(0, 1, 1001)
    right = np.random.default_rng(0).random(1001) < confidence
    threshold, reached, answered = threshold_for(confidence, right, 0.8)
    assert threshold == pytest.approx(0.6, abs=0.08)  # the mean from there on is 0.8
    assert reached >= 0.8
    assert answered == pytest.approx((confidence >= threshold).mean())


def test_a_model_that_is_good_enough_always_answers() -> None:
    assert threshold_for(np.linspace(0.1, 1, 50), np.ones(50, dtype=bool), 0.9) == (0.0, 1.0, 1.0)


def test_an_accuracy_out_of_reach_comes_as_near_as_it_can() -> None:
    confidence = np.linspace(0, 1, 200)
    _, reached, answered = threshold_for(confidence, confidence > 0.95, 0.99, fewest=30)
    assert reached == pytest.approx(10 / 30, abs=0.02)
    assert answered == pytest.approx(0.15)


# --- on disk


def test_plain_values_bring_it_back() -> None:
    found = Calibration(
        0.7, "logits", 0.3, (0.4, 0.6), 12.5, {"one": {"best": (1.0, 1.2)}}, 0.2, 1.5, {"n": 3}, 2.5
    )
    assert Calibration.from_dict(json.loads(json.dumps(found.as_dict())), 2) == found
    assert Calibration.from_dict({"temperature": 2.0}, None) == Calibration(2.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.0},
        {"view_exponent": 2.0},
        {"pooling": "sums"},
        {"prior": [1.0]},
        {"prior": [0.0, 1.0]},
        {"spread_km": -1.0},
        {"strangeness_power": -1.0},
        {"strangeness_power": 100.0},
        {"radius_factors": {"one": {"best": [0.0, 1.0]}}},
        {"radius_factors": {"one": {"worst": [1.0, 1.0]}}},
    ],
)
def test_values_that_it_can_t_have_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"more than 0|no rule|not of the 2 cells|a power"):
        Calibration.from_dict({"temperature": 1.0, **changes}, 2)


def test_strangeness_weighs_as_it_does_in_the_photos_it_is_fitted_on() -> None:
    generator = np.random.default_rng(0)
    samples = []
    for strangeness in (1.0, 1.5):
        logits = generator.normal(size=(4000, 5)) * 2
        shares = np.exp(logits / strangeness**2)
        shares /= shares.sum(axis=1, keepdims=True)
        right = generator.random(4000) < shares.max(axis=1)
        samples.append((logits, np.full(4000, strangeness), right))
    temperature, power = fit_strangeness(samples)
    assert temperature == pytest.approx(1, rel=0.1)
    assert power == pytest.approx(2, abs=0.25)


def test_only_the_logits_of_strange_photos_are_weighed() -> None:
    outputs = np.array([[4.0, 2.0, 7.0], [4.0, 2.0, 7.0], [4.0, 2.0, 7.0]], dtype=np.float32)
    strangeness = np.array([1.0, 2.0, 0.0])
    weighed = Calibration(strangeness_power=1.0).weighed(outputs, strangeness, cells=2)
    assert weighed.tolist() == [[4, 2, 7], [2, 1, 7], [8, 4, 7]]  # no surer than at half the usual
    assert Calibration().weighed(outputs, strangeness, cells=2).tolist() == outputs.tolist()
    assert Calibration(strangeness_power=1.0).weighed(outputs, None, cells=2).tolist() == outputs.tolist()


def test_the_threshold_may_count_one_origin_as_much_as_another() -> None:
    confidence = np.array([0.9] * 10 + [0.5] * 90)
    right = np.array([True] * 10 + [False] * 90)
    assert threshold_for(confidence, right, 0.5, fewest=1) == (0.9, 1.0, 0.1)
    weights = np.array([1 / 10] * 10 + [1 / 90] * 90)
    assert threshold_for(confidence, right, 0.5, fewest=1, weights=weights)[0] == 0.0
