"""Photos of a trip pull each other; those of no trip don't."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lostfound.partitions import build_partition
from lostfound.predict.belief import Belief
from lostfound.predict.levels import Levels
from lostfound.predict.trips import forward_backward, smooth_trip

PRIOR = np.array([0.5, 0.3, 0.2])


@pytest.fixture(scope="module")
def cells():
    return build_partition("countries", [(48.86, 2.35), (52.52, 13.4), (35.7, 139.7)])  # DE, FR, JP


@pytest.fixture(scope="module")
def levels(cells) -> Levels:
    return Levels.of(cells, None)


def belief(cells, rows) -> Belief:
    return Belief(np.arange(len(rows)).astype(str).astype(object), cells, np.array(rows))


def smoothed(cells, levels, rows, times=None, silent=None):
    times = np.arange(len(rows), dtype=np.float64) if times is None else np.array(times, dtype=np.float64)
    silent = np.zeros(len(rows), dtype=bool) if silent is None else np.array(silent)
    return smooth_trip(belief(cells, rows), times, levels, PRIOR, silent)


def test_forward_backward_is_the_sum_over_all_ways() -> None:
    generator = np.random.default_rng(0)
    likelihood, staying = generator.random((4, 3)), np.array([0.9, 0.2, 0.6])
    found, log_likelihood = forward_backward(likelihood, staying, PRIOR)
    expected = np.zeros((4, 3))
    for way in itertools.product(range(3), repeat=4):
        weight = PRIOR[way[0]] * likelihood[0, way[0]]
        for step, (one, other) in enumerate(itertools.pairwise(way)):
            weight *= staying[step] * (one == other) + (1 - staying[step]) * PRIOR[other]
            weight *= likelihood[step + 1, other]
        expected[range(4), way] += weight
    assert log_likelihood == pytest.approx(np.log(expected[0].sum()))
    assert found == pytest.approx(expected / expected.sum(axis=1, keepdims=True))


def test_photos_of_one_country_pull_one_that_is_unsure(cells, levels) -> None:
    trip = smoothed(cells, levels, [(0.05, 0.05, 0.9)] * 6 + [(0.45, 0.2, 0.35)] + [(0.05, 0.05, 0.9)] * 6)
    assert trip.belief.probabilities.argmax(axis=1).tolist() == [2] * 13
    assert trip.belief.probabilities[6, 2] > 0.9
    assert trip.belief.probabilities.sum(axis=1) == pytest.approx(np.ones(13))
    assert trip.staying > 0.7


def test_photos_that_say_nothing_stay_as_they_are(cells, levels) -> None:
    trip = smoothed(cells, levels, [tuple(PRIOR)] * 5)
    assert trip.belief.probabilities == pytest.approx(np.tile(PRIOR, (5, 1)))
    assert smoothed(cells, levels, [(0.1, 0.2, 0.7)]).belief.probabilities[0] == pytest.approx(
        [0.1, 0.2, 0.7]
    )


def test_photos_of_no_trip_are_left_alone(cells, levels) -> None:
    rows = [(0.98, 0.01, 0.01), (0.01, 0.98, 0.01), (0.01, 0.01, 0.98)] * 10
    trip = smoothed(cells, levels, rows)
    assert trip.staying < 0.01
    assert trip.belief.probabilities == pytest.approx(np.array(rows), abs=0.01)


def test_the_time_between_photos_counts(cells, levels) -> None:
    sure, unsure = (0.02, 0.02, 0.96), (0.45, 0.2, 0.35)
    rows = [sure] * 5 + [unsure] + [(0.02, 0.96, 0.02)] * 5
    near = smoothed(cells, levels, rows, [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104])
    far = smoothed(cells, levels, rows, [0, 1, 2, 3, 4, 99, 100, 101, 102, 103, 104])
    assert near.belief.probabilities[5].argmax() == 2
    assert far.belief.probabilities[5].argmax() == 1


def test_order_is_by_time_and_photos_keep_their_places(cells, levels) -> None:
    rows = [(0.02, 0.02, 0.96)] * 4 + [(0.02, 0.96, 0.02)] * 4 + [(0.4, 0.25, 0.35)]
    times = [0, 1, 2, 3, 10, 11, 12, 13, 2.5]
    order = np.argsort(times)
    found = smoothed(cells, levels, rows, times).belief.probabilities
    other = smoothed(cells, levels, [rows[row] for row in order], [times[row] for row in order])
    assert found[order] == pytest.approx(other.belief.probabilities)


@pytest.mark.parametrize("times", [[3.0] * 6, [0, 0, 0, 1, 1, 1]])
def test_photos_of_one_moment_are_no_trouble(cells, levels, times) -> None:
    trip = smoothed(cells, levels, [(0.98, 0.01, 0.01), (0.01, 0.01, 0.98)] * 3, times)
    assert np.isfinite(trip.belief.probabilities).all()


def test_blank_and_strange_photos_say_nothing_to_the_others(cells, levels) -> None:
    rows = [(0.02, 0.02, 0.96)] * 3 + [(0.4, 0.4, 0.2)]
    silent = [True, True, True, False]
    assert smoothed(cells, levels, rows, silent=silent).belief.probabilities[3] == pytest.approx(
        [0.4, 0.4, 0.2]
    )


def test_what_a_restriction_left_out_stays_so(cells, levels) -> None:
    left = np.array([0.6, 0.4, 0.0])
    trip = smooth_trip(
        belief(cells, [(0.9, 0.1, 0.0), (0.2, 0.8, 0.0)]),
        np.arange(2.0),
        levels,
        left,
        np.zeros(2, dtype=bool),
    )
    assert trip.belief.probabilities[:, 2].tolist() == [0, 0]
    assert trip.belief.probabilities.sum(axis=1) == pytest.approx([1, 1])
