import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from lostfound.data.graph import components
from lostfound.data.phash import perceptual_hash
from lostfound.data.preparing.duplicates import (
    MAX_DISTANCE,
    _masks,
    near_duplicates,
    repeated_bytes,
    repeated_coordinates,
    repeated_pictures,
)
from lostfound.data.records import SCHEMA

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


@given(hash_lists(), st.integers(0, 15))
def test_exactly_the_near_pairs_are_found(hashes, max_distance):
    near = distances(hashes) <= max_distance
    pairs = near_duplicates(hashes, max_distance)

    assert all(near[a, b] for a, b in pairs)
    _, first = np.unique(hashes, return_index=True)  # equal hashes are each paired with the first of them
    found = {frozenset(pair) for pair in pairs.tolist()}
    for a in first:
        for b in first:
            assert (frozenset((int(a), int(b))) in found) == (a != b and near[a, b])


@given(hash_lists())
def test_the_groups_are_those_of_all_near_pairs(hashes):
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


def copies(image):
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=30)
    return {
        "half the size": small,
        "JPEG quality 30": Image.open(buffer),
        "brighter": ImageEnhance.Brightness(image).enhance(1.05),
        "grey": image.convert("L").convert("RGB"),
    }


def hash_distance(one, other):
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


@pytest.mark.parametrize("number", range(5))
def test_copies_are_near_and_other_pictures_are_not(picture, number):
    image = picture(number, 256, 192)

    for change, copy in copies(image).items():
        assert hash_distance(image, copy) <= MAX_DISTANCE, change
    assert hash_distance(image, picture(number + 100, 256, 192)) > 2 * MAX_DISTANCE


@pytest.mark.data
def test_copies_of_street_photos_are_near_and_other_views_of_the_place_are_not(real_data):
    strips = sorted((real_data / "street-panoramas").glob("*.jpg"))[::40]
    near = far = pairs = 0
    for path in strips:
        strip = Image.open(path).convert("RGB")
        views = [strip.crop((256 * i, 0, 256 * i + 256, 256)) for i in range(4)]
        changes = copies(views[0])
        near += sum(hash_distance(views[0], copy) <= MAX_DISTANCE for copy in changes.values())
        far += sum(hash_distance(views[i], views[j]) > MAX_DISTANCE for i in range(4) for j in range(i))
        pairs += 6

    assert near >= 0.95 * 4 * len(strips)
    assert far >= 0.99 * pairs


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


def records(**columns):
    n = len(next(iter(columns.values())))
    defaults = {"image_id": [f"i{k}" for k in range(n)], "place_id": [f"p{k}" for k in range(n)]}
    rows = {**defaults, **columns}
    return pa.Table.from_pylist(
        [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)], schema=SCHEMA
    )


def as_triples(repeats):
    columns = (repeats.rows, repeats.of, repeats.distance)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_of_the_same_coordinates_the_first_place_stays_with_its_views():
    table = records(
        latitude=[1.0, 1.0, 1.0, 1.5, None, None, 1.0],
        longitude=[2.0, 2.0, 2.0, 2.0, None, None, 2.0],
        place_id=["a", "a", "b", "c", "d", "e", "a"],
    )

    assert as_triples(repeated_coordinates(table)) == [(2, 0, 0)]


def test_of_the_same_bytes_the_first_stays():
    assert as_triples(repeated_bytes(records(sha256=["x", "y", "x", "z", "y", "x"]))) == [
        (2, 0, 0),
        (4, 1, 0),
        (5, 0, 0),
    ]


def test_of_near_duplicates_the_first_stays_and_the_distance_is_said():
    table = records(phash=[0, 0xFFFF << 40, 0b111, 0xFFFF << 40, 0b1111_1000])

    assert as_triples(repeated_pictures(table, 3)) == [(2, 0, 3), (3, 1, 0)]


def test_of_a_chain_every_image_that_goes_is_near_one_that_stays():
    chain = [(1 << n) - 1 for n in range(0, 40, 2)]  # two bits from one to the next

    repeats = repeated_pictures(records(phash=chain), 4)

    assert as_triples(repeats)[:4] == [(1, 0, 2), (2, 0, 4), (4, 3, 2), (5, 3, 4)]


@given(hash_lists(), st.integers(0, 10))
def test_what_stays_is_what_a_search_image_by_image_keeps(hashes, max_distance):
    kept = []
    for row, value in enumerate(hashes):
        if not any((value ^ hashes[other]).bit_count() <= max_distance for other in kept):
            kept.append(row)

    repeats = repeated_pictures(pa.table({"phash": pa.array(hashes, pa.uint64())}), max_distance)

    assert sorted(set(range(len(hashes))) - set(repeats.rows.tolist())) == kept
    assert all(distance <= max_distance for _, _, distance in as_triples(repeats))
