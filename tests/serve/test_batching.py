"""The queue and its lanes, with the real network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

import lostfound

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")

from lostfound.predict.engine import Engine, Seen
from lostfound.serve.batching import Ask, Batcher
from lostfound.serve.metrics import Metrics
from lostfound.serve.problems import Problem
from lostfound.serve.settings import ServerLimits


@pytest.fixture(scope="module")
def locator() -> lostfound.Locator:
    return lostfound.load(threads=1)


def served(
    limits: ServerLimits,
    work: Callable[[Batcher], Any],
    *,
    lanes: int = 2,
    for_one: dict[str, Any] | None = None,
) -> Any:
    """What comes of some work with a batcher that runs."""

    async def run() -> Any:
        batcher = Batcher(limits, lanes, Metrics(), for_one)
        batcher.start()
        try:
            return await work(batcher)
        finally:
            await asyncio.to_thread(batcher.close)

    return asyncio.run(run())


def test_what_comes_together_is_answered_in_order(locator, pictures):
    photos = [path.read_bytes() for path in pictures]

    async def work(batcher: Batcher) -> Any:
        asked = [
            batcher.results([photos[row % 6], b"no photo"], Ask("a", locator, 1 + row % 3))
            for row in range(20)
        ]
        return await asyncio.gather(*asked)

    own = [locator.locate(photo) for photo in photos]
    for row, (guess, failed) in enumerate(served(ServerLimits(), work)):
        assert guess.country == own[row % 6].country
        assert len(guess.candidates) == 1 + row % 3
        assert isinstance(failed, lostfound.ImageError)


def test_only_a_photo_that_comes_alone_has_all_cores(locator, pictures):
    photo = pictures[0].read_bytes()

    class Counted(Engine):
        photos: ClassVar[list[int]] = []

        def look_at(self, batch, **options):
            self.photos.append(len(batch))
            return super().look_at(batch, **options)

    async def work(batcher: Batcher) -> Any:
        alone = [await batcher.results([photo], Ask("a", locator, 5)) for _ in range(3)]
        return alone, await batcher.results([photo] * 8, Ask("a", locator, 5))

    alone, together = served(ServerLimits(), work, for_one={"a": Counted(locator.model, threads=2)})
    assert Counted.photos[:3] == [1, 1, 1]
    assert sum(Counted.photos) < 3 + 8
    guesses = [*(each for (each,) in alone), *together]
    assert {each.country for each in guesses} == {locator.locate(photo).country}


def test_what_was_only_looked_at_is_no_guess(locator, pictures):
    photo = pictures[0].read_bytes()
    (seen,) = served(ServerLimits(), lambda each: each.results([photo], Ask("a", locator, 5, only_look=True)))
    assert isinstance(seen, Seen)
    assert locator.guess(seen).country == locator.locate(photo).country


def test_more_than_may_wait_are_refused_with_a_time(locator, pictures):
    photo = pictures[0].read_bytes()

    async def work(batcher: Batcher) -> Any:
        asked = [batcher.results([photo] * 4, Ask("a", locator, 5)) for _ in range(12)]
        return await asyncio.gather(*asked, return_exceptions=True)

    results = served(ServerLimits(max_photos=4, queue=8), work, lanes=1)
    refused = [each for each in results if isinstance(each, Problem)]
    assert refused
    assert all(each.status == 429 and each.retry_after_s >= 1 for each in refused)
    assert sum(isinstance(each, list) for each in results) == len(results) - len(refused) >= 2


def test_what_is_late_is_said_and_not_worked_on(locator, pictures):
    photo = pictures[0].read_bytes()

    async def work(batcher: Batcher) -> Any:
        with pytest.raises(Problem) as found:
            await batcher.results([photo] * 64, Ask("a", locator, 5))
        return found.value

    assert served(ServerLimits(deadline_s=0.01), work, lanes=1).status == 504


def test_who_has_gone_is_not_waited_for(locator, pictures):
    photo = pictures[0].read_bytes()

    async def work(batcher: Batcher) -> Any:
        gone = [asyncio.create_task(batcher.results([photo] * 60, Ask("a", locator, 5))) for _ in range(4)]
        await asyncio.sleep(0)
        for each in gone:
            each.cancel()
        return await batcher.results([photo], Ask("a", locator, 5))

    (guess,) = served(ServerLimits(), work, lanes=1)
    assert guess.country == locator.locate(photo).country


def test_what_waits_at_the_end_is_answered_and_more_is_refused(locator, pictures):
    photo = pictures[0].read_bytes()

    async def work(batcher: Batcher) -> Any:
        task = asyncio.create_task(batcher.results([photo] * 20, Ask("a", locator, 5)))
        await asyncio.sleep(0)
        await asyncio.to_thread(batcher.close)
        with pytest.raises(Problem) as found:
            await batcher.results([photo], Ask("a", locator, 5))
        return await task, found.value.status, batcher.is_working

    results, status, works = served(ServerLimits(), work)
    assert (len(results), status, works) == (20, 503, False)


def test_models_take_turns(locator, pictures):
    photo = pictures[0].read_bytes()
    other = lostfound.load(threads=1)

    async def work(batcher: Batcher) -> Any:
        asked = [
            batcher.results([photo], Ask("ab"[row % 2], [locator, other][row % 2], 5)) for row in range(30)
        ]
        return await asyncio.gather(*asked)

    assert {guess.country for (guess,) in served(ServerLimits(), work)} == {locator.locate(photo).country}


@pytest.mark.parametrize("limits", [{"queue": 3}, {"memory": 1}])
def test_bounds_that_contradict_each_other_are_refused(limits):
    with pytest.raises(lostfound.UsageError, match="can't hold one"):
        ServerLimits(**limits)
