"""Where in cells photos are: training images, else cities, else the cell's own point."""

from __future__ import annotations

import numpy as np
import pytest

from lostfound.geo.sphere import haversine_km
from lostfound.partitions import build_partition
from lostfound.predict.support import Support

PARIS, LYON, BERLIN = (48.86, 2.35), (45.76, 4.84), (52.52, 13.4)


@pytest.fixture(scope="module")
def countries():
    return build_partition("countries", [PARIS, LYON, BERLIN])


def test_every_cell_is_represented_and_its_weights_are_one(countries) -> None:
    generator = np.random.default_rng(0)
    points = np.array(PARIS) + generator.normal(0, 1, (200, 2))
    found = Support.of(countries, points)
    assert set(found.cells) == {0, 1}
    for cell in (0, 1):
        assert found.weights[found.cells == cell].sum() == pytest.approx(1)


def test_training_images_say_where_in_a_cell_photos_are(countries) -> None:
    generator = np.random.default_rng(0)
    points = np.concatenate([np.array(PARIS) + generator.normal(0, 0.1, (90, 2)), [LYON] * 10])
    found = Support.of(countries, points)
    france = found.cells == countries.cell_ids.index("FR")
    near_paris = haversine_km(found.points[france], PARIS) < 100
    assert found.weights[france][near_paris].sum() == pytest.approx(0.9)


def test_without_images_the_largest_cities_do(countries) -> None:
    found = Support.of(countries)
    germany = found.cells == countries.cell_ids.index("DE")
    assert haversine_km(found.points[germany], BERLIN).min() < 20
    assert germany.sum() == 16


def test_images_of_unknown_place_count_for_nothing(countries) -> None:
    found = Support.of(countries, np.full((50, 2), np.nan))
    assert np.array_equal(found.points, Support.of(countries).points)


def test_a_cell_without_images_and_cities_has_its_own_point() -> None:
    cells = build_partition("square", [(-48.0, -123.0), (-48.4, -122.6)], cell_km=10)  # the open Pacific
    found = Support.of(cells)
    assert np.allclose(found.points, cells.centroids)


def test_arrays_bring_it_back(countries) -> None:
    found = Support.of(countries)
    again = Support.from_arrays(found.as_arrays(), 2)
    assert again is not None
    assert np.allclose(again.points, found.points, atol=1e-4)
    assert Support.from_arrays({}, 2) is None
    with pytest.raises(ValueError, match="not of 3 cells"):
        Support.from_arrays(found.as_arrays(), 3)


def test_a_middle_that_no_image_is_nearest_to_is_left_out_silently() -> None:
    """As SciPy would say of these, in words that tell a user nothing."""
    generator = np.random.default_rng(7)
    places = np.column_stack([generator.uniform(40, 41, 40), generator.uniform(0, 1, 40)])
    cells = build_partition("countries", places, ["ES"] * 40)
    support = Support.of(cells, places, np.array(["ES"] * 40, dtype=object))
    assert len(support.points) < 16
    assert (support.weights > 0).all()
    assert support.weights.sum() == pytest.approx(1.0)
