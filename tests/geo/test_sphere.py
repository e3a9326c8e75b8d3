import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lostfound.geo.sphere import (
    EARTH_RADIUS_KM,
    chord,
    destination,
    from_unit_vectors,
    haversine_km,
    is_coordinate,
    location_problem,
    offsets_km,
    pairwise_km,
    unit_vectors,
    wrap_longitude,
)

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180, exclude_max=True)
points = st.tuples(latitudes, longitudes).map(np.array)
HALF_WAY_ROUND = np.pi * EARTH_RADIUS_KM
# A millimetre: double precision of degrees is far finer, but arcsin loses half the digits near antipodes.
CLOSE = 1e-3


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((48.8566, 2.3522), (51.5074, -0.1278), 343.556),  # Paris to London
        ((0, 0), (0, 1), EARTH_RADIUS_KM * np.pi / 180),
        ((0, 179.5), (0, -179.5), EARTH_RADIUS_KM * np.pi / 180),
        ((90, 0), (90, 123), 0),
        ((90, 0), (-90, 77), HALF_WAY_ROUND),
        ((0, 0), (0, -180), HALF_WAY_ROUND),
        ((12.3, 45.6), (-12.3, -134.4), HALF_WAY_ROUND),
    ],
)
def test_distance_is_known(a, b, km):
    assert haversine_km(a, b) == pytest.approx(km, abs=0.01)


def test_distance_broadcasts():
    many = np.zeros((5, 1, 2))
    assert haversine_km(many, np.ones((3, 2))).shape == (5, 3)
    assert haversine_km((0, 0), (0, 0)).shape == ()


def test_distance_of_unknown_is_nan():
    assert np.isnan(haversine_km((np.nan, 0), (0, 0)))


@pytest.mark.parametrize("function", [haversine_km, lambda a, b: unit_vectors(a), offsets_km])
def test_points_need_two_coordinates(function):
    with pytest.raises(ValueError, match="latitude, longitude"):
        function(np.zeros((4, 3)), None)


@given(points, points)
def test_distance_is_symmetric_and_bounded(a, b):
    assert haversine_km(a, b) == pytest.approx(haversine_km(b, a), abs=1e-9)
    assert 0 <= haversine_km(a, b) <= HALF_WAY_ROUND + 1e-9


@given(points, points, points)
def test_no_detour_is_shorter(a, b, c):
    assert haversine_km(a, c) <= haversine_km(a, b) + haversine_km(b, c) + CLOSE


@given(points)
def test_antipodes_are_half_way_round(point):
    antipode = np.array([-point[0], point[1] + 180])
    assert haversine_km(point, antipode) == pytest.approx(HALF_WAY_ROUND, abs=CLOSE)


@given(points)
def test_vectors_and_back(point):
    vector = unit_vectors(point)
    back = from_unit_vectors(vector)
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert haversine_km(point, back) < 1e-6
    assert is_coordinate(*back)


@given(points, st.floats(-720, 720), st.floats(0, 20000))
def test_destination_is_as_far_as_asked(start, bearing, distance):
    end = destination(start, bearing, distance)
    assert haversine_km(start, end) == pytest.approx(distance, abs=CLOSE)
    assert is_coordinate(*end)


@pytest.mark.parametrize(
    ("start", "bearing", "end"),
    [
        ((0, 0), 0, (1, 0)),
        ((0, 0), 90, (0, 1)),
        ((0, 179.5), 90, (0, -179.5)),
        ((89.5, 0), 0, (89.5, -180)),
        ((0, 0), 180, (-1, 0)),
        ((90, 30), 180, (89, 30)),
    ],
)
def test_destination_goes_where_the_bearing_points(start, bearing, end):
    found = destination(start, bearing, EARTH_RADIUS_KM * np.pi / 180)
    assert haversine_km(found, end) < 1e-6


def test_destination_broadcasts():
    assert destination((10, 20), np.arange(4) * 90, 5).shape == (4, 2)


@given(st.floats(-1e6, 1e6))
def test_wrapped_longitude_is_in_range(longitude):
    wrapped = float(wrap_longitude(longitude))
    assert -180 <= wrapped < 180
    assert np.cos(np.radians(wrapped)) == pytest.approx(np.cos(np.radians(longitude)), abs=1e-6)


@given(longitudes)
def test_longitude_in_range_is_kept(longitude):
    assert wrap_longitude(longitude) == longitude


@pytest.mark.parametrize(
    ("longitude", "wrapped"), [(180, -180), (540, -180), (-180, -180), (190, -170), (-180 - 1e-14, -180)]
)
def test_wrapped_edges(longitude, wrapped):
    assert wrap_longitude(longitude) == pytest.approx(wrapped)
    assert wrap_longitude(longitude) < 180


@pytest.mark.parametrize(
    ("latitude", "longitude", "valid"),
    [
        (0, 0, True),
        (90, -180, True),
        (-90, 179.999, True),
        (90.001, 0, False),
        (0, 180, False),
        (0, -180.1, False),
        (np.nan, 0, False),
        (0, np.inf, False),
    ],
)
def test_what_is_a_coordinate(latitude, longitude, valid):
    assert is_coordinate(latitude, longitude) == valid


