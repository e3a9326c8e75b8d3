import pyarrow as pa
import pytest

from lostfound.data.preparing.leaks import find_leaks
from lostfound.data.records import SCHEMA
from lostfound.geo.sphere import destination

HOME = (48.0, 2.0)
FAR = 0x0F0F_0F0F_0F0F_0F0F


def image(number, split, *, km=None, **fields):
    """An image so many km from home, unlike the others in all that could be shared."""
    spot = (None, None) if km is None else destination(HOME, 90, km).tolist() if km else HOME
    return {
        "image_id": f"i{number}",
        "place_id": f"p{number}",
        "sha256": f"s{number}",
        "split": split,
        "latitude": spot[0],
        "longitude": spot[1],
        "phash": (number * 0x9E37_79B9_7F4A_7C15) % 2**64,
        **fields,
    }


def leaks(*rows, distance_km=1.0):
    found = find_leaks(pa.Table.from_pylist(list(rows), schema=SCHEMA), distance_km=distance_km)
    return {(each.split, each.other): each for each in found}


def test_splits_that_share_nothing_are_clean():
    found = leaks(
        image(1, "train", km=0), image(2, "val", km=2), image(3, "test", km=5), image(4, "test", km=4)
    )

    assert list(found) == [("test", "train"), ("val", "train"), ("test", "val")]
    assert all(each.clean for each in found.values())
    test = found["test", "train"]
    assert (test.images, test.located, test.nearest) == (2, 2, ("i4", "i1"))
    assert test.distance_km["nearest"] == pytest.approx(4)
    assert test.distance_km["median"] == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("shared", "counts"),
    [
        ({"place_id": "p1"}, (0, 1, 0, 0)),
        ({"sha256": "s1"}, (0, 0, 1, 0)),
        ({"phash": FAR ^ 0b1111}, (0, 0, 0, 1)),
        ({"phash": FAR ^ 0b11111}, (0, 0, 0, 0)),
        ({"latitude": HOME[0], "longitude": HOME[1]}, (1, 1, 0, 0)),
        ({"latitude": HOME[0] + 0.001, "longitude": HOME[1]}, (1, 0, 0, 0)),
    ],
)
def test_each_thing_shared_is_counted(shared, counts):
    found = leaks(
        image(1, "train", km=0, phash=FAR), image(2, "test", km=50, **shared), image(3, "test", km=60)
    )

    leak = found["test", "train"]
    assert (leak.within, leak.same_panorama, leak.same_bytes, leak.near_duplicates) == counts
    assert leak.clean == (sum(counts) == 0)


def test_the_distance_that_counts_is_the_data_set_s():
    rows = image(1, "train", km=0), image(2, "test", km=3)

    assert leaks(*rows, distance_km=2.9)["test", "train"].clean
    assert leaks(*rows, distance_km=3.1)["test", "train"].within == 1


def test_images_without_coordinates_are_compared_by_the_rest():
    found = leaks(image(1, "train"), image(2, "test", sha256="s1"), image(3, "test", km=1))

    leak = found["test", "train"]
    assert (leak.located, leak.distance_km, leak.nearest, leak.same_bytes) == (0, {}, None, 1)


def test_an_empty_split_is_not_compared():
    assert list(leaks(image(1, "train"), image(2, "val"))) == [("val", "train")]
    assert leaks() == {}


def test_a_chain_of_near_duplicates_is_counted_by_its_links():
    hashes = [0, 0b1111, 0b1111_1111]  # 4 bits from one to the next, 8 from the first to the last
    splits = ["train", "val", "test"]
    found = leaks(
        *(image(n, split, phash=phash) for n, (split, phash) in enumerate(zip(splits, hashes, strict=True)))
    )

    assert found["test", "train"].near_duplicates == 0
    assert found["val", "train"].near_duplicates == 1
    assert found["test", "val"].near_duplicates == 1


def test_a_fixed_camera_s_frames_are_counted_without_all_pairs():
    frames = [image(n, "train" if n % 2 else "test", phash=FAR) for n in range(20_000)]

    assert leaks(*frames)["test", "train"].near_duplicates == 10_000


def test_images_without_coordinates_are_counted_since_they_may_be_near():
    found = leaks(image(1, "train", km=0), image(2, "train"), image(3, "test"))
    pair = found["test", "train"]
    assert (pair.unlocated, pair.other_unlocated, pair.clean, pair.known) == (1, 1, True, False)
    assert leaks(image(1, "train", km=0), image(2, "test", km=50))["test", "train"].known
