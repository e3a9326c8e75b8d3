import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.data.grouping import MAX_DISTANCE
from lostfound.data.records import SCHEMA, SPLITS, coordinates
from lostfound.data.splits import SplitSettings, assign_splits
from lostfound.errors import UsageError
from lostfound.geo.sphere import destination, haversine_km

HALF = SplitSettings(val=0.3, test=0.3)  # small tests meet every split


def table(rows):
    return pa.Table.from_pylist([{"image_id": str(n), **row} for n, row in enumerate(rows)], schema=SCHEMA)


def split(rows, settings=HALF):
    return assign_splits(table(rows), settings)["split"].to_pylist()


def lone(number, **fields):
    """A country-only image that is like no other: its hash differs from each other's in many bits."""
    phash = int(np.random.default_rng(number).integers(0, 2**64, dtype=np.uint64))
    return {"place_id": f"place {number}", "phash": phash, **fields}


def at(number, latitude, longitude):
    return lone(number, latitude=float(latitude), longitude=float(longitude))


@st.composite
def rows(draw):
    """Places in a few crowds, places without coordinates, several views, near-duplicates."""
    crowds = [(52.2, 0.1), (0.0, 179.999), (89.999, 10.0)]
    made = []
    for number in range(draw(st.integers(1, 25))):
        row = lone(number)
        if draw(st.booleans()):
            centre = draw(st.sampled_from(crowds))
            point = destination(centre, draw(st.floats(0, 360)), draw(st.floats(0, 10)))
            row = at(number, *point)
        if made and draw(st.booleans()):
            row["place_id"] = draw(st.sampled_from(made))["place_id"]
        if made and draw(st.integers(0, 3)) == 0:
            row["phash"] = draw(st.sampled_from(made))["phash"] ^ (1 << draw(st.integers(0, 63)))
        made.append(row)
    return made


@given(rows(), st.integers(0, 3))
@pytest.mark.slow
def test_nothing_alike_or_near_sits_in_two_splits(rows, seed):
    records = assign_splits(table(rows), SplitSettings(seed, 0.3, 0.3))
    split = np.array(records["split"].to_pylist())
    place = np.array(records["place_id"].to_pylist())
    phash = records["phash"].to_numpy()
    points = coordinates(records)

    assert set(split) <= set(SPLITS)
    apart = split[:, None] != split
    assert not (apart & (place[:, None] == place)).any()
    assert not (apart & (haversine_km(points[:, None], points[None, :]) <= 1.0 - 1e-6)).any()
    assert not (apart & (np.bitwise_count(phash[:, None] ^ phash) <= MAX_DISTANCE)).any()


@given(rows(), st.randoms(use_true_random=False))
@pytest.mark.slow
def test_the_order_of_the_rows_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)

    shuffled = split([rows[number] for number in order])

    assert [shuffled[order.index(number)] for number in range(len(rows))] == split(rows)


@given(rows(), st.integers(1, 20))
@pytest.mark.slow
def test_rows_added_elsewhere_change_nothing(rows, more):
    elsewhere = [at(1000 + number, -40 + number, 80) for number in range(more)]
    unrelated = [lone(2000 + number) for number in range(more)]

    assert split(elsewhere + rows + unrelated)[more : more + len(rows)] == split(rows)


@given(rows(), rows())
@settings(max_examples=50)
@pytest.mark.slow
def test_new_rows_leave_the_splits_of_places_that_don_t_join(old, new):
    """Places added near two old ones may join them; then training wins, else all old rows keep theirs."""
    before = split(old)
    new = [{**row, "place_id": f"new {row['place_id']}"} for row in new]

    after = split([{**row, "split": name} for row, name in zip(old, before, strict=True)] + new)[: len(old)]

    rank = {name: number for number, name in enumerate(SPLITS)}
    assert all(rank[late] <= rank[early] for early, late in zip(before, after, strict=True))
    if len(set(before)) == 1:
        assert after == before


