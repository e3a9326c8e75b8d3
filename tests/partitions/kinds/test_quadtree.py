"""Quadtree cells."""

import numpy as np
import pytest
import shapely

from lostfound.geo.shapes import area_km2
from lostfound.partitions import OUTSIDE, build_partition, hierarchy


def spread(south, west, north, east, count=4000, seed=0):
    """Places spread over a box, which may cross the date line."""
    rng = np.random.default_rng(seed)
    longitude = rng.uniform(west, east, count)
    return np.column_stack([rng.uniform(south, north, count), (longitude + 180) % 360 - 180])


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
