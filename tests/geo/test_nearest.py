import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from lostfound.geo.nearest import NearestSearch, Segments
from lostfound.geo.sphere import haversine_km, pairwise_km


def test_search_finds_the_nearest_across_the_date_line_and_at_the_poles():
    rng = np.random.default_rng(0)
    places = np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 300))), rng.uniform(-180, 180, 300)])
    points = np.column_stack([rng.uniform(-90, 90, 500), rng.uniform(-180, 180, 500)])
    points[:4] = [(90, 0), (-90, 50), (10, 180), (10, -179.999)]
    rows = NearestSearch(places).rows(points)
    assert haversine_km(points, places[rows]) == pytest.approx(pairwise_km(points, places).min(axis=1))


@settings(max_examples=60, deadline=None)
@given(st.floats(-90, 90), st.floats(-180, 180, exclude_max=True))
def test_nearest_border_is_the_nearest(latitude, longitude):
    """No point of any border is nearer than the one found."""
    borders = Segments.of(np.array([box(170, -20, 180, 10), box(-180, -20, -175, 10), box(-30, 60, 40, 85)]))
    point = np.array([[latitude, longitude]])
    place, owner = borders.nearest(point)
    corners = haversine_km(point, _dense(borders))
    assert haversine_km(point, place)[0] <= corners.min() + 0.005
    assert haversine_km(point, place)[0] >= corners.min() - 3  # half the way from one corner to the next
    assert owner[0] in (0, 1, 2)


def _dense(borders):
    middle = (borders.starts + borders.ends) / 2
    corners = np.concatenate([borders.starts, middle])
    latitude = np.degrees(np.arctan2(corners[:, 2], np.hypot(corners[:, 0], corners[:, 1])))
    return np.column_stack([latitude, np.degrees(np.arctan2(corners[:, 1], corners[:, 0]))])