def test_existing_splits_are_kept_and_new_views_follow_them():
    names = ["train", "val", "test"]
    old = [{**at(number, 10 * number, 0), "split": name} for number, name in enumerate(names)]
    new = [{**at(10 + number, 10 * number, 0.001), "place_id": f"new {number}"} for number in range(3)]
    duplicates = [{**lone(20 + number), "phash": row["phash"]} for number, row in enumerate(old)]

    assert split(old + new + duplicates, SplitSettings(seed=99)) == names * 3


@pytest.mark.parametrize(
    ("one", "other", "winner"),
    [("train", "test", "train"), ("test", "val", "val"), ("val", "train", "train")],
)
def test_a_place_between_two_splits_makes_them_one_and_nothing_trained_on_is_tested(one, other, winner):
    old = [{**at(1, 0, 0), "split": one}, {**at(2, 0, 0.015), "split": other}]  # 1.7 km apart

    assert split(old) == [one, other]
    assert split([*old, at(3, 0, 0.0075)]) == [winner] * 3


def test_another_seed_divides_otherwise():
    places = [at(number, number % 80, number * 2 % 180) for number in range(300)]

    assert split(places) == split(places)
    assert split(places) != split(places, SplitSettings(1, 0.3, 0.3))


@pytest.mark.parametrize(("val", "test"), [(0.1, 0.1), (0.3, 0.05), (0.0, 0.5), (0.0, 0.0)])
def test_the_shares_are_about_right(val, test):
    places = [
        {"place_id": f"{number}", "phash": number * 0x9E3779B97F4A7C15 % 2**64} for number in range(4000)
    ]
    drawn = split(places, SplitSettings(val=val, test=test))

    assert drawn.count("val") / 4000 == pytest.approx(val, abs=0.02)
    assert drawn.count("test") / 4000 == pytest.approx(test, abs=0.02)


def test_groups_of_several_places_have_the_same_shares():
    """The smallest of a group's draws must not decide itself: groups would flock to the test."""
    pairs = [at(number, number // 2 / 20 - 50, number % 2 / 1000) for number in range(4000)]
    drawn = split(pairs, SplitSettings(val=0.1, test=0.1))

    assert drawn[::2] == drawn[1::2]
    assert drawn.count("test") / 4000 == pytest.approx(0.1, abs=0.02)
    assert drawn.count("val") / 4000 == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("one", "other"),
    [((0, 179.999), (0, -179.999)), ((89.999, 0), (89.999, 180)), ((-89.9999, 45), (-90, 0))],
    ids=["date line", "north pole", "south pole"],
)
def test_pairs_across_the_seams_of_the_map_stay_together(one, other):
    for number in range(40):
        drawn = split([at(number, *one), at(1000 + number, *other)])
        assert drawn[0] == drawn[1]


def test_another_distance_keeps_more_together():
    row = [at(number, 0, number * 0.05) for number in range(60)]  # every 5.6 km

    assert len(set(split(row))) > 1
    assert len(set(split(row, SplitSettings(val=0.3, test=0.3, distance_km=6)))) == 1
    assert len(set(split(row, SplitSettings(val=0.3, test=0.3, distance_km=5)))) > 1


def test_a_city_of_20_000_places_is_one_group():
    spots = np.array([52.2, 0.1]) + np.random.default_rng(0).uniform(-0.02, 0.02, (20_000, 2))

    assert len(set(split([at(number, *spot) for number, spot in enumerate(spots)]))) == 1


def test_an_empty_table_stays_empty():
    assert split([]) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"val": -0.1}, "must be at least 0"),
        ({"test": 1.0}, "leave something for training"),
        ({"val": 0.5, "test": 0.5}, "leave something for training"),
        ({"val": float("nan")}, "must be at least 0"),
        ({"distance_km": -1}, "-1 km; it can't be negative"),
        ({"distance_km": float("nan")}, "nan km"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        SplitSettings(**wrong)
