import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.data.grouping import (
    MAX_DISTANCE,
    _masks,
    components,
    connect_within,
    first_of,
    near_duplicates,
    star_pairs,
)
from lostfound.geo.sphere import destination, haversine_km


@st.composite
def crowds(draw):
    """Places around a few centres, anywhere on Earth, the poles and the date line among them."""
    centre = st.tuples(
        st.sampled_from([-90.0, 90.0, 0.0, 52.2]) | st.floats(-90, 90),
        st.sampled_from([-180.0, 179.999, 0.0]) | st.floats(-180, 179.999),
    )
    points = []
    for middle in draw(st.lists(centre, min_size=1, max_size=3)):
        steps = draw(st.lists(st.tuples(st.floats(0, 360), st.floats(0, 4)), min_size=1, max_size=15))
        points += [destination(middle, bearing, km) for bearing, km in steps]
    return np.array(points)


def same_groups(one, other):
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


@settings(deadline=None)
@given(crowds(), st.sampled_from([0.2, 1.0, 3.0]))
def test_the_groups_are_those_of_all_places_near_each_other(points, distance):
    gaps = haversine_km(points[:, None], points[None, :])
    clear = np.abs(gaps - distance) > 1e-6  # rounding decides about the rest
    np.fill_diagonal(clear, True)
    pairs = connect_within(points, distance)

    assert (haversine_km(points[pairs[:, 0]], points[pairs[:, 1]]) <= distance + 1e-6).all()
    if clear.all():
        assert same_groups(
            components(len(points), pairs),
            components(len(points), np.argwhere(gaps <= distance).reshape(-1, 2)),
        )


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ((0, 179.9999), (0, -179.9999), 0.022),
        ((89.9999, 0), (89.9999, 180), 0.022),
        ((-89.999, 45), (-89.999, -135), 0.222),
        ((52.2, 0.1), (52.2, 0.1), 0),
    ],
    ids=["date line", "north pole", "south pole", "one spot"],
)
def test_places_near_each_other_by_the_sphere_are_near(one, other, km):
    points = np.array([one, other], dtype=float)

    assert len(connect_within(points, km + 0.001)) == 1
    assert len(connect_within(points, km - 0.001)) == 0 or km == 0


@pytest.mark.parametrize(("distance", "groups"), [(0, 3), (111, 3), (112, 2), (20_100, 1), (1e9, 1)])
def test_any_distance_works(distance, groups):
    points = np.array([[0, 0], [0, 0], [0, 1], [0, -179.5]], dtype=float)

    assert components(4, connect_within(points, distance)).max() + 1 == groups


@pytest.mark.parametrize("spread", [0.004, 0.09], ids=["within a kilometre", "in one city"])
def test_a_crowd_s_pairs_are_not_listed(spread):
    """20 000 places have up to 200 million pairs within a kilometre."""
    points = np.array([52.2, 0.1]) + np.random.default_rng(0).uniform(-spread, spread, (20_000, 2))

    pairs = connect_within(points, 1.0)

    assert len(pairs) < 3 * len(points)
    assert components(len(points), pairs).max() == 0


def test_a_bridge_between_crowds_is_found():
    """Two crowds in neighbouring cubes, of which one point each is near enough."""
    random = np.random.default_rng(0)
    west = np.column_stack([random.uniform(-0.0005, 0.0005, 300), random.uniform(-0.009, -0.0046, 300)])
    east = west * [1, -1]
    bridge = np.array([[0.0, -0.0044], [0.0, 0.0044]])

    apart = connect_within(np.concatenate([west, east]), 1.0)
    joined = connect_within(np.concatenate([west, east, bridge]), 1.0)

    assert components(600, apart).max() == 1
    assert components(602, joined).max() == 0


def test_stars_connect_groups_with_the_fewest_pairs():
    assert star_pairs(np.array([5, 3, 5, 5, 3, 9])).tolist() == [[0, 2], [0, 3], [1, 4]]


def test_without_pairs_everything_is_alone():
    assert components(3, np.empty((0, 2), dtype=np.int64)).tolist() == [0, 1, 2]


def test_the_first_of_equal_values_stands_for_them():
    assert first_of(np.array(["b", "a", "b", "c", "a"])).tolist() == [0, 1, 0, 3, 1]


bits = st.integers(0, 63)


@st.composite
def hash_lists(draw):
    """Hashes around a few centres, some a few bits off, some equal: where the bands have work to do."""
    centres = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    hashes = []
    for _ in range(draw(st.integers(0, 30))):
        value = draw(st.sampled_from(centres))
        for flipped in draw(st.lists(bits, max_size=7)):
            value ^= 1 << flipped
        hashes.append(value)
    return np.array(hashes, dtype=np.uint64)


def distances(hashes):
    return np.bitwise_count(hashes[:, None] ^ hashes[None, :])


@settings(deadline=None)
@given(hash_lists(), st.integers(0, 15))
@pytest.mark.slow
def test_exactly_the_near_pairs_are_found(hashes, max_distance):
    near = distances(hashes) <= max_distance
    pairs = near_duplicates(hashes, max_distance)

    assert all(near[a, b] for a, b in pairs)
    _, first = np.unique(hashes, return_index=True)  # equal hashes are each paired with the first of them
    found = {frozenset(pair) for pair in pairs.tolist()}
    for a in first:
        for b in first:
            assert (frozenset((int(a), int(b))) in found) == (a != b and near[a, b])


@settings(deadline=None)
@given(hash_lists())
def test_the_groups_are_those_of_all_near_duplicates(hashes):
    n = len(hashes)
    everything = np.argwhere(distances(hashes) <= MAX_DISTANCE).reshape(-1, 2)

    found = components(n, near_duplicates(hashes))

    expected = components(n, everything)
    assert (found[:, None] == found).tolist() == (expected[:, None] == expected).tolist()


def test_a_fixed_camera_s_frames_are_one_group_without_listing_all_pairs():
    random = np.random.default_rng(0)
    hashes = np.full(6_000, 0x0F0F_1234_5678_9ABC, dtype=np.uint64)
    for _ in range(3):
        hashes ^= np.uint64(1) << random.integers(0, 64, len(hashes)).astype(np.uint64)

    pairs = near_duplicates(hashes)

    assert len(pairs) < 1_000_000  # of 2.3 million
    assert components(len(hashes), pairs).max() == 0


@pytest.mark.parametrize("hashes", [[], [7], [7] * 100_000], ids=["none", "one", "100 000 equal ones"])
def test_the_fewest_pairs_that_connect_equal_hashes(hashes):
    assert len(near_duplicates(np.array(hashes, dtype=np.uint64))) == max(0, len(hashes) - 1)


def test_the_work_grows_with_the_images_not_with_their_pairs():
    compared = {}
    for n in (50_000, 200_000):
        hashes = np.unique(np.random.default_rng(0).integers(0, 2**64, n, dtype=np.uint64))
        count = 0
        for mask in _masks(len(hashes), MAX_DISTANCE):
            _, sizes = np.unique(hashes & mask, return_counts=True)
            count += int((sizes * (sizes - 1) // 2).sum())
        compared[n] = count / n

    assert compared[200_000] < 2 * compared[50_000] + 1
    assert compared[200_000] < 10
