"""Long lists in little memory."""

from __future__ import annotations

import pytest

from lostfound.data.packed import BLOCK, Packed


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_packed_items_are_those_of_a_list(length):
    items = [(number, str(number)) for number in range(length)]
    packed = Packed(items)

    assert len(packed) == length
    assert list(packed) == items
    assert packed[BLOCK - 2 : 2 * BLOCK + 3] == items[BLOCK - 2 : 2 * BLOCK + 3]
    assert packed[::-1] == items[::-1]


def test_single_items_are_found_from_both_ends():
    packed = Packed(range(2 * BLOCK + 5))

    assert [packed[row] for row in (0, BLOCK, -1, -BLOCK)] == [0, BLOCK, 2 * BLOCK + 4, BLOCK + 5]
    with pytest.raises(IndexError):
        packed[len(packed)]


def test_all_but_the_last_block_takes_little_memory():
    packed = Packed(f"photos/{number:09}.jpg" for number in range(4 * BLOCK + 1))

    assert sum(map(len, packed._packed)) < 10 * len(packed)
