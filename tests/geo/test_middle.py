import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lostfound.geo.middle import bounding_circle, spherical_median
from lostfound.geo.sphere import EARTH_RADIUS_KM, destination, haversine_km

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180, exclude_max=True)
centres = st.tuples(latitudes, longitudes).map(np.array)
offsets = st.lists(st.tuples(st.floats(0, 360), st.floats(0, 4000)), min_size=1, max_size=12)


def around(centre, offset):
    return destination(centre, *np.array(offset).T)


def cost(place, points):
    return haversine_km(points, place).sum()


@given(centres, offsets)
# A flat valley, that begins at a point which nearly holds its place.
@example(np.zeros(2), [(0.0, 0.0)] * 5 + [(0.0, 12.0)] * 5 + [(3.0, 34.0), (7.0, 1.0)])
def test_no_place_near_the_median_is_better(centre, offset):
    points = around(centre, offset)
    median = spherical_median(points)
    others = [destination(median, bearing, km) for bearing in range(0, 360, 45) for km in (0.1, 10, 300)]
    assert cost(median, points) <= min(cost(other, points) for other in others) + 1e-3 * len(points)
    assert cost(median, points) <= min(cost(point, points) for point in points) + 1e-6


@pytest.mark.parametrize(
    ("points", "median"),
    [
        ([(10, 20)], (10, 20)),
        ([(10, 20), (10, 20), (40, 90)], (10, 20)),
        ([(0, 178), (0, 179), (0, -170)], (0, 179)),
        ([(80, 0), (80, 90), (80, 180), (80, -90)], (90, 0)),
        ([(1, 0), (-1, 0), (0, 1), (0, -1), (0, 0)], (0, 0)),
    ],
)
def test_median_is_known(points, median):
    assert haversine_km(spherical_median(points), median) < 0.01


def test_median_stays_with_the_many():
    """One point in Sydney moves the mean of ten in Paris by far, the median by nothing."""
    points = [(48.85, 2.35)] * 10 + [(-33.87, 151.21)]
    assert haversine_km(spherical_median(points), (48.85, 2.35)) < 0.001


def test_median_follows_the_weights():
    assert spherical_median([(0, 0), (0, 50)], [1, 3]) == pytest.approx((0, 50))


def test_median_of_antipodes_is_one_of_the_many():
    assert cost(spherical_median([(90, 0), (-90, 0)]), np.array([(90, 0), (-90, 0)])) == pytest.approx(
        np.pi * EARTH_RADIUS_KM
    )


@given(centres, offsets)
def test_circle_holds_all_and_none_is_smaller(centre, offset):
    points = around(centre, offset)
    middle, radius = bounding_circle(points)
    assert (haversine_km(points, middle) <= radius + 1e-9).all()
    # Any circle that holds all is as large as one through two of them, and from nowhere nearby is it smaller.
    assert radius >= haversine_km(points[:, None], points[None]).max() / 2 - 1e-3
    assert radius <= haversine_km(points, centre).max() + 1e-3
    for bearing in range(0, 360, 30):
        for km in (0.5, 50):
            shifted = destination(middle, bearing, km)
            assert haversine_km(points, shifted).max() >= radius - 1e-3


@pytest.mark.parametrize(
    ("points", "centre", "radius_deg"),
    [
        ([(10, 20)], (10, 20), 0),
        ([(10, 20), (10, 20)], (10, 20), 0),
        ([(0, 179), (0, -179)], (0, 180), 1),
        ([(80, 0), (80, 120), (80, -120)], (90, 0), 10),
        ([(80, 0), (80, 180), (85, 90), (88, 10)], (90, 0), 10),
        ([(0, 0), (0, 1), (0, 2), (0, 0.5)], (0, 1), 1),
        ([(0, 0), (0, 90), (90, 0)], (np.degrees(np.arctan(np.sqrt(0.5))), 45), 54.7356103),
    ],
)
def test_circle_is_known(points, centre, radius_deg):
    middle, radius = bounding_circle(points)
    assert haversine_km(middle, centre) < 1e-3
    assert radius == pytest.approx(np.radians(radius_deg) * EARTH_RADIUS_KM, abs=1e-3)


@pytest.mark.parametrize("km", [1e-5, 1e-3, 1.0])
def test_circle_of_a_street_is_as_exact(km):
    centre = np.array([51.5, -0.12])
    points = destination(centre, np.arange(0, 360, 30), km)
    middle, radius = bounding_circle(points)
    assert radius == pytest.approx(km, rel=1e-3, abs=1e-8)
    assert haversine_km(middle, centre) < 0.05 * km + 1e-8


def test_many_points_take_few_turns():
    rng = np.random.default_rng(0)
    points = destination(np.array([-17, 179]), rng.uniform(0, 360, 200_000), rng.uniform(0, 500, 200_000))
    _, radius = bounding_circle(points)
    assert radius == pytest.approx(500, abs=0.5)


@pytest.mark.parametrize(
    "points", [[(0, 0), (0, 180)], [(0, 0), (0, 120), (0, -120)], [(90, 0), (-90, 0), (0, 0), (0, 180)]]
)
def test_no_circle_is_smaller_than_half_the_globe(points):
    with pytest.raises(ValueError, match="half the globe"):
        bounding_circle(points)


@pytest.mark.parametrize("function", [spherical_median, bounding_circle])
@pytest.mark.parametrize("points", [np.empty((0, 2)), [(0, np.nan)], (1.0, 2.0)])
def test_wrong_points_are_refused(function, points):
    with pytest.raises(ValueError, match="points"):
        function(points)
