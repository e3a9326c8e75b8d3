"""Square and quadtree cells."""

import numpy as np
import pytest
import shapely

from lostfound.errors import UsageError
from lostfound.geo.shapes import area_km2
from lostfound.geo.sphere import EARTH_RADIUS_KM
from lostfound.partitions import OUTSIDE, build_partition, hierarchy
from lostfound.partitions.shapes import westmost


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


def test_a_quadtree_splits_at_midpoints_while_a_cell_holds_enough():
    # The bounds are (0, 0) to (8, 8); the south-west quarter alone holds four.
    places = np.array([[0, 0], [1, 1], [1, 3], [3, 1], [8, 8], [7, 1], [1, 7.0]])
    built = build_partition("quadtree", places, split_at=4)
    assert dict(zip(built.cell_ids, built.counts.tolist(), strict=True)) == {
        "q00": 2, "q01": 1, "q02": 1, "q1": 1, "q2": 1, "q3": 1,
    }  # fmt: skip
    assert built.polygon(built.cell_ids.index("q01")).bounds == (2, 0, 4, 2)
    assert built.polygon(built.cell_ids.index("q3")).bounds == (4, 4, 8, 8)


def test_a_cell_ends_before_its_far_edges():
    built = build_partition("quadtree", np.array([[0.0, 0.0], [1.0, 1.0], [8.0, 8.0]]), split_at=3)
    assert built.cell_ids == ("q0", "q3")
    # The middle of the southern side begins the south-eastern quarter, which has no image.
    assert built.assign(np.array([[0.0, 3.999], [0.0, 4.0]])).tolist() == [0, OUTSIDE]


def test_a_quadtree_stops_at_its_depth():
    built = build_partition("quadtree", np.tile([[1.0, 1.0], [2.0, 3.0]], (20, 1)), split_at=5)
    assert {len(each) - 1 for each in built.cell_ids} == {10}


def test_a_quadtree_of_the_world_finds_the_same_cells_anywhere():
    places = spread(40, -10, 60, 30)
    built = build_partition("quadtree", places, split_at=500, bounds="world")
    other = build_partition("quadtree", places[:2000], split_at=250, bounds="world")
    assert all(each.startswith("q") for each in built.cell_ids)
    assert set(built.cell_ids) & set(other.cell_ids)


def test_a_quadtree_across_the_date_line():
    places = spread(-20, 170, 10, 200)
    built = build_partition("quadtree", places, split_at=100)
    assert area_km2(built.polygons).sum() == pytest.approx(
        area_km2([shapely.box(170, -20, 200, 10)])[0], rel=1e-2
    )
    assert (built.assign(places) != OUTSIDE).all()
    assert built.assign(np.array([[0.0, 0.0]])).tolist() == [OUTSIDE]


def test_neighbours_in_a_quadtree_are_the_touching_boxes():
    rng = np.random.default_rng(0)
    places = np.abs(rng.normal(0, 10, (3000, 2)))
    built = build_partition("quadtree", places, split_at=50)
    touching = shapely.STRtree(built.polygons).query(built.polygons, predicate="dwithin", distance=1e-9)
    expected = {(one, other) for one, other in touching.T.tolist() if one != other}
    found = {(cell, int(other)) for cell in range(len(built)) for other in built.neighbours(cell)}
    assert found == expected


def test_the_parents_of_quadtree_cells_hold_them():
    built = build_partition("quadtree", spread(0, 0, 10, 10), split_at=50, parent_depth=2)
    assert all(
        each.startswith(parent) and len(parent) == 3
        for each, parent in zip(built.cell_ids, built.parents, strict=True)
    )
    assert hierarchy(built, 1).ids == ("q0", "q1", "q2", "q3")


@pytest.mark.parametrize(
    ("longitudes", "expected"),
    [
        ([10, 20, 30], (10, 20)),
        ([179, -179], (179, 2)),
        ([5], (5, 0)),
        ([-180, -90, 0, 80], (-180, 260)),
        ([-170, 0, 170], (0, 190)),
    ],
)
def test_the_smallest_arc_around_longitudes(longitudes, expected):
    assert westmost(np.array(longitudes, dtype=float)) == pytest.approx(expected)


def test_the_smallest_arc_around_intervals():
    starts, widths = np.array([170.0, -180.0, -100.0]), np.array([10.0, 5.0, 10.0])
    assert westmost(starts, widths) == pytest.approx((170, 100))
    assert westmost(np.array([-180.0]), np.array([360.0])) == (-180, 360)
