"""Hierarchies of cells."""

import numpy as np
import pytest

from lostfound.errors import UsageError
from lostfound.geo.sampling import sample_near_towns
from lostfound.partitions import OUTSIDE, Hierarchy, build_partition, hierarchy


@pytest.fixture(scope="module")
def places():
    return sample_near_towns(1500, radius_km=20, seed=1).points


def test_probabilities_of_regions_sum_to_those_of_countries(places):
    regions = build_partition("regions", places)
    countries = hierarchy(regions)
    assert countries.ids == tuple(sorted({each for each in regions.countries if each}))
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(regions)), size=7)
    sums = countries.sum(probabilities)
    assert sums.shape == (7, len(countries.ids))
    own = np.array(regions.countries) == countries.ids[3]
    assert sums[:, 3] == pytest.approx(probabilities[:, own].sum(axis=1))
    assert sums.sum(axis=1) == pytest.approx(np.ones(7))
    assert countries.sum(probabilities[0]) == pytest.approx(sums[0])


def test_guessed_regions_are_judged_as_countries(places):
    regions = build_partition("regions", places)
    labels = hierarchy(regions, "country").labels(np.array([[0, OUTSIDE], [5, 1]]))
    assert labels.tolist() == [[regions.countries[0], None], [regions.countries[5], regions.countries[1]]]


def test_cells_without_a_unit_count_nowhere():
    up = Hierarchy(("A", "B"), np.array([1, OUTSIDE, 0, 1]))
    assert up.sum(np.array([0.1, 0.2, 0.3, 0.4])).tolist() == pytest.approx([0.3, 0.5])
    assert up.labels(np.array([0, 1, 2, OUTSIDE])).tolist() == ["B", None, "A", None]


@pytest.mark.parametrize(
    ("kind", "settings", "by", "says"),
    [
        ("square", {"cell_km": 500}, "parent", "no cell .* has a parent"),
        ("square", {"cell_km": 500}, 3, "has no levels"),
        ("s2", {}, "continent", "choose country, parent, or a level"),
    ],
)
def test_hierarchies_that_there_are_not(places, kind, settings, by, says):
    with pytest.raises(UsageError, match=says):
        hierarchy(build_partition(kind, places, **settings), by)
