import numpy as np
import pytest
from shapely.geometry import box

from lostfound.errors import DatasetError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.cities import city_table
from lostfound.geo.points import check_points
from lostfound.geo.sphere import as_points

CITIES = np.array(
    [(48.86, 2.35), (59.91, 10.75), (41.88, -87.63), (35.68, 139.69), (-33.87, 151.21), (-1.29, 36.82)]
)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(0, 0), (90.5, 10)], "row 1 .*latitude 90.5 lies outside"),
        ([(0, 0), (0, 0), (10, 400)], "row 2 .*longitude 400.0 lies outside"),
        ([(0, -180.5)], "longitude -180.5"),
        ([(np.nan, 3)], "row 0 .*latitude nan.*missing"),
        ([(3, np.nan)], "longitude nan.*missing"),
        ([(np.inf, 3)], "latitude inf"),
        ([(91, 0), (92, 0), (0, 0), (93, 0)], "row 0 .*2 more rows"),
        ([(1, 2, 3)], r"shape \(n, 2\)"),
        ((1, 2), r"shape \(n, 2\)"),
    ],
)
def test_what_is_no_coordinate_is_told(points, message):
    with pytest.raises(ValueError, match=message):
        as_points(points)
    with pytest.raises(DatasetError, match=f"photos.csv: .*{message}"):
        check_points(points, "photos.csv")


def test_edges_are_coordinates():
    edges = [[90, 180], [-90, -180], [0, 0]]
    assert as_points(edges).tolist() == edges
    assert as_points(np.empty((0, 2))).shape == (0, 2)
    assert check_points(np.empty((0, 2)), "photos.csv").shape == (0, 2)


def test_unknown_places_may_pass():
    points = [(np.nan, np.nan), (np.nan, 5), (48.86, 2.35)]
    assert np.isnan(as_points(points, unknown=True)).sum() == 3
    assert len(check_points(points, "photos.csv", unknown=True)) == 3
    with pytest.raises(ValueError, match="row 0"):
        as_points(points)
    with pytest.raises(ValueError, match=r"row 1 .*longitude 400"):
        as_points([(np.nan, 5), (np.nan, 400)], unknown=True)


def test_right_columns_pass():
    assert np.array_equal(check_points(CITIES, "photos.csv"), CITIES)


def test_swapped_columns_that_can_not_be_coordinates_are_named():
    with pytest.raises(DatasetError, match=r"latitude 139.69 .* are latitude and longitude swapped"):
        check_points(CITIES[:, ::-1], "photos.csv")


def test_swapped_columns_that_lie_in_the_sea_are_named():
    """Western Europe, swapped, is off Somalia and Kenya: every value is a latitude."""
    europe = np.array(
        [(48.86, 2.35), (51.51, -0.13), (59.91, 10.75), (52.52, 13.4), (43.3, 5.37), (55.68, 12.57)]
    )
    check_points(europe, "photos.csv")
    with pytest.raises(
        DatasetError, match=r"photos.csv: .*seem to be swapped: .*% of the points lie in the open sea"
    ):
        check_points(europe[:, ::-1], "photos.csv")


def test_photos_at_sea_are_no_error():
    """In the sea either way: a ship's, not swapped."""
    check_points([(0, -30), (5, -25), (-10, -15)], "photos.csv")


def test_a_few_points_at_sea_are_no_error():
    check_points(np.concatenate([CITIES, [(0, -30), (2, 50)]]), "photos.csv")


def test_land_can_be_others():
    land = Boundaries(["A"], [box(0, 40, 10, 50)])
    inside = [(44.0, 4.0), (45.0, 5.0), (46.0, 6.0)]
    check_points(inside, "photos.csv", boundaries=land)
    with pytest.raises(DatasetError, match="swapped"):
        check_points(np.array(inside)[:, ::-1], "photos.csv", boundaries=land)


def test_many_points_are_sampled_from_the_whole():
    points = np.repeat(CITIES[:2], 20_000, axis=0)
    assert len(check_points(points, "photos.csv")) == len(points)


def around(points, step=0.3):
    """Points in some cells around each of others."""
    offsets = [(a * step, b * step) for a in range(-1, 2) for b in range(-1, 2)]
    return np.array([(a + c, b + d) for a, b in points for c, d in offsets])


BAVARIA = around([(48.2, 11.4)])  # exchanged, it is the north of Somalia: land


def test_exchanged_points_on_land_are_told_by_the_distance_to_towns():
    check_points(BAVARIA, "photos.csv")
    with pytest.raises(DatasetError, match=r"swapped: the nearest town is \d+ km .* column 'country'"):
        check_points(BAVARIA[:, ::-1], "photos.csv")
    check_points(BAVARIA[:, ::-1], "photos.csv", towns=False)


def test_the_countries_that_are_stated_go_before_it():
    somalia = BAVARIA[:, ::-1]
    check_points(somalia, "photos.csv", countries=["SO"] * len(somalia))
    with pytest.raises(DatasetError, match=r"9 of the points lie in the stated country"):
        check_points(somalia, "photos.csv", countries=["DE"] * len(somalia))


def test_the_places_of_the_files_go_before_all():
    own = np.full(BAVARIA.shape, np.nan)
    own[0] = BAVARIA[0]
    check_points(BAVARIA, "photos.csv", own=own, countries=["SO"] * len(BAVARIA))
    with pytest.raises(DatasetError, match=r"of 1 file the GPS is there"):
        check_points(BAVARIA[:, ::-1], "photos.csv", own=own, guess=False)


def test_what_can_not_be_told_is_a_warning():
    """Near the line where latitude and longitude are equal, both ways are near towns."""
    told = []
    check_points(around([(42.0, 44.0)], 1.0), "photos.csv", warn=told.append)
    assert len(told) == 1
    assert "photos.csv: whether latitude and longitude are swapped can't be told" in told[0]


def test_the_towns_of_every_country_are_told_from_their_mirror():
    table = city_table()
    country = np.array(table["country"].to_pylist())
    towns = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    silent = []
    for code in ("AM", "AZ", "CY", "DE", "EG", "ET", "GR", "IQ", "KW", "PL", "SA", "SO", "TR", "UA"):
        own = towns[country == code]
        told: list[str] = []
        check_points(own, code, warn=told.append)
        assert not told
        try:
            check_points(own[:, ::-1], code)
            silent.append(code)
        except DatasetError:
            pass
    assert silent == []
