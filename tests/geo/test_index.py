import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from lostfound.geo import index as module
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.index import BORDER, ShapeIndex, border_squares, build_raster, look_up
from lostfound.geo.sphere import destination, from_unit_vectors, unit_vectors


def exact(shapes, places):
    """The first shape that holds each place, by shapely alone."""
    tree = shapely.STRtree(shapes)
    row, shape = tree.query(shapely.points(places[:, ::-1]), predicate="intersects")
    owner = np.full(len(places), len(shapes))
    np.minimum.at(owner, row, shape)
    return np.where(owner == len(shapes), -1, owner)


def spread(n, seed):
    rng = np.random.default_rng(seed)
    return np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)])


def near_borders(geometries, n, seed, km=20.0):
    """Points up to `km` beside the borders."""
    rng = np.random.default_rng(seed)
    rings = shapely.get_rings(shapely.get_parts(geometries))
    corners = shapely.get_coordinates(shapely.segmentize(rings, 0.1))[:, ::-1]
    corners = from_unit_vectors(unit_vectors(corners[rng.integers(0, len(corners), n)]))
    return destination(corners, rng.uniform(0, 360, n), rng.uniform(0, km, n))


@pytest.fixture(scope="module")
def world():
    packed = Boundaries.packed()
    return np.array([packed.geometry(code) for code in packed.codes], dtype=object)


def rastered(geometries):
    """An index that has its raster from the first point on."""
    shapes = ShapeIndex(np.array(geometries, dtype=object))
    shapes.holding(np.zeros((module._WORTH_A_RASTER, 2)))
    return shapes


@pytest.mark.slow
def test_raster_and_polygons_agree_everywhere(world, monkeypatch):
    monkeypatch.setattr(module, "_WORTH_A_RASTER", 50_000)
    places = np.concatenate([spread(60_000, 1), near_borders(world, 20_000, 2)])
    assert len(places) > module._WORTH_A_RASTER
    assert np.array_equal(ShapeIndex(world).holding(places), exact(world, places))


def test_few_points_need_no_raster(world):
    few = ShapeIndex(world)
    places = spread(3000, 3)
    assert np.array_equal(few.holding(places), exact(world, places))
    assert "_raster" not in vars(few)


# Borders that run along the raster's lines, through its corners, and inside single squares.
SHAPES = [
    [box(0, 0, 1, 1), box(1, 0, 2, 1)],
    [box(0.1, 0.1, 0.2, 0.2), box(-0.3, -0.3, 0.1, 0.1)],
    [box(-180, -90, 180, 90)],
    [box(-180, -90, -179.9, 90), box(179.9, -90, 180, 90)],
    [Polygon([(0, 0), (1, 1), (0, 1)]), Polygon([(0, 0), (1, 0), (1, 1)])],
    [box(10.01, 10.01, 10.02, 10.02)],
    [box(0, 0, 5, 5).difference(box(2, 2, 3, 3)), box(2, 2, 3, 3)],
    # Overlapping: the first counts.
    [box(0, 0, 5, 5), box(2, 2, 8, 8)],
]


@pytest.mark.parametrize("shapes", SHAPES)
def test_grid_lines_are_no_seam(shapes):
    ticks = np.round(np.arange(-0.5, 3.05, 0.05), 2)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    nudged = np.concatenate([grid, np.nextafter(grid, 9), np.nextafter(grid, -9)])
    edges = np.array([(90.0, -180.0), (-90, 179.99999999999997), (0, 179.95), (0, -179.95), (89.99, 0)])
    inside = np.array([(10.015, 10.015), (10.005, 10.005), (4.5, 4.5), (7.5, 7.5)])
    places = np.concatenate([nudged, edges, inside])
    assert np.array_equal(rastered(shapes).holding(places), exact(shapes, places))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-170, 170), st.floats(-80, 80)), min_size=3, max_size=3), st.integers(0, 99)
)
@pytest.mark.slow
def test_any_triangle_is_held_exactly(corners, seed):
    triangle = Polygon(corners)
    if not triangle.is_valid or triangle.area == 0:
        return
    places = np.concatenate([spread(2000, seed), near_borders([triangle], 2000, seed)])
    assert np.array_equal(rastered([triangle]).holding(places), exact([triangle], places))


def test_squares_a_line_touches():
    ring = np.array([Polygon([(0.05, 0.05), (0.35, 0.05), (0.35, 0.15)]).exterior])
    touched = np.argwhere(border_squares(ring)) - [900, 1800]
    # The slope meets four squares in a corner, and touches them all.
    expected = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    assert sorted(tuple(square) for square in touched.tolist()) == expected


def test_interior_squares_need_no_test():
    shapes = np.array([box(0, 0, 10, 10)], dtype=object)
    asked = []

    def holding(places):
        asked.append(len(places))
        return np.where(shapely.intersects_xy(shapes[0], places[:, 1], places[:, 0]), 0, -1).astype(np.int32)

    squares = build_raster(shapes, holding)
    assert asked[0] < 3 * 1800
    assert look_up(squares, np.array([(5.0, 5.0), (50, 50), (0, 5), (10, 10)])).tolist() == [
        0,
        -1,
        BORDER,
        BORDER,
    ]


def test_no_shapes_and_no_points():
    assert ShapeIndex(np.array([], dtype=object)).holding(np.zeros((3, 2))).tolist() == [-1, -1, -1]
    assert ShapeIndex(np.array([box(0, 0, 1, 1)], dtype=object)).holding(np.empty((0, 2))).shape == (0,)
