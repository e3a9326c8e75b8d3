"""S2 cells: the same ids as Google's library, and the adaptive partition made of them."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from lostfound.errors import UsageError
from lostfound.geo.sampling import sample_near_towns
from lostfound.geo.shapes import area_km2
from lostfound.geo.sphere import EARTH_RADIUS_KM, unit_vectors
from lostfound.partitions import OUTSIDE, build_partition, hierarchy
from lostfound.partitions.kinds.s2 import (
    _ids,
    _middles,
    _polygons,
    _squares,
    from_tokens,
    leaf_ids,
    levels,
    tokens,
)

# Given by s2sphere 0.2.5.
LEAVES = [
    (0, 0, "1000000000000001"),
    (90, 0, "5000000000000001"),
    (-90, 0, "b000000000000001"),
    (48.8584, 2.2945, "47e66fe1f36a36a5"),
    (-33.8568, 151.2153, "6b12ae669072a21f"),
    (35.6586, 139.7454, "60188bbd9a7f993b"),
    (0, -180, "7000000000000001"),
    (40.6892, -74.0445, "89c25088d6fe3dd9"),
    (-54.8, -68.3, "bc4c22dbf839d527"),
    (71.1, 25.8, "45c852cf249b9ca3"),
    (-17.7, 179.99, "6e1e1fc4c78c28f3"),
]


def random_points(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([np.degrees(np.arcsin(rng.uniform(-1, 1, count))), rng.uniform(-180, 180, count)])


def all_of_level(level):
    """The ids of all cells of a level."""
    prefixes = np.arange(6 * 4**level, dtype=np.uint64)
    return (prefixes << np.uint64(1) | np.uint64(1)) << np.uint64(2 * (30 - level))


@pytest.mark.parametrize(("latitude", "longitude", "token"), LEAVES)
def test_ids_are_those_of_the_library(latitude, longitude, token):
    assert tokens(leaf_ids(unit_vectors([[latitude, longitude]]))) == [token]


def test_ids_are_those_of_s2sphere_anywhere():
    s2sphere = pytest.importorskip("s2sphere")
    points = random_points(3000)
    expected = [s2sphere.CellId.from_lat_lng(s2sphere.LatLng.from_degrees(*point)).id() for point in points]
    # s2sphere goes another way round to the vector: places within rounding of an edge may differ by a leaf.
    assert np.mean(leaf_ids(unit_vectors(points)) == np.array(expected, dtype=np.uint64)) > 0.999


def test_parents_corners_and_middles_are_those_of_s2sphere():
    s2sphere = pytest.importorskip("s2sphere")
    for point, level in zip(random_points(60, 1), [1, 2, 5, 9, 14, 20] * 10, strict=True):
        cell = s2sphere.CellId.from_lat_lng(s2sphere.LatLng.from_degrees(*point)).parent(level)
        own = from_tokens((cell.to_token(),))
        assert tokens(own) == [cell.to_token()]
        assert levels(own).tolist() == [level]
        middle = s2sphere.LatLng.from_point(s2sphere.Cell(cell).get_center())
        assert _middles(own)[0] == pytest.approx([middle.lat().degrees, middle.lng().degrees], abs=1e-9)
        assert area_km2(_polygons(own))[0] == pytest.approx(
            s2sphere.Cell(cell).exact_area() * EARTH_RADIUS_KM**2, rel=1e-3
        )


@given(st.integers(0, 6 * 4**12 - 1), st.integers(0, 12))
def test_tokens_and_levels_come_back(prefix, up):
    ids = np.array([(prefix << 1 | 1) << 36], dtype=np.uint64)
    assert from_tokens(tuple(tokens(ids))).tolist() == ids.tolist()
    assert levels(ids).tolist() == [12]
    assert _ids(_squares(ids)).tolist() == ids.tolist()


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_cells_of_a_level_cover_the_earth_once(level):
    shapes = _polygons(all_of_level(level))
    assert shapely.is_valid(shapes).all()
    assert area_km2(shapes).sum() == pytest.approx(4 * np.pi * EARTH_RADIUS_KM**2, rel=1e-9)
    west, south, east, north = shapely.total_bounds(shapes)
    assert (west, south, east, north) == (-180, -90, 180, 90)


def test_a_crowded_cell_splits_and_a_thin_one_is_dropped():
    rng = np.random.default_rng(1)
    crowd = np.array([48.85, 2.35]) + rng.normal(0, 0.5, (500, 2))
    alone = np.array([[-33.9, 151.2]] * 3)
    built = build_partition("s2", np.concatenate([crowd, alone]), min_images=3, max_images=50)
    assert built.counts.max() <= 50
    assert built.counts.min() > 3
    assert built.assign(alone).tolist() == [OUTSIDE] * 3
    # All siblings of the split would hold more than the limit together.
    assert levels(from_tokens(built.cell_ids)).min() > 2


def test_exactly_max_images_do_not_split():
    points = np.tile([[48.0, 2.0], [47.0, 3.0]], (25, 1))
    assert len(build_partition("s2", points, max_images=50)) == 1
    assert len(build_partition("s2", points, max_images=49)) == 2


def test_images_on_one_spot_stop_at_the_last_level():
    built = build_partition("s2", np.tile([[48.0, 2.0]], (30, 1)), max_images=5)
    assert levels(from_tokens(built.cell_ids)).tolist() == [30]
    assert built.polygon(0).is_valid


def test_neighbours_of_a_whole_level_are_eight_or_seven():
    points = _middles(all_of_level(3))
    built = build_partition("s2", points, min_images=0, start_level=3)
    assert len(built) == 384
    number = [len(built.neighbours(cell)) for cell in range(len(built))]
    # Three cells meet at each of the cube's eight corners.
    assert sorted(number) == [7] * 24 + [8] * 360


def test_neighbours_of_different_sizes_touch():
    points = sample_near_towns(2000, radius_km=20, seed=3).points
    built = build_partition("s2", points, max_images=20)
    tree = shapely.STRtree(built.polygons)
    for cell in range(0, len(built), 5):
        shape = built.polygon(cell)
        if shape.bounds[0] > -179 and shape.bounds[2] < 179 and abs(shape.bounds[1]) < 80:
            # Edges of different length are drawn with different pieces, some hundred metres apart.
            near = set(tree.query(shape, predicate="dwithin", distance=0.05).tolist()) - {cell}
            assert set(built.neighbours(cell).tolist()) <= near


def test_parents_are_the_ancestors_at_a_level():
    points = sample_near_towns(2000, radius_km=20, seed=3).points
    built = build_partition("s2", points, max_images=100, parent_level=4)
    up = hierarchy(built, 3)
    s2 = pytest.importorskip("s2sphere")
    for token, parent, above in zip(
        built.cell_ids, built.parents, up.labels(np.arange(len(built))), strict=True
    ):
        cell = s2.CellId.from_token(token)
        assert parent == cell.parent(min(4, cell.level())).to_token()
        assert above == cell.parent(min(3, cell.level())).to_token()


def test_settings_that_contradict_each_other():
    with pytest.raises(UsageError, match="max_images must be more than min_images"):
        build_partition("s2", [[0.0, 0.0]], min_images=10, max_images=10)
    with pytest.raises(UsageError, match="max_level must not be less"):
        build_partition("s2", [[0.0, 0.0]], start_level=5, max_level=4)
