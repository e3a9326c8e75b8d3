import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.data.preparing.duplicates import repeated_bytes, repeated_coordinates, repeated_pictures
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


@settings(deadline=None)
@given(hash_lists(), st.integers(0, 10))
def test_what_stays_is_what_a_search_image_by_image_keeps(hashes, max_distance):
    kept = []
    for row, value in enumerate(hashes):
        if not any((value ^ hashes[other]).bit_count() <= max_distance for other in kept):
            kept.append(row)

    repeats = repeated_pictures(pa.table({"phash": pa.array(hashes, pa.uint64())}), max_distance)

    assert sorted(set(range(len(hashes))) - set(repeats.rows.tolist())) == kept
    assert all(distance <= max_distance for _, _, distance in as_triples(repeats))