def test_coordinates_are_checked_as_arrays():
    assert is_coordinate([0, 91], [[0], [200]]).tolist() == [[True, False], [False, False]]


def test_all_pairs_are_measured():
    a, b = np.array([(0.0, 0.0), (48.85, 2.35)]), np.array([(0.0, 90.0), (51.5, -0.1), (-48.85, -177.65)])
    assert pairwise_km(a, b).shape == (2, 3)
    assert np.array_equal(pairwise_km(a, b), haversine_km(a[:, None], b[None]))
    assert np.array_equal(pairwise_km(a, b), pairwise_km(b, a).T)
    with pytest.raises(ValueError, match="shape"):
        pairwise_km((0, 0), b)


@given(st.floats(0, HALF_WAY_ROUND))
def test_chord_spans_its_arc(distance):
    ends = unit_vectors([(0, 0), destination((0, 0), 90, distance)])
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(chord(distance), abs=1e-9)


def geodesic_km(a, b):
    """The distance by PROJ's geodesics, on a sphere of our radius."""
    geod = pytest.importorskip("pyproj").Geod(a=EARTH_RADIUS_KM * 1000, b=EARTH_RADIUS_KM * 1000)
    return np.array(geod.inv(a[..., 1], a[..., 0], b[..., 1], b[..., 0])[2]) / 1000


@given(points, points)
def test_distance_agrees_with_proj(a, b):
    # A nanometre, for points that are one to double precision.
    assert haversine_km(a, b) == pytest.approx(geodesic_km(a, b), rel=1e-9, abs=1e-12)


@given(points, st.floats(0, 360), st.floats(-9, 4))
def test_near_and_nearly_opposite_points_agree_with_proj(start, bearing, power):
    """Where formulas lose their digits: from a micrometre, and as much short of half way round."""
    for end in (
        destination(start, bearing, 10**power),
        destination(start, bearing, HALF_WAY_ROUND - 10**power),
    ):
        assert haversine_km(start, end) == pytest.approx(geodesic_km(start, end), rel=1e-9, abs=1e-10)


@given(points, st.floats(0, 360), st.floats(0.001, 20000))
def test_destination_agrees_with_proj(start, bearing, distance):
    geod = pytest.importorskip("pyproj").Geod(a=EARTH_RADIUS_KM * 1000, b=EARTH_RADIUS_KM * 1000)
    assume(abs(start[0]) < 89.999)
    longitude, latitude, _ = geod.fwd(start[1], start[0], bearing, distance * 1000)
    assert haversine_km(destination(start, bearing, distance), (latitude, longitude)) < 1e-9 * 6371


def moved(start, offset):
    """The point so many kilometres to the north and east."""
    north, east = offset[..., 0], offset[..., 1]
    return destination(start, np.degrees(np.arctan2(east, north)), np.hypot(north, east))


@given(points, points)
def test_an_offset_leads_to_its_point(start, end):
    assert haversine_km(moved(start, offsets_km(start, end)), end) < CLOSE


@given(points, points)
def test_an_offset_is_as_long_as_the_distance(start, end):
    assert np.hypot(*offsets_km(start, end)) == pytest.approx(haversine_km(start, end), abs=CLOSE)


@given(points, st.floats(0, 360), st.floats(0.001, 19000))
def test_an_offset_undoes_a_destination(start, bearing, km):
    assume(abs(start[0]) < 89.999)  # at a pole any direction is north
    north, east = offsets_km(start, destination(start, bearing, km))
    expected = km * np.cos(np.radians(bearing)), km * np.sin(np.radians(bearing))
    assert (north, east) == pytest.approx(expected, abs=1e-4)


def test_no_offset_at_all():
    assert offsets_km((48.8, 2.3), (48.8, 2.3)).tolist() == [0.0, 0.0]


def test_offsets_over_the_date_line_are_short_and_lists_go_together():
    found = offsets_km([[0.0, 179.5], [0.0, 0.0]], [[0.0, -179.5], [1.0, 0.0]])
    degree = EARTH_RADIUS_KM * np.pi / 180
    assert found == pytest.approx(np.array([[0, degree], [degree, 0]]), abs=1e-6)


@pytest.mark.parametrize(
    ("latitude", "longitude", "problem"),
    [
        (48.8, 2.3, None),
        (0.0, 36.8, None),  # the equator is a place
        (51.5, 0.0, None),  # so is the meridian
        (-90.0, 0.0, None),
        (10.0, 180.0, None),
        (None, None, "no location: no coordinates"),
        (48.8, None, "no location: only half of the coordinates"),
        (None, 2.3, "no location: only half of the coordinates"),
        (math.nan, 2.3, "no location: coordinates are not a number"),
        (0.0, 0.0, "no location: both coordinates are zero"),
        (90.5, 2.3, "no location: coordinates out of range (90.5, 2.3)"),
        (48.8, -180.5, "no location: coordinates out of range (48.8, -180.5)"),
        (0.00001, -0.00002, "no location: both coordinates are zero"),  # rounding noise
        (0.0, 0.001, None),
        (math.inf, 0.0, "no location: coordinates out of range (inf, 0.0)"),
    ],
)
def test_why_coordinates_are_no_location(latitude, longitude, problem):
    assert location_problem(latitude, longitude) == problem
