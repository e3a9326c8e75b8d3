"""Others' rules: their Earth, their limits, their rounding."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest

from lostfound.errors import UsageError
from lostfound.evaluation.rules import RULES, rules_of

PAIRS = np.array(
    [[[48.86, 2.35], [52.52, 13.4]], [[0.0, 0.0], [0.5, 179.7]], [[-33.9, 151.2], [-33.9, 151.2]]]
)


@pytest.mark.parametrize(
    ("name", "radius"), [("osv5m", 6371.0), ("geoestimation", 6371.0), ("pigeon", 6378.137)]
)
def test_spheres_have_their_radius(name: str, radius: float) -> None:
    degree = RULES[name].distance_km(np.array([[0.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert degree == pytest.approx(np.pi * radius / 180)


def test_geodesics_are_those_of_the_ellipsoid() -> None:
    found = RULES["geoclip"].distance_km(PAIRS[:, 0], PAIRS[:, 1])
    there = pyproj.Geod(ellps="WGS84").inv(PAIRS[:, 0, 1], PAIRS[:, 0, 0], PAIRS[:, 1, 1], PAIRS[:, 1, 0])[2]
    assert found == pytest.approx(there / 1000, abs=1e-9)


def test_a_limit_is_within_itself_or_not() -> None:
    limit = np.array([25.0])
    assert {name: bool(rules.within(limit, 25)[0]) for name, rules in RULES.items()} == {
        **{"ours": True, "osv5m": False, "geoestimation": True, "geoclip": True, "pigeon": False}
    }


def test_only_one_rounds_its_points() -> None:
    far = np.array([1000.0])
    whole = {name: float(rules.points(far)[0]).is_integer() for name, rules in RULES.items()}
    assert [name for name, each in whole.items() if each] == ["pigeon"]


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(UsageError, match="no rules 'theirs': choose of ours, osv5m"):
        rules_of("theirs")
