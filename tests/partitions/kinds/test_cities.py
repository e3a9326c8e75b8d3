"""Cities: circles and boxes."""

import numpy as np
import pytest
import shapely

from lostfound.errors import UsageError
from lostfound.geo.sphere import destination, haversine_km
from lostfound.partitions import OUTSIDE, build_partition

EIFFEL, BIG_BEN, CENTRE = [48.8584, 2.2945], [51.5007, -0.1246], [40.4169, -3.7035]


def test_cities_by_name_by_centre_and_by_box():
    cities = [
        "Paris",
        {"name": "Westminster", "latitude": BIG_BEN[0], "longitude": BIG_BEN[1], "radius_km": 5},
        {"name": "Madrid", "box": [40.3, -3.9, 40.6, -3.5]},
    ]
    places = np.array([EIFFEL, BIG_BEN, CENTRE, [0.0, 0.0]])
    built = build_partition("cities", places, cities=cities, radius_km=10)
    assert built.cell_ids == ("Paris", "Westminster", "Madrid")
    assert built.assign(places).tolist() == [0, 1, 2, OUTSIDE]
    assert built.polygon(2).bounds == pytest.approx((-3.9, 40.3, -3.5, 40.6))


def test_the_edge_of_a_city_s_circle():
    centre = {"name": "x", "latitude": 60.0, "longitude": 179.9, "radius_km": 50}
    edge = destination([60.0, 179.9], np.arange(0, 360, 30.0), 50.0)
    inside, outside = (destination([60.0, 179.9], np.arange(0, 360, 30.0), km) for km in (49.999, 50.001))
    built = build_partition("cities", inside, cities=[centre])
    assert (built.assign(inside) == 0).all()
    assert (built.assign(outside) == OUTSIDE).all()
    ring = shapely.get_coordinates(built.polygon(0))[:, ::-1]
    on_circle = np.abs(ring[:, 1]) != 180
    assert haversine_km([60.0, 179.9], ring[on_circle]) == pytest.approx(
        np.full(on_circle.sum(), 50.0), rel=1e-6
    )
    assert len(edge) == 12


def test_where_circles_overlap_the_nearest_centre_that_holds_the_point_has_it():
    cities = [
        {"name": "wide", "latitude": 0, "longitude": 0, "radius_km": 500},
        {"name": "narrow", "latitude": 0, "longitude": 3, "radius_km": 50},
    ]
    places = np.array([[0.0, 0.0], [0.0, 2.8], [0.0, 2.0], [0.0, 3.4]])
    built = build_partition("cities", places[:2], cities=cities)
    # The third is nearer to the narrow one, out of whose circle it lies; the last is in the wide one alone.
    assert built.assign(places).tolist() == [0, 1, 0, 1 if haversine_km([0, 3.4], [0, 3]) < 50 else 0]


def test_a_dropped_city_keeps_its_places_out_of_its_neighbour():
    cities = [
        {"name": "wide", "latitude": 0, "longitude": 0, "radius_km": 500},
        {"name": "empty", "latitude": 0, "longitude": 3, "radius_km": 50},
    ]
    built = build_partition("cities", np.array([[0.0, 0.0]]), cities=cities)
    assert built.cell_ids == ("wide",)
    assert built.assign(np.array([[0.0, 3.1]])).tolist() == [OUTSIDE]


@pytest.mark.parametrize(
    ("cities", "says"),
    [
        (["Paris", "Paris"], "Paris is named twice"),
        (["Parsi"], "no city 'Parsi' is known"),
        ([], "at least 1 item"),
        ([{"name": "x", "latitude": 3}], "both latitude and longitude"),
        ([{"name": "x", "box": [1, 2, 0, 3]}], "south, west, north, east"),
        ([{"name": "x", "box": [0, 2, 1, 3], "radius_km": 3}], "a box or a circle"),
        ([{"name": "x", "latitude": 91, "longitude": 0}], "less than or equal to 90"),
        ([{"name": "x", "radius": 5}], "did you mean 'cities.0.radius_km'"),
    ],
)
def test_wrong_cities(cities, says):
    with pytest.raises(UsageError, match=says):
        build_partition("cities", np.array([EIFFEL]), cities=cities)
