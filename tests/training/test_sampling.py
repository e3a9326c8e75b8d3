"""What makes a sample, and in which order: views of places, pairs, and how often a class is drawn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lostfound.errors import RecipeError
from lostfound.training.sampling import EpochSampler, FixedOrderSampler, ViewsByPlace, training_draw
from lostfound.training.settings import Data

PLACES = np.array(["b", "a", "b", "c", "a", "b", "a", "c", "a"], dtype=object)  # a: 4, b: 3, c: 2 views


class Images:
    """Images of places."""

    def __init__(self, places: np.ndarray, sources: np.ndarray | None = None) -> None:
        self.places = places
        self.dataset = SimpleNamespace(records=pa.table({"source": sources}) if sources is not None else None)

    def __len__(self) -> int:
        return len(self.places)


def objective(
    places: np.ndarray,
    classes: np.ndarray | None = None,
    pairs: np.ndarray | None = None,
    sources: np.ndarray | None = None,
) -> Any:
    """As much of a task as the drawing asks for."""
    classes = np.zeros(len(places), np.int64) if classes is None else classes
    return SimpleNamespace(images=Images(places, sources), classes=classes, pairs=lambda _: pairs)


def drawn(
    views: int,
    power: float = 1.0,
    places: np.ndarray = PLACES,
    classes: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    draw, length, _ = training_draw(objective(places, classes), views, Data(sampling_power=power))
    rows = draw(np.random.default_rng(seed))
    assert len(rows) == length
    return rows


# --- places


@pytest.mark.parametrize(
    ("views", "kept", "too_few"), [(1, "abc", 0), (2, "abc", 0), (3, "ab", 1), (4, "a", 2)]
)
def test_places_with_views_enough_are_kept_and_the_others_counted(
    views: int, kept: str, too_few: int
) -> None:
    places = ViewsByPlace.of(PLACES, views)
    assert places.too_few == too_few
    for rows in (places.evenly_spread(views), places.drawn(views, np.random.default_rng(0))):
        assert rows.shape == (len(kept), views)
        assert ["".join(PLACES[row]) for row in rows] == [name * views for name in kept]
        assert all(len(set(row)) == views for row in rows.tolist())


def test_more_views_than_any_place_has_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"model\.views=5, but no place has more than 4 views: lower it"):
        ViewsByPlace.of(PLACES, 5)


def test_every_view_of_a_place_is_drawn_as_often() -> None:
    places, generator = ViewsByPlace.of(PLACES, 2), np.random.default_rng(0)
    counts = np.bincount(np.concatenate([places.drawn(2, generator)[0] for _ in range(2000)]), minlength=9)
    assert counts[PLACES == "a"] == pytest.approx([1000] * 4, rel=0.1)
    assert not counts[PLACES != "a"].any()


def test_the_first_views_are_spread_over_those_a_place_has() -> None:
    """Four headings, two views: opposite ones, not neighbours."""
    four = np.array(["x"] * 4, dtype=object)
    assert ViewsByPlace.of(four, 2).evenly_spread(2).tolist() == [[0, 2]]


# --- draws


def test_single_views_are_every_image_once_in_an_order_of_its_own() -> None:
    first, second = drawn(1, seed=0), drawn(1, seed=1)
    assert sorted(first[:, 0]) == sorted(second[:, 0]) == list(range(9))
    assert first.tolist() != second.tolist()


def test_views_of_places_are_every_place_once() -> None:
    rows = drawn(2)
    assert sorted(PLACES[rows[:, 0]]) == ["a", "b", "c"]
    assert (PLACES[rows[:, 0]] == PLACES[rows[:, 1]]).all()


@pytest.mark.parametrize(("power", "shares"), [(1.0, [0.9, 0.1]), (0.5, [0.75, 0.25]), (0.0, [0.5, 0.5])])
def test_a_class_is_drawn_as_its_size_to_the_power(power: float, shares: list[float]) -> None:
    """Of 9 to 1: as it is, 3 to 1, and evenly."""
    n = 20_000
    classes = (np.arange(n) >= 0.9 * n).astype(np.int64)
    rows = drawn(1, power, np.arange(n).astype(str).astype(object), classes)
    assert rows.shape == (n, 1)  # an epoch is as long as ever
    found = np.bincount(classes[rows[:, 0]]) / n
    assert found == pytest.approx(shares, abs=0.015)


@pytest.mark.parametrize(("power", "shares"), [(0.5, [0.75, 0.25]), (0.0, [0.5, 0.5])])
def test_a_collection_is_drawn_as_its_size_to_the_power(power: float, shares: list[float]) -> None:
    n = 20_000
    of_second = np.arange(n) >= 0.9 * n
    images = objective(np.arange(n).astype(str).astype(object), sources=np.where(of_second, "b", "a"))
    draw, _, _ = training_draw(images, 1, Data(source_power=power))
    rows = draw(np.random.default_rng(0))
    assert np.bincount(of_second[rows[:, 0]]) / n == pytest.approx(shares, abs=0.015)


def test_a_chance_by_class_and_one_by_collection_are_multiplied() -> None:
    """Classes of 3 to 1, and collections of 3 to 1 in each of them: all four are drawn as often."""
    n = 16_000
    classes, of_second = np.arange(n) % 4 == 0, np.arange(n) // 4 % 4 == 0
    places, sources = np.arange(n).astype(str).astype(object), np.where(of_second, "b", "a")
    images = objective(places, classes.astype(np.int64), sources=sources)
    draw, _, _ = training_draw(images, 1, Data(sampling_power=0, source_power=0))
    rows = draw(np.random.default_rng(0))[:, 0]
    quarters = np.bincount(2 * classes[rows] + of_second[rows]) / n
    assert quarters == pytest.approx([0.25] * 4, abs=0.015)


def test_places_are_drawn_by_their_class_too() -> None:
    n = 4000
    places = np.repeat(np.arange(n).astype(str).astype(object), 2)
    classes = (np.arange(2 * n) >= 1.8 * n).astype(np.int64)
    rows = drawn(2, 0.0, places, classes)
    assert rows.shape == (n, 2)
    assert (places[rows[:, 0]] == places[rows[:, 1]]).all()
    assert (classes[rows[:, 0]] == 1).mean() == pytest.approx(0.5, abs=0.03)


def test_pairs_are_the_tasks_own() -> None:
    pairs = np.array([[0, 3], [1, 3]])
    draw, _, too_few = training_draw(objective(PLACES, pairs=pairs), 1, Data())
    assert draw(np.random.default_rng(0)).tolist() == pairs.tolist()
    assert too_few == 0


# --- samplers


def in_turn(n: int, seed: int) -> EpochSampler:
    return EpochSampler(lambda generator: generator.permutation(n)[:, None], n, seed)


def keys(sampler: EpochSampler) -> list[tuple[int, int, list[int]]]:
    return [(epoch, position, rows.tolist()) for epoch, position, rows in sampler]


def test_every_epoch_has_its_own_order_and_numbers_its_samples() -> None:
    sampler = in_turn(20, seed=1)
    orders = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        found = keys(sampler)
        assert {each for each, _, _ in found} == {epoch}
        assert [position for _, position, _ in found] == list(range(20))
        orders.append([rows[0] for _, _, rows in found])
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(20))
    assert orders[0] != orders[1]


def test_the_order_comes_from_the_seed_and_the_epoch_alone() -> None:
    one, other = in_turn(20, seed=1), in_turn(20, seed=1)
    list(one)
    one.set_epoch(4)
    other.set_epoch(4)
    assert keys(one) == keys(other)
    assert keys(in_turn(20, seed=2)) != keys(in_turn(20, seed=1))


def test_in_order_is_the_same_at_each_pass() -> None:
    sampler = FixedOrderSampler(np.array([[4, 5], [0, 1]]))
    assert len(sampler) == 2
    for _ in range(2):
        assert [(epoch, at, rows.tolist()) for epoch, at, rows in sampler] == [(0, 0, [4, 5]), (0, 1, [0, 1])]
