"""Square cells."""

import numpy as np
import pytest
import shapely

from lostfound.errors import UsageError
from lostfound.geo.shapes import area_km2
from lostfound.geo.sphere import EARTH_RADIUS_KM
from lostfound.partitions import OUTSIDE, build_partition


def spread(south, west, north, east, count=4000, seed=0):
    """Places spread over a box, which may cross the date line."""
    rng = np.random.default_rng(seed)
    longitude = rng.uniform(west, east, count)
    return np.column_stack([rng.uniform(south, north, count), (longitude + 180) % 360 - 180])


@pytest.mark.parametrize(
    "box", [(-55, -120, 70, 150), (51.4, -0.3, 51.6, 0.2), (-20, 170, 10, 200), (60, -180, 90, 180)]
)
def test_square_cells_have_the_area_asked_for(box):
    places = spread(*box)
    size = 0.1 * np.sqrt(area_km2([shapely.box(box[1], box[0], box[3], box[2])])[0])
    built = build_partition("square", places, cell_km=size)
    areas = area_km2(built.polygons)
    assert areas == pytest.approx(np.full(len(areas), size**2), rel=1e-9)
    assert (built.assign(places) != OUTSIDE).all()


def test_square_cells_are_about_square_in_the_middle():
    built = build_partition("square", spread(51.4, -0.3, 51.6, 0.2), cell_km=1.0)
    west, south, east, north = shapely.bounds(built.polygons).T
    high = np.radians(north - south) * EARTH_RADIUS_KM
    wide = np.radians(east - west) * np.cos(np.radians((south + north) / 2)) * EARTH_RADIUS_KM
    assert high == pytest.approx(np.ones(len(built)), rel=0.01)
    assert wide == pytest.approx(np.ones(len(built)), rel=0.01)


def test_square_cells_without_training_image_are_dropped_unless_asked_for():
    corners = np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]])
    few = build_partition("square", corners, cell_km=200)
    assert len(few) == 4
    assert few.assign(np.array([[5.0, 5.0]])).tolist() == [OUTSIDE]
    every = build_partition("square", corners, cell_km=200, min_images=0)
    assert len(every) == 36
    assert (every.counts == 0).sum() == 32
    assert every.assign(np.array([[5.0, 5.0]])) != OUTSIDE
    assert np.isfinite(every.centroids).all()


@pytest.mark.parametrize("wanted", [1, 7, 100, 250])
def test_the_number_of_square_cells_asked_for(wanted):
    built = build_partition("square", spread(51.4, -0.3, 51.6, 0.2), cells=wanted)
    assert len(built) == pytest.approx(wanted, rel=0.15, abs=1)


def test_inner_square_cells_have_eight_neighbours():
    built = build_partition("square", spread(0, 0, 10, 10), cell_km=100, min_images=0)
    rows = [tuple(map(int, each[1:].split("c"))) for each in built.cell_ids]
    last_row, last_column = max(row for row, _ in rows), max(column for _, column in rows)
    for cell, (row, column) in enumerate(rows):
        on_edge = (row in (0, last_row)) + (column in (0, last_column))
        assert len(built.neighbours(cell)) == {0: 8, 1: 5, 2: 3}[on_edge]


def test_square_cells_meet_around_the_world():
    built = build_partition("square", spread(-60, -180, 60, 180, 20000), cell_km=2000, min_images=0)
    one, other = built.assign(np.array([[0.0, 179.99], [0.0, -179.99]]))
    assert one == other or other in built.neighbours(int(one))
    assert shapely.is_valid(built.polygons).all()


def test_a_single_place_makes_a_single_square_cell():
    built = build_partition("square", np.array([[48.0, 2.0]]), cell_km=1)
    assert len(built) == 1
    assert built.assign(np.array([[48.0, 2.0], [48.1, 2.0], [-48.0, -178.0]])).tolist() == [
        0,
        OUTSIDE,
        OUTSIDE,
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"cell_km": 0}, "greater than 0"),
        ({"cell_km": 1e-4}, "make them larger"),
        ({"cells": 10**6}, "can't fill"),
        ({"cell_km": 1, "cells": 2}, "either cell_km or cells"),
        ({"cell_kn": 1}, "did you mean 'cell_km'"),
    ],
)
def test_wrong_sizes(settings, says):
    with pytest.raises(UsageError, match=says):
        build_partition("square", spread(0, 0, 10, 10), **settings)
