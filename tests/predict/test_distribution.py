"""Clouds of weighted points: the best point by each rule against brute force, and radii."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.geo.sphere import SCORE_SCALE_KM, pairwise_km
from lostfound.predict.distribution import LARGEST, POINT_RULES, Distribution, PointRule, heaviest

places = st.tuples(st.floats(-90, 90), st.floats(-180, 179.9))
clouds = st.lists(
    st.tuples(places, st.floats(0.01, 1)), min_size=1, max_size=12, unique_by=lambda each: each[0]
)


def cloud(points: list[tuple[float, float]], weights: list[float]) -> Distribution:
    shares = np.array(weights) / sum(weights)
    return Distribution(np.array(points, dtype=float)[None], shares[None])


def cost(rule: PointRule, between: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What a rule makes least, point by point, as its definition has it."""
    if rule == "best":
        return -weights
    if rule == "mean-distance":
        return (between * weights).sum(axis=1)
    if rule == "score":
        return -(np.exp(-between / SCORE_SCALE_KM) * weights).sum(axis=1)
    found = []
    for row in between:
        order = np.argsort(row)
        found.append(row[order][np.argmax(np.cumsum(weights[order]) >= 0.5 - 1e-9)])
    return np.array(found)


@settings(deadline=None, max_examples=60)
@given(clouds, st.sampled_from(POINT_RULES))
def test_no_other_point_of_the_cloud_is_better(drawn, rule: PointRule) -> None:
    points, weights = zip(*drawn, strict=True)
    found = cloud(list(points), list(weights))
    costs = cost(rule, pairwise_km(found.points[0], found.points[0]), found.weights[0])
    best = found.best_points(rule)[0]
    row = int(np.argmin(np.abs(found.points[0] - best).sum(axis=1)))
    assert costs[row] <= costs.min() + 0.01


@settings(deadline=None, max_examples=60)
@given(clouds, places, st.floats(0.05, 1.0))
def test_a_radius_holds_its_share_and_none_that_is_less_does(drawn, point, share: float) -> None:
    points, weights = zip(*drawn, strict=True)
    found = cloud(list(points), list(weights))
    radius = found.radius_km(np.array([point]), share)[0]
    distance = pairwise_km(np.array([point]), found.points[0])[0]
    assert found.weights[0][distance <= radius + 0.1].sum() >= share - 1e-6
    assert found.weights[0][distance < radius - 0.1].sum() < share + 1e-6


def test_rules_differ_where_the_most_probable_place_is_far_from_the_rest() -> None:
    points = [(35.0, 139.0), (48.0, 2.0), (50.0, 8.0), (45.0, 9.0)]  # Japan, and three in Europe
    found = cloud(points, [0.4, 0.2, 0.2, 0.2])
    assert found.best_points("best")[0].tolist() == [35.0, 139.0]
    for rule in ("mean-distance", "median-distance", "score"):
        assert found.best_points(rule)[0, 1] < 10


def test_across_the_date_line_it_is_near() -> None:
    found = cloud([(0, 179.0), (0, -179.0), (0, 178.0)], [1, 1, 1])
    assert found.radius_km(np.array([[0.0, 180.0]]), 0.99)[0] == pytest.approx(2 * 111.2, rel=0.01)


def test_only_the_heaviest_points_are_kept_and_weigh_all() -> None:
    generator = np.random.default_rng(0)
    weights = generator.random((3, 1000))
    points = np.column_stack([generator.uniform(-90, 90, 1000), generator.uniform(-180, 180, 1000)])
    found = heaviest(weights, points)
    assert found.points.shape == (3, LARGEST, 2)
    assert found.weights.sum(axis=1) == pytest.approx(1)
    own = heaviest(weights, np.broadcast_to(points, (3, 1000, 2)))
    assert np.array_equal(own.points, found.points)
    assert found.take(np.array([True, False, True])).points.shape == (2, LARGEST, 2)


def test_many_samples_are_answered_as_each_alone() -> None:
    generator = np.random.default_rng(1)
    points = np.stack([generator.uniform(-80, 80, (150, 9)), generator.uniform(-180, 180, (150, 9))], axis=-1)
    weights = generator.dirichlet(np.ones(9), 150)
    together = Distribution(points, weights)
    for rule in POINT_RULES:
        alone = [Distribution(points[[n]], weights[[n]]).best_points(rule)[0] for n in range(150)]
        assert np.array_equal(together.best_points(rule), np.stack(alone))
