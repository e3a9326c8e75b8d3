from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lostfound.collect.places import WORLD, make_plan
from lostfound.errors import CountryNameError, UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import haversine_km


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "roads"}, "no sampler 'roads'"),
        ({"sampler": "towns"}, "--places"),
        ({"sampler": "towns", "countries": ["FR"]}, "in each country"),
        ({"sampler": "land", "places": 5}, "--country"),
        ({"sampler": "around", "places": 5}, "--centre"),
        ({"sampler": "around", "centres": ["Zagreb"]}, "--places"),
        ({"sampler": "around", "centres": ["Nowheresville"], "places": 5}, "Nowheresville"),
        ({"sampler": "towns", "centres": ["Zagreb"], "places": 5}, "'around'"),
        ({"sampler": "towns", "places": 5, "size_classes": True, "countries": ["FR"]}, "not both"),
        ({"sampler": "towns", "size_classes": True}, "--country"),
        ({"sampler": "towns", "quotas": ["FR"]}, "FR=200"),
        ({"sampler": "towns", "quotas": ["FR=many"]}, "FR=200"),
        ({"sampler": "towns", "places": 5, "countries": ["AQ"]}, "no town is known"),
        ({"sampler": "around", "centres": ["95,10"], "places": 5}, "no coordinate"),
    ],
)
def test_options_that_name_nothing_are_refused(options: dict, message: str):
    with pytest.raises(UsageError, match=message):
        make_plan(**options)


def test_a_country_is_told_by_its_name():
    assert list(make_plan("towns", places=5, countries=["Germany", "HR"]).targets) == ["DE", "HR"]
    with pytest.raises(CountryNameError):
        make_plan("towns", places=5, countries=["Atlantis"])


@pytest.mark.parametrize("options", [{"countries": ["Germny"], "places": 5}, {"quotas": ["Germny=5"]}])
def test_a_misspelt_country_is_asked_about(options: dict):
    with pytest.raises(CountryNameError, match=r"The nearest names are DE \(Germany\)"):
        make_plan("towns", **options)


def test_quotas_of_single_countries_go_before_the_number_of_all():
    plan = make_plan("towns", places=5, countries=["DE", "HR"], quotas=["Croatia=9", "FR=3"])
    assert plan.targets == {"DE": 5, "HR": 9, "FR": 3}


def test_size_classes_are_those_of_euguess():
    assert make_plan("land", size_classes=True, countries=["LU", "FR"]).targets == {"LU": 123, "FR": 860}


def test_without_a_country_the_whole_world_is_drawn_from():
    plan = make_plan("towns", places=200)
    points, where = plan.draw(WORLD, 200)
    assert points.shape == (200, 2)
    assert len(set(where)) > 30


def test_land_lies_inside_the_country():
    points, _ = make_plan("land", places=50, countries=["CH"]).draw("CH", 50)
    assert set(Boundaries.packed().country_at(points)) == {"CH"}


def test_land_of_a_users_own_polygons(tmp_path: Path):
    square = '{"type":"Polygon","coordinates":[[[15,45],[16,45],[16,46],[15,46],[15,45]]]}'
    feature = f'{{"type":"Feature","properties":{{"code":"Here"}},"geometry":{square}}}'
    (tmp_path / "own.geojson").write_text(f'{{"type":"FeatureCollection","features":[{feature}]}}')
    plan = make_plan("land", places=9, countries=["Here"], boundaries=tmp_path / "own.geojson")
    points, _ = plan.draw("Here", 9)
    assert ((points >= [45, 15]) & (points <= [46, 16])).all()


@pytest.mark.parametrize(
    ("centre", "at"),
    [
        ("Zagreb", (45.81, 15.98)),
        ("45.0,16.0", (45.0, 16.0)),
        ("Paris", (48.85, 2.35)),
        ("Paris, US", (33.66, -95.56)),
    ],
)
def test_around_lies_around_the_centre(centre: str, at: tuple[float, float]):
    points, _ = make_plan("around", places=50, centres=[centre], radius_km=5).draw(centre, 50)
    assert haversine_km(points, at).max() < 8


def test_asking_for_more_keeps_the_first_ones():
    for sampler, area, more in (
        ("towns", "FR", {"countries": ["FR"]}),
        ("land", "FR", {"countries": ["FR"]}),
        ("around", "Zagreb", {"centres": ["Zagreb"]}),
    ):
        plan = make_plan(sampler, places=5, **more)
        np.testing.assert_array_equal(plan.draw(area, 10)[0], plan.draw(area, 100)[0][:10])
