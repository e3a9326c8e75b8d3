from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.evaluation.bootstrap import Samples, bootstrap
from lostfound.evaluation.comparison import difference, estimate, holm

STATISTICS = ("mean", "median", "balanced")


def scores(values, places=None, statistic="mean", classes=None) -> Samples:
    values = np.asarray(values, dtype=float)
    places = range(len(values)) if places is None else places
    names = np.array([f"p{place}" for place in places], dtype=object)
    return Samples(names, values, statistic, None if classes is None else np.array(classes, dtype=object))


def several(seed: int, statistic: str, count: int = 3, places: int = 30) -> list[Samples]:
    """Models of one kind on two images of each place."""
    draw = np.random.default_rng(seed)
    place = np.repeat(np.arange(places), 2)
    classes = [f"c{each % 4}" for each in place]
    return [scores(draw.random(2 * places), place, statistic, classes) for _ in range(count)]


class TestEstimate:
    @pytest.mark.parametrize(
        ("statistic", "value"),
        [("mean", 8 / 5), ("median", 1.0), ("balanced", (6 / 3 + 2 / 2) / 2)],
    )
    def test_is_the_statistic_itself(self, statistic, value):
        one = scores([1, 0, 0, 5, 2], [0, 0, 1, 2, 3], statistic, ["b", "a", "b", "b", "a"])
        assert estimate([one]).value == pytest.approx(value)

    def test_is_the_mean_over_the_seeds(self):
        found = estimate([scores([1, 1, 0, 0]), scores([1, 1, 1, 1]), scores([1, 1, 1, 0])])
        assert found.by_seed == [0.5, 1.0, 0.75]
        assert found.value == pytest.approx(0.75)
        assert found.spread == pytest.approx(0.25)
        assert (found.n, found.places) == (4, 4)

    def test_one_seed_has_no_spread(self):
        assert estimate([scores([1, 0])]).spread is None

    @pytest.mark.parametrize("statistic", ["mean", "median"])
    def test_has_the_interval_of_an_evaluation(self, statistic):
        draw = np.random.default_rng(5)
        place = np.repeat(np.arange(200), 3)
        values = draw.exponential(100, 600)
        found = estimate([scores(values, place, statistic)])
        other = bootstrap(scores(values, place, statistic))
        assert found.value == pytest.approx(other.value)
        width = other.high - other.low
        assert found.low == pytest.approx(other.low, abs=0.15 * width)
        assert found.high == pytest.approx(other.high, abs=0.15 * width)

    def test_images_of_one_place_are_no_more_evidence_than_one(self):
        draw = np.random.default_rng(3)
        values = draw.integers(0, 2, 100)
        once = estimate([scores(values)])
        often = estimate([scores(np.repeat(values, 10), np.repeat(np.arange(100), 10))])
        assert often.high - often.low == pytest.approx(once.high - once.low)

    def test_seeds_without_a_place_in_common(self):
        assert estimate([scores([1], [0]), scores([1], [1])]) is None


class TestDifference:
    @given(seed=st.integers(0, 1000), statistic=st.sampled_from(STATISTICS))
    @settings(max_examples=15, deadline=None)
    def test_is_symmetric(self, seed, statistic):
        one, other = several(seed, statistic), several(seed + 1, statistic)
        there, back = difference(one, other), difference(other, one)
        assert back.value == pytest.approx(-there.value)
        assert (back.low, back.high) == (pytest.approx(-there.high), pytest.approx(-there.low))
        assert back.p == there.p

    @given(seed=st.integers(0, 1000), statistic=st.sampled_from(STATISTICS))
    @settings(max_examples=15, deadline=None)
    def test_nothing_differs_from_itself(self, seed, statistic):
        runs = several(seed, statistic)
        same = difference(runs, runs[::-1])
        assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)

    @given(seed=st.integers(0, 1000), shift=st.floats(0.01, 50), statistic=st.sampled_from(STATISTICS))
    @settings(max_examples=15, deadline=None)
    def test_what_is_better_everywhere_by_as_much_is_certain(self, seed, shift, statistic):
        runs = several(seed, statistic)
        better = [Samples(run.places, run.values + shift, statistic, run.classes) for run in runs]
        found = difference(better, runs)
        assert found.value == pytest.approx(shift)
        assert (found.low, found.high) == (pytest.approx(shift), pytest.approx(shift))
        assert found.p < 0.001

    def test_pairing_finds_what_two_intervals_would_not(self):
        draw = np.random.default_rng(0)
        hard = draw.exponential(1000, 200)
        one, other = scores(hard), scores(hard - 20 + draw.normal(0, 30, 200))
        apart = difference([other], [one])
        assert apart.high < 0
        assert apart.p < 0.01
        assert estimate([other]).high > estimate([one]).low

    def test_only_places_that_both_have_count(self):
        found = difference([scores([1, 1, 0], [0, 1, 2])], [scores([0, 1, 0, 0, 0], [1, 2, 7, 8, 9])])
        assert found.places == 2
        assert found.value == pytest.approx(0.5 - 0.5)

    def test_an_image_each_against_a_place_each(self):
        images = scores([1, 0, 1, 1], [0, 0, 1, 1])
        places = scores([1, 1], [0, 1])
        assert difference([places], [images]).value == pytest.approx(0.25)

    def test_other_numbers_of_seeds(self):
        assert difference([scores([1, 0])], [scores([0, 0]), scores([0, 0])]).value == pytest.approx(0.5)

    def test_no_place_in_common(self):
        assert difference([scores([1], [0])], [scores([1], [1])]) is None

    @pytest.mark.slow
    def test_intervals_cover_and_p_is_honest_on_simulated_studies(self):
        """Places of unequal difficulty, three seeds, no true difference: 5 % of the studies err."""
        covered, false_alarms, studies = 0, 0, 300
        for number in range(studies):
            draw = np.random.default_rng(number)
            chance = np.repeat(draw.beta(0.5, 0.5, 80), 2)
            place = np.repeat(np.arange(80), 2)
            runs = [scores(draw.random(160) < chance, place) for _ in range(4)]
            found = difference(runs[:2], runs[2:])
            covered += found.low <= 0 <= found.high
            false_alarms += found.p < 0.05
        assert 0.91 <= covered / studies <= 0.985
        assert 0.015 <= false_alarms / studies <= 0.09


class TestHolm:
    @pytest.mark.parametrize(
        ("p", "adjusted"),
        [
            ([], []),
            ([0.04], [0.04]),
            ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
            ([0.9, 0.6, 0.001], [1.0, 1.0, 0.003]),
        ],
    )
    def test_known_families(self, p, adjusted):
        assert holm(p) == pytest.approx(adjusted)

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
    def test_never_smaller_and_in_the_same_order(self, p):
        adjusted = holm(p)
        assert all(p[i] <= adjusted[i] <= 1 for i in range(len(p)))
        assert all(adjusted[i] <= adjusted[j] for i in range(len(p)) for j in range(len(p)) if p[i] < p[j])
