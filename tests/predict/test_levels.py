"""From coarse to fine: areas are as probable as their cells together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lostfound.partitions import build_partition
from lostfound.predict.belief import Belief
from lostfound.predict.levels import Levels, Members
from lostfound.predict.support import Support

CITIES = [(48.86, 2.35), (45.76, 4.84), (52.52, 13.4), (35.68, 139.7)]


def belief(cells, shares: list[float]) -> Belief:
    return Belief(np.array(["a"], dtype=object), cells, np.array([shares]))


def test_countries_and_continents_are_sums_of_cells() -> None:
    cells = build_partition("square", CITIES, cell_km=50)
    shares = [0.4 if code == "JP" else 0.3 if code == "DE" else 0.15 for code in cells.countries]
    levels = Levels.of(cells, None)
    (found,) = levels.ranked(belief(cells, shares), 5)
    assert [(each.area_id, round(each.probability, 6)) for each in found["countries"]] == [
        ("JP", 0.4),
        ("DE", 0.3),
        ("FR", 0.3),
    ]
    assert [(each.name, round(each.probability, 6)) for each in found["continents"]] == [
        ("Europe", 0.6),
        ("Asia", 0.4),
    ]
    assert levels.best_countries(belief(cells, shares)).tolist() == ["JP"]
    assert set(found) == {"continents", "countries"}


def test_two_cells_of_a_country_outdo_the_best_cell() -> None:
    cells = build_partition("square", CITIES, cell_km=50)
    shares = np.array([0.3 if code == "FR" else 0.4 if code == "JP" else 0.0 for code in cells.countries])
    assert Levels.of(cells, None).best_countries(belief(cells, shares.tolist())).tolist() == ["FR"]


@pytest.mark.parametrize(("kind", "level"), [("regions", "regions"), ("cities", "cities")])
def test_regions_and_cities_carry_names(kind: str, level: str) -> None:
    options = {"cities": ["Paris", "Lyon", "Berlin", "Tokyo"]} if kind == "cities" else {}
    cells = build_partition(kind, CITIES, **options)
    (found,) = Levels.of(cells, None).ranked(belief(cells, [1 / len(cells)] * len(cells)), 10)
    assert {each.name for each in found[level]} == set(cells.names)
    assert sum(each.probability for each in found["continents"]) == pytest.approx(1)


def test_a_country_is_as_probable_as_its_cell() -> None:
    cells = build_partition("countries", CITIES)
    (found,) = Levels.of(cells, None).ranked(belief(cells, [0.2, 0.3, 0.5]), 2)
    assert [each.area_id for each in found["countries"]] == ["JP", "FR"]


def test_small_cells_lie_in_regions_and_cities_large_ones_do_not() -> None:
    places = [(48.86, 2.35), (45.76, 4.84), (52.52, 13.4)]
    small = build_partition("square", places, cell_km=20)
    levels = Levels.of(small, Support.of(small, np.repeat(np.array(places), 5, axis=0)))
    assert {"Paris", "Lyon"} <= set(levels.names["cities"])
    assert len(levels.ids["regions"]) >= 3
    large = build_partition("square", places, cell_km=2000)
    assert set(Levels.of(large, Support.of(large)).ids) == {"continents", "countries"}
    assert set(Levels.of(small, None).ids) == {"continents", "countries"}  # where photos are is not known


@given(st.data())
def test_areas_sum_as_a_sparse_matrix_does_to_the_last_bit(data: st.DataObject) -> None:
    cells, areas, points = 6, 4, data.draw(st.integers(1, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    cell, area = np.sort(rng.integers(0, cells, points)), rng.integers(0, areas, points)
    weights, probabilities = rng.random(points), rng.random((3, cells))
    members = Members.of(cell, area, weights, (cells, areas))
    sparse = csr_array((members.weights, (members.cells, members.areas)), shape=(cells, areas))
    assert np.array_equal(members.sums(probabilities), probabilities @ sparse)
    assert np.array_equal(members.shares(), sparse.toarray())
    assert np.array_equal(members.largest(), sparse.max(axis=1).toarray())
