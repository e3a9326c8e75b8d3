from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import pytest

from lostfound.collect.workers import WorkerGroup, backoff_s
from lostfound.errors import CollectError


def run(group: WorkerGroup, *works: Callable) -> None:
    async def main() -> None:
        await group.side_by_side([work() for work in works])

    group.run(main())


def test_waits_grow_and_are_never_all_the_same():
    assert 0.25 <= backoff_s(1, 0.5) <= 0.5
    assert 1.0 <= backoff_s(3, 0.5) <= 2.0
    assert 30.0 <= backoff_s(1000, 0.5) <= 60.0
    assert len({backoff_s(1, 0.5) for _ in range(20)}) > 1


def test_a_wait_is_no_shorter_than_was_asked_for():
    assert backoff_s(1, 0.5, 90.0) == 90.0


def test_the_first_error_is_raised_after_all_have_ended():
    group, ended = WorkerGroup(lambda: False), []

    async def fails() -> None:
        group.give_up(CollectError("first"))
        group.give_up(CollectError("second"))

    async def waits() -> None:
        await group.sleep(60)
        ended.append(True)

    with pytest.raises(CollectError, match="first"):
        run(group, waits, fails)
    assert ended == [True]


def test_enough_stops_who_waits():
    enough: list[bool] = []
    group, beats = WorkerGroup(lambda: bool(enough)), []

    async def waits() -> None:
        await group.sleep(60, lambda: beats.append(True))

    async def finishes() -> None:
        enough.append(True)

    start = time.monotonic()
    run(group, waits, finishes)
    assert time.monotonic() - start < 5
    assert beats


def test_ctrl_c_lets_what_is_under_way_finish_and_a_second_one_does_not():
    finished: list[int] = []

    def stopped_by(signals: int) -> None:
        group = WorkerGroup(lambda: False)

        async def work() -> None:
            for _ in range(signals):
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.05)
            finished.append(signals)

        with pytest.raises(KeyboardInterrupt):
            run(group, work)

    stopped_by(1)
    stopped_by(2)
    assert finished == [1]


def test_where_one_fails_the_others_are_stopped_at_once():
    group, ended = WorkerGroup(lambda: False), []

    async def waits() -> None:
        await asyncio.sleep(60)
        ended.append(True)

    async def fails() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run(group, waits, fails)
    assert ended == []
