"""Asking politely: in parallel but paced, with retries, within a budget, stopping where it makes no sense."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from lostfound.collect.http import HttpClient, Request, RequestFailed, Response
from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger
from lostfound.collect.tasks import MICRO, NewTask, Outcome, Task
from lostfound.errors import CollectError

FAILURES_IN_ROW = 10
"""So many tasks failing one after the other are no accident."""

_LONGEST_WAIT_S, _LOOK_UP_S = 60.0, 0.2


@dataclass(frozen=True)
class Limits:
    """What a run may do.

    Attributes:
        max_requests: Requests of the whole collection, all runs together; None for no limit.
        max_cost: Dollars of the whole collection, all runs together; None for no limit.
        rate: Requests a second.
        parallel: Requests under way at once.
        patience_s: How long to go on without a single answer, in seconds.
        timeout_s: How long to wait for one answer, in seconds.
        attempts: How often to ask the same when the service fails.
        first_wait_s: How long to wait after the first trouble, in seconds; twice as long after each more.
    """

    max_requests: int | None = None
    max_cost: float | None = None
    rate: float = 10.0
    parallel: int = 4
    patience_s: float = 900.0
    timeout_s: float = 30.0
    attempts: int = 6
    first_wait_s: float = 0.5


class Collector(Protocol):
    """A service: what to ask of it, and what its answers mean."""

    source: str

    def more(self) -> list[NewTask]:
        """Further tasks, when the ledger holds none that could be done now; none at the end."""

    def question(self, task: Task) -> Request:
        """The request of a task."""

    def answer(self, task: Task, reply: Response) -> Outcome:
        """What a reply means; its content is the image if the outcome has a record.

        Raises:
            Trouble: It is no answer.
        """

    def record(self, task: Task) -> Mapping[str, Any] | None:
        """The fields of the image record that the task would give; None for one that gives no image."""

    def done(self, task: Task, outcome: Outcome) -> int:
        """Note what came of a task; gives how many units of progress that was."""


class Runner:
    """Does the tasks of a ledger."""

    def __init__(
        self,
        collector: Collector,
        ledger: Ledger,
        inbox: Inbox,
        limits: Limits,
    ) -> None:
        self.collector = collector
        self.ledger = ledger
        self.inbox = inbox
        self.limits = limits
        self.budget_spent = False
        self.interrupted = False
        self.advanced = 0
        self._show: Callable[[int], None]
        self._error: CollectError | None = None
        self._busy: set[int] = set()
        self._changed: asyncio.Event
        self._requests, self._cost = ledger.spent()
        self._free_at = 0.0  # when the next request may be sent
        self._no_answer_since: float | None = None
        self._throttled = 0
        self._failures: Counter[str] = Counter()  # in a row, by kind of task

    @property
    def stopping(self) -> bool:
        """Is nothing more to be asked?"""
        return self.interrupted or self.budget_spent or self._error is not None

    def run(self, images: int, show: Callable[[int], None]) -> bool:
        """Ask until there is nothing left to ask, or so many images wait in the inbox.

        Args:
            images: How many.
            show: Is told of progress; `advanced` holds the sum of this run's.

        Returns:
            True if the images are why it ended.

        Raises:
            CollectError: It can't go on.
            KeyboardInterrupt: The user, or the system, asked it to stop; what was under way is finished.
        """
        self._show, self.advanced = show, 0
        try:
            asyncio.run(self._run(images))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        if self._error is not None:
            raise self._error
        if self.interrupted:
            raise KeyboardInterrupt
        return not self.stopping and self.ledger.waiting() >= images

    async def _run(self, images: int) -> None:
        self._changed = asyncio.Event()
        self._free_at = 0.0
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError, RuntimeError, NotImplementedError):  # only the main thread may
                loop.add_signal_handler(number, self._interrupt, main)
        async with HttpClient(timeout_s=self.limits.timeout_s, connections=self.limits.parallel) as client:
            workers = [asyncio.create_task(self._work(client, images)) for _ in range(self.limits.parallel)]
            try:
                await asyncio.gather(*workers)
            except BaseException:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
                raise

    def _interrupt(self, main: asyncio.Task[Any] | None) -> None:
        if self.interrupted and main is not None:  # the second time it is meant at once
            main.cancel()
        self.interrupted = True
        self._changed.set()

    async def _work(self, client: HttpClient, images: int) -> None:
        while not self.stopping and self.ledger.waiting() + len(self._busy) < images:
            task = self._take()
            if task is None:
                if not self._busy:
                    return
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                await self._do(client, task)
            finally:
                self._busy.discard(task.id)
                self._changed.set()

    def _take(self) -> Task | None:
        task = self.ledger.first(self._busy)
        if task is None and (more := self.collector.more()):
            with self.ledger.writing():
                self.ledger.add(more)
            task = self.ledger.first(self._busy)
        if task is not None:
            self._busy.add(task.id)
        return task

    async def _do(self, client: HttpClient, task: Task) -> None:
        """Ask until there is an answer, or no point in asking."""
        record = self.collector.record(task)
        if record is not None and self.inbox.has(task.key):
            # An earlier run was killed after it had kept the image and before it could write that down.
            self._finish(task, Outcome("hit", record=record))
            return
        attempts = 0
        while await self._turn():
            question = self.collector.question(task)
            request = self._send(task, question)
            if request is None:
                return
            try:
                reply = await client.ask(question)
                outcome = self.collector.answer(task, reply)
            except RequestFailed as trouble:
                self._write_down(request, question, trouble)
                attempts += trouble.outcome in ("retried", "wrong")
                if trouble.outcome == "wrong" or attempts >= self.limits.attempts:
                    self._finish(task, Outcome("error", detail=trouble.detail))
                    return
                if trouble.outcome == "retried" and not self.stopping:
                    await self._sleep(self._wait_s(attempts, trouble.wait_s))
                continue
            self._no_answer_since, self._throttled = None, 0
            if outcome.record is None or self._kept(task, reply):
                self._finish(task, outcome, request)
            return

    def _kept(self, task: Task, reply: Response) -> bool:
        """Keep an image; False if the disk does not take it."""
        try:
            self.inbox.write(task.key, reply.content)
        except OSError as error:
            self._error = CollectError(
                f"{self.inbox.folder}: {error.strerror}: make room on the disk or mend it, then run the same "
                "command again; what was collected is kept"
            )
            return False
        return True

    def _finish(self, task: Task, outcome: Outcome, request: int | None = None) -> None:
        with self.ledger.writing():
            if request is not None:
                self.ledger.came_back(request, "answered")
            self.ledger.finish(task, outcome)
        if outcome.again is None:
            units = self.collector.done(task, outcome)
            self.advanced += units
            if units:
                self._show(units)
        failures = self._failures[task.kind] + 1 if outcome.outcome == "error" else 0
        self._failures[task.kind] = failures
        if failures >= FAILURES_IN_ROW and self._error is None:
            self._error = CollectError(
                f"{failures} requests in a row failed, the last one for: {outcome.detail}; look into "
                "that, then run the same command again; what was collected is kept"
            )

    def _send(self, task: Task, question: Request) -> int | None:
        """Write a request down before it is sent; None if the budget does not allow it."""
        limits = self.limits
        if (limits.max_requests is not None and self._requests + 1 > limits.max_requests) or (
            limits.max_cost is not None and self._cost + question.cost > round(limits.max_cost * MICRO)
        ):
            self.budget_spent = True
            return None
        request = self.ledger.sent(task, question.cost)
        self._requests, self._cost = self._requests + 1, self._cost + question.cost
        return request

    def _write_down(self, request: int, question: Request, trouble: RequestFailed) -> None:
        """Note trouble, slow down where the service or the network is the reason, or give up."""
        self.ledger.came_back(request, trouble.outcome, trouble.detail)
        if trouble.outcome == "unreachable":  # it never left this machine
            self._requests, self._cost = self._requests - 1, self._cost - question.cost
        now = asyncio.get_running_loop().time()
        if trouble.outcome == "refused":
            self._error = self._error or CollectError(trouble.detail)
        if trouble.outcome in ("throttled", "unreachable"):
            self._throttled += 1
            wait_s = self._wait_s(self._throttled, trouble.wait_s)
            self._free_at = max(self._free_at, now + wait_s)
        since = self._no_answer_since = now if self._no_answer_since is None else self._no_answer_since
        waited = max(now - since, trouble.wait_s or 0.0)
        if waited > self.limits.patience_s and self._error is None:
            self._error = CollectError(
                f"no answer for {waited:.0f} s, longer than the patience of {self.limits.patience_s:g} s "
                f"({trouble.detail}): run the same command again later; what was collected is kept"
            )

    async def _turn(self) -> bool:
        """Wait for this request's turn; False if there is none any more."""
        loop = asyncio.get_running_loop()
        while not self.stopping and (wait_s := self._free_at - loop.time()) > 0:
            await asyncio.sleep(min(wait_s, _LOOK_UP_S))
        if self.stopping:
            return False
        try:
            self.inbox.check_room()
        except CollectError as error:
            self._error = error
            return False
        self._free_at = max(self._free_at, loop.time()) + 1 / self.limits.rate
        return True

    async def _sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self.stopping and (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, _LOOK_UP_S))

    def _wait_s(self, times: int, asked_s: float | None) -> float:
        """How long to wait after trouble: twice as long each time, never all at once, and what was asked."""
        longest: float = min(_LONGEST_WAIT_S, self.limits.first_wait_s * 2 ** min(times - 1, 10))
        jitter = random.uniform(0.5, 1.0)  # noqa: S311
        return float(max(jitter * longest, asked_s or 0.0))
