"""Work in numbered blocks, of which the missing ones are done."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.errors import LostFoundError
from lostfound.parallel.blocks import Blocks, Lazy


def fail(numbers):
    raise LostFoundError(f"{numbers} fail")


def sums_of(blocks, missing, items, **settings):
    """The sum of each block's items, by the block's number, in the order in which they were done."""
    results = {}

    def make(number):
        return items[blocks.rows(number)]

    blocks.do(missing, make, sum, title="Testing", finished=results.__setitem__, **settings)
    return results


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 50))
def test_blocks_have_all_items_once(items, size):
    blocks = Blocks(items, size)

    own = [list(range(items))[blocks.rows(number)] for number in range(len(blocks))]
    assert [item for each in own for item in each] == list(range(items))
    assert [len(each) for each in own] == [blocks.count(number) for number in range(len(blocks))]
    assert all(own)


@pytest.mark.parametrize("jobs", [1, 2])
def test_only_the_missing_blocks_are_done_and_each_result_has_its_number(jobs, capsys):
    results = sums_of(Blocks(10, 4), [2, 0], list(range(10)), jobs=jobs)

    assert results == {0: 6, 2: 17}
    assert capsys.readouterr().err.startswith("Testing: 10/10 in ")


def test_work_is_done_where_it_is_told():
    class Backwards:
        def spread(self, work, items):
            return map(work, reversed(items))

    results = sums_of(Blocks(6, 2), range(3), list(range(6)), engine=Backwards())

    assert list(results.items()) == [(2, 9), (1, 5), (0, 1)]


def test_an_error_ends_the_work_and_what_was_done_before_is_known():
    results = {}

    def work(numbers):
        return fail(numbers) if 4 in numbers else sum(numbers)

    def make(number):
        return [2 * number, 2 * number + 1]

    with pytest.raises(LostFoundError, match=r"\[4, 5\] fail"):
        Blocks(8, 2).do(range(4), make, work, title="Testing", jobs=1, finished=results.__setitem__)
    assert results == {0: 1, 1: 5}


def test_nothing_missing_is_nothing_done():
    assert sums_of(Blocks(0, 4), [], []) == {}
    assert sums_of(Blocks(9, 4), [], []) == {}


def test_lazy_items_are_made_when_they_are_asked_for():
    made = []
    lazy = Lazy(lambda number: made.append(number) or 10 * number, [4, 5, 6])

    assert len(lazy) == 3
    assert made == []
    assert lazy[1] == 50
    assert made == [5]
    assert list(lazy[1:]) == [50, 60]
