"""Memory that is shared out by its bytes."""

import threading
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.parallel.room import Room

MIB = 2**20


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(0, 200), min_size=1, max_size=12), processes=st.booleans())
def test_never_more_is_taken_than_there_is_and_nobody_waits_for_ever(sizes, processes):
    room = Room(get_context("spawn") if processes else None, total=128 * MIB)
    lock = threading.Lock()
    now = 0
    most = []

    def work(size):
        nonlocal now
        counted = min(size // 16, 8) * 16  # what is smaller than a unit is not counted, nor what is above all
        with room.taken(size * MIB):
            with lock:
                now += counted
                most.append(now)
            with lock:
                now -= counted

    threads = [threading.Thread(target=work, args=(size,), daemon=True) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)

    assert not any(thread.is_alive() for thread in threads)
    assert len(most) == len(sizes)
    assert max(most) <= 128


def test_room_is_given_back_after_an_error():
    room = Room(total=32 * MIB)
    for _ in range(3):
        with pytest.raises(ValueError, match="stop"), room.taken(100 * MIB):
            raise ValueError("stop")
    with room.taken(32 * MIB):
        pass
