"""Photos of all requests, worked on together: a bounded queue, and lanes that take from it.

A lane is a thread that takes some photos that wait, decodes them, runs the network once, and answers. There
are as many as cores, each with one thread of the network: so nothing waits for anything but work, photos that
come together are batched without a moment's waiting, and one that comes alone is not kept. Where nothing
else is worked on, a photo has all cores. Decoding and the network let other threads run; the thread that
talks HTTP is one more.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lostfound.errors import LostFoundError
from lostfound.predict.engine import Engine, Seen, Unanswered
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator
from lostfound.serve.metrics import Metrics
from lostfound.serve.problems import Problem, busy
from lostfound.serve.settings import ServerLimits

Result = Guess | Seen | Unanswered | Problem
"""What comes of a photo: a guess, or what the network said if that was asked for, or why there is neither."""
_FIRST_GUESS_S = 0.02  # a photo, until it has been measured
_SMOOTHING = 0.1


@dataclass(frozen=True)
class Ask:
    """What is wanted of photos.

    Attributes:
        model: The model's name.
        locator: Answers as the request's options say.
        top: How many candidates to give.
        only_look: Give what the network says: several photos are answered together later.
    """

    model: str
    locator: Locator
    top: int
    only_look: bool = False


@dataclass(eq=False)
class _Waiting:
    photo: bytes
    ask: Ask
    end: float  # by time.monotonic
    future: asyncio.Future[Result]
    since: float = field(default_factory=time.monotonic)


class Batcher:
    """The queue and its lanes.

    Attributes:
        limits: How much may wait.
    """

    def __init__(
        self, limits: ServerLimits, lanes: int, metrics: Metrics, for_one: Mapping[str, Engine] | None = None
    ) -> None:
        self.limits, self.metrics = limits, metrics
        self._for_one = for_one or {}
        self._at_work = 0
        self._count = lanes
        self._photo_s = _FIRST_GUESS_S
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = True
        self._lanes: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to work, for the event loop that runs here."""
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._lanes = [
            threading.Thread(target=self._work, name=f"lane-{number}", daemon=True)
            for number in range(self._count)
        ]
        for lane in self._lanes:
            lane.start()

    def close(self) -> None:
        """Answer what waits, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for lane in self._lanes:
            lane.join()

    @property
    def is_working(self) -> bool:
        """Whether photos are taken and all lanes live."""
        return not self._closed and all(lane.is_alive() for lane in self._lanes)

    def check_room(self, photos: int = 1) -> None:
        """See whether so many more photos may wait.

        Raises:
            Problem: They may not.
        """
        if len(self._queue) + photos > self.limits.queue:
            raise busy(
                f"{len(self._queue)} photos are waiting already",
                len(self._queue) * self._photo_s / self._count,
            )

    async def results(self, photos: Sequence[bytes], ask: Ask) -> list[Result]:
        """What comes of photos, in order. Who stops waiting takes them out of the queue.

        Raises:
            Problem: Too many wait already, or they were not answered in time.
        """
        assert self._loop is not None
        end = time.monotonic() + self.limits.deadline_s
        with self._changed:
            if self._closed:
                raise Problem(503, "the server is stopping: ask again in a moment", retry_after_s=1)
            self.check_room(len(photos))
            waiting = [_Waiting(photo, ask, end, self._loop.create_future()) for photo in photos]
            self._queue.extend(waiting)
            self._changed.notify(len(waiting))
        self.metrics.waiting(len(self._queue))
        try:
            async with asyncio.timeout(self.limits.deadline_s):
                return [await each.future for each in waiting]
        except TimeoutError:
            raise Problem(
                504,
                f"not answered within {self.limits.deadline_s:g} s: send fewer photos at once",
                retry_after_s=1,
            ) from None
        finally:
            for each in waiting:
                each.future.cancel()

    def _work(self) -> None:
        while batch := self._take():
            start = time.monotonic()
            results = self._results(batch)
            with self._changed:
                self._at_work -= 1
            each_s = (time.monotonic() - start) / len(batch)
            self._photo_s += _SMOOTHING * (each_s - self._photo_s)
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(_deliver, batch, results)
            except RuntimeError:  # the loop has ended: nobody waits any more
                return

    def _take(self) -> list[_Waiting]:
        """Photos of one model, the oldest first; an equal share for each lane. None when all is done."""
        with self._changed:
            while not self._queue:
                if self._closed:
                    return []
                self._changed.wait()
            most = min(self.limits.batch, math.ceil(len(self._queue) / self._count))
            model = self._queue[0].ask.model
            batch: list[_Waiting] = []
            others: list[_Waiting] = []
            while self._queue and len(batch) < most:
                each = self._queue.popleft()
                (batch if each.ask.model == model else others).append(each)
            self._queue.extendleft(reversed(others))
            self._at_work += 1
        self.metrics.waiting(len(self._queue))
        return batch

    def _results(self, batch: Sequence[_Waiting]) -> list[Result]:
        try:
            return self._answered(batch)
        except Exception as error:  # of whatever kind: lanes live on
            return [_unexpected(error)] * len(batch)

    def _answered(self, batch: Sequence[_Waiting]) -> list[Result]:
        now = time.monotonic()
        late = Problem(504, "it waited longer than its deadline", retry_after_s=1)
        results: list[Result] = [late] * len(batch)
        alive = [row for row, each in enumerate(batch) if each.end > now and not each.future.cancelled()]
        if not alive:
            return results
        metrics, model = self.metrics, batch[0].ask.model
        engine: Engine = batch[0].ask.locator
        if len(batch) == self._at_work == 1:
            engine = self._for_one.get(model, engine)
        for row in alive:
            metrics.stage("wait", now - batch[row].since)
        prepared = [engine.prepare(batch[row].photo) for row in alive]
        decoded = time.monotonic()
        seen = list(engine.look_at(prepared))
        looked = time.monotonic()
        for row, each in zip(alive, seen, strict=True):
            results[row] = each
        _answer_alike([batch[row].ask for row in alive], alive, results)
        metrics.batch(model, len(alive))
        metrics.stage("decode", decoded - now)
        metrics.stage("network", looked - decoded)
        metrics.stage("answer", time.monotonic() - looked)
        return results


def _answer_alike(asks: Sequence[Ask], rows: Sequence[int], results: list[Result]) -> None:
    """Turn what was seen into guesses: all photos of which the same is wanted at once."""
    alike: dict[tuple[int, int], list[int]] = {}
    for ask, row in zip(asks, rows, strict=True):
        if not ask.only_look and isinstance(results[row], Seen):
            alike.setdefault((id(ask.locator.answerer), ask.top), []).append(row)
    of = dict(zip(rows, asks, strict=True))
    for together in alike.values():
        ask = of[together[0]]
        for row, found in zip(together, _guesses(ask, [results[row] for row in together]), strict=True):
            results[row] = found


def _guesses(ask: Ask, seen: Sequence[Any]) -> Sequence[Result]:
    names = np.array([f"{row:06}" for row in range(len(seen))], dtype=object)
    try:
        return ask.locator.guess_groups(seen, names, top=ask.top)
    except LostFoundError as error:
        return [Problem(400, str(error))] * len(seen)
    except Exception as error:  # of whatever kind: it must not cost the answers of other requests
        return [_unexpected(error)] * len(seen)


def _unexpected(error: Exception) -> Problem:
    return Problem(500, f"unexpected {type(error).__name__}: {error} (please report it)")


def _deliver(batch: Sequence[_Waiting], results: Sequence[Result]) -> None:
    for each, result in zip(batch, results, strict=True):
        if not each.future.done():
            each.future.set_result(result)
