"""Ways and circles: as they are on the sphere, and drawable on a flat map."""

import math
from itertools import pairwise

import pytest
import shapely
from circles import circle
from hypothesis import assume, given
from hypothesis import strategies as st

from lostfound.geo.sphere import haversine_km
from lostfound.pages.lines import great_circle

points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
radii = st.floats(0.01, 20_015)


class TestWays:
    @given(points, points)
    def test_great_circle_is_the_shortest_way_in_small_steps(self, start, end):
        way = great_circle(start, end)
        direct = float(haversine_km(start, end))
        assert way[0] == start
        assert way[-1][0] == end[0]
        assert math.remainder(way[-1][1] - end[1], 360) == pytest.approx(0, abs=1e-9)
        assert all(abs(a[1] - b[1]) <= 180 + 1e-9 for a, b in pairwise(way))
        steps = [float(haversine_km(a, b)) for a, b in pairwise(way)]
        assert sum(steps) == pytest.approx(direct, rel=1e-4, abs=1e-3)
        if direct < 20_000:
            assert max(steps) <= 300 * 1.001

    def test_great_circle_runs_on_past_the_date_line(self):
        way = great_circle((-17.8, 178.0), (-13.8, -171.8))
        assert [longitude for _, longitude in way] == sorted(longitude for _, longitude in way)
        assert way[-1] == pytest.approx((-13.8, 188.2))

    def test_antipodes_are_joined(self):
        assert great_circle((0.0, 10.0), (0.0, -170.0)) == [(0.0, 10.0), (0.0, -170.0)]


class TestCircles:
    @given(points, radii)
    def test_its_border_has_the_radius(self, centre, radius):
        border = [point for point in circle(centre, radius) if abs(point[0]) != 90]
        assert haversine_km(centre, border) == pytest.approx(radius, rel=1e-6, abs=1e-6)

    @given(points, radii)
    def test_it_lies_around_its_centre_with_no_leap(self, centre, radius):
        corners = circle(centre, radius)
        assert all(abs(longitude - centre[1]) <= 180 + 1e-9 for _, longitude in corners)
        border = [(a, b) for a, b in pairwise(corners) if 90 not in (abs(a[0]), abs(b[0]))]
        assert all(abs(a[1] - b[1]) <= 180 + 1e-9 for a, b in border)

    @given(points, st.floats(1, 19_000), points)
    def test_it_covers_what_is_within_the_radius_and_nothing_else(self, centre, radius, point):
        distance = float(haversine_km(centre, point))
        assume(abs(distance - radius) > 100)  # the border has corners
        longitude = centre[1] + math.remainder(point[1] - centre[1], 360)
        area = shapely.Polygon([(lon, lat) for lat, lon in circle(centre, radius)])
        assert area.covers(shapely.Point(longitude, point[0])) == (distance < radius)

    @pytest.mark.parametrize(
        ("centre", "radius", "ends"),
        [
            ((45.8, 16.0), 2300.0, []),
            ((-17.8, 178.0), 3000.0, []),
            ((80.0, 20.0), 5000.0, [(90.0, -160.0), (90.0, 200.0)]),
            ((-80.0, 20.0), 5000.0, [(-90.0, 200.0), (-90.0, -160.0)]),
            ((0.0, 0.0), 15_000.0, [(-90.0, 180.0), (-90.0, -180.0), (90.0, -180.0), (90.0, 180.0)]),
        ],
    )
    def test_over_a_pole_it_ends_with_the_map(self, centre, radius, ends):
        assert [point for point in circle(centre, radius) if abs(point[0]) == 90] == ends

    def test_past_the_date_line_it_runs_on(self):
        longitudes = [longitude for _, longitude in circle((-17.8, 178.0), 3000.0)]
        assert min(longitudes) < 160
        assert max(longitudes) > 195
