"""Partitions side by side."""

import numpy as np
import pytest

from lostfound.geo.sampling import sample_near_towns
from lostfound.geo.sphere import EARTH_RADIUS_KM, haversine_km
from lostfound.partitions import Partition, build_partition, compare_partitions
from lostfound.partitions.compare import equivalent_radius_km, gini


@pytest.fixture(scope="module")
def places():
    return sample_near_towns(1500, radius_km=20, seed=1).points


@pytest.mark.parametrize(
    ("counts", "expected"), [([5, 5, 5], 0), ([0, 0, 0, 8], 0.75), ([1, 3], 0.25), ([0, 0], 0), ([7], 0)]
)
def test_gini(counts, expected):
    assert gini(counts) == pytest.approx(expected)


def test_gini_is_half_the_relative_mean_difference():
    counts = np.random.default_rng(0).integers(0, 50, 40)
    assert gini(counts) == pytest.approx(np.abs(counts[:, None] - counts).mean() / (2 * counts.mean()))


def test_the_numbers_of_a_partition():
    centroids = np.array([[0.0, 0.0], [0.0, 10.0], [0.0, 20.0]])
    cells = Partition(
        "countries", ("AA", "BB", "CC"), ("a", "b", "c"), centroids, np.array([1, 2, 9]), ("AA", "BB", "CC")
    )
    points = np.array([[0.0, 1.0], [0.0, 12.0], [0.0, 18.0], [np.nan, np.nan]])
    labels = np.array(["AA", "BB", "ZZ", "AA"], dtype=object)
    report = compare_partitions({"mine": cells}, points, labels)["mine"]
    # The last place lies in no cell: the best that any answer can do is the nearest decoding point.
    expected = haversine_km(points[:3], centroids)
    assert (report.kind, report.cells, report.empty_cells, report.outside) == ("countries", 3, 1, 1)
    assert (report.images_min, report.images_median, report.images_max) == (1, 2, 9)
    assert report.oracle_median_km == pytest.approx(np.median(expected))
    assert report.oracle_mean_km == pytest.approx(expected.mean())
    assert report.oracle_score == pytest.approx((5000 * np.exp(-expected / 1492.7)).mean())
    assert np.isnan(report.radius_km_median)


def test_the_equivalent_radius_of_a_circle_is_its_own():
    city = {"name": "x", "latitude": 50.0, "longitude": 10.0, "radius_km": 200}
    cells = build_partition("cities", np.array([[50.0, 10.0]]), cities=[city])
    assert equivalent_radius_km(cells)[0] == pytest.approx(200, rel=2e-3)
    world = build_partition("quadtree", np.array([[48.0, 2.0]]), split_at=2, bounds="world")
    assert equivalent_radius_km(world)[0] == pytest.approx(np.pi * EARTH_RADIUS_KM, rel=1e-3)


def test_finer_cells_leave_a_smaller_oracle_error(places):
    test = sample_near_towns(500, radius_km=20, seed=2).points
    reports = compare_partitions(
        {str(size): build_partition("square", places, cell_km=size) for size in (2000, 1000, 500)}, test
    )
    errors = [reports[name].oracle_median_km for name in ("2000", "1000", "500")]
    assert errors == sorted(errors, reverse=True)
    assert all(report.outside >= 0 and 0 < report.oracle_score <= 5000 for report in reports.values())


def test_nothing_to_compare_on(places):
    cells = build_partition("square", places, cell_km=500)
    with pytest.raises(ValueError, match="no place is known"):
        compare_partitions({"a": cells}, np.full((2, 2), np.nan))
