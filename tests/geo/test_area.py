"""Surfaces of polygons on the sphere."""

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from lostfound.geo.area import area_km2
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import EARTH_RADIUS_KM

EARTH_KM2 = 4 * math.pi * EARTH_RADIUS_KM**2
boxes = st.tuples(st.floats(-180, 180), st.floats(-90, 89), st.floats(0.01, 180), st.floats(0.01, 90)).map(
    lambda box: shapely.box(box[0], box[1], box[0] + box[2], min(90.0, box[1] + box[3]))
)


class TestArea:
    @given(boxes)
    def test_boxes_have_their_surface(self, box):
        west, south, east, north = map(math.radians, box.bounds)
        expected = (east - west) * (math.sin(north) - math.sin(south)) * EARTH_RADIUS_KM**2
        assert area_km2([box])[0] == pytest.approx(expected, rel=1e-9, abs=1e-6)

    def test_the_whole_map_is_the_whole_earth(self):
        assert area_km2([shapely.box(-180, -90, 180, 90)])[0] == pytest.approx(EARTH_KM2, rel=1e-12)

    def test_slanting_edges_are_exact(self):
        """Cutting the edges finer on the same map changes nothing."""
        triangle = shapely.Polygon([(0, 0), (80, 10), (30, 85)])
        fine = shapely.segmentize(triangle, 0.01)
        assert area_km2([triangle])[0] == pytest.approx(area_km2([fine])[0], rel=1e-9)

    def test_holes_parts_and_emptiness(self):
        hole = shapely.box(0, 0, 10, 10) - shapely.box(2, 2, 4, 4)
        whole, cut_out, far = (
            area_km2([shapely.box(*each)])[0] for each in [(0, 0, 10, 10), (2, 2, 4, 4), (50, 50, 60, 60)]
        )
        both = shapely.union_all([hole, shapely.box(50, 50, 60, 60)])
        assert area_km2([hole, both, shapely.Polygon()]) == pytest.approx(
            [whole - cut_out, whole - cut_out + far, 0.0]
        )

    def test_countries_have_the_known_sizes(self):
        """Within what a drawing at 1:50m can do; figures of the United Nations, thousands of km²."""
        known = {"FR": 543.9, "DE": 357.6, "RU": 17098, "FJ": 18.3, "US": 9526, "BR": 8515, "HR": 56.6}
        areas = area_km2([Boundaries.packed().geometry(code) for code in known]) / 1000
        assert areas == pytest.approx(list(known.values()), rel=0.05)
