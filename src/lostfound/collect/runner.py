"""Asking politely: in parallel but paced, with retries, within a budget, stopping where it makes no sense."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lostfound.collect.http import HttpClient, Request, RequestFailed, Response
from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger, disk_error
from lostfound.collect.quotas import Quotas
from lostfound.collect.tasks import MICRO, NewTask, Outcome, Task
from lostfound.collect.workers import LOOK_UP_S, WorkerGroup, backoff_s
from lostfound.errors import CollectError

FAILURES_IN_ROW = 10
"""So many tasks failing one after the other are no accident."""


@dataclass(frozen=True)
class RunLimits:
    """What a run may do.

    Attributes:
        max_requests: Requests of the whole collection, all runs together; None for no limit.
        max_cost: Dollars of the whole collection, all runs together; None for no limit.
        rate: Requests a second.
        parallel: Requests under way at once.
        patience_s: How long to go on without a single response, in seconds.
        timeout_s: How long to wait for one response, in seconds.
        attempts: How often to send the same request when the service fails.
        first_wait_s: How long to wait after the first failure, in seconds; twice as long after each more.
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
    """A service: which requests to send to it, and what its responses mean."""

    source: str

    @property
    def quotas(self) -> Quotas | None:
        """Counts the places that it draws; None if it draws none."""

    def extent(self) -> tuple[int, int]:
        """Units of progress: how many there are in all, and how many earlier runs did."""

    def next_tasks(self) -> list[NewTask]:
        """Further tasks, when the ledger holds none that could be done now; none at the end."""

    def request(self, task: Task) -> Request:
        """The request of a task."""

    def outcome_of(self, task: Task, response: Response) -> Outcome:
        """What a response means; its content is the image if the outcome has a record.

        Raises:
            RequestFailed: It does not do the task.
        """

    def record(self, task: Task) -> Mapping[str, Any] | None:
        """The fields of the image record that the task would give; None for one that gives no image."""

    def note(self, task: Task, outcome: Outcome) -> int:
        """Note what came of a task; gives how many units of progress that was."""


class Runner:
    """Does the tasks of a ledger.

    Attributes:
        budget_spent: The budget allowed no further request.
        advanced: Units of progress since `run` was called.
    """

    def __init__(
        self,
        collector: Collector,
        ledger: Ledger,
        inbox: Inbox,
        limits: RunLimits,
    ) -> None:
        self.budget_spent = False
        self.advanced = 0
        self._collector = collector
        self._ledger = ledger
        self._inbox = inbox
        self._limits = limits
        self._group = WorkerGroup(lambda: self.budget_spent)
        self._show: Callable[[int], None]
        self._busy: set[int] = set()
        self._changed: asyncio.Event
        self._requests, self._cost = ledger.spent()
        self._free_at = 0.0  # when the next request may be sent
        self._no_response_since: float | None = None
        self._throttled = 0
        self._errors: Counter[str] = Counter()  # in a row, by kind of task

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
        self._group.run(self._run(images))
        return not self._group.stopping and self._ledger.waiting() >= images

    async def _run(self, images: int) -> None:
        self._changed = asyncio.Event()
        self._free_at = 0.0
        limits = self._limits
        async with HttpClient(timeout_s=limits.timeout_s, connections=limits.parallel) as client:
            await self._group.side_by_side([self._work(client, images) for _ in range(limits.parallel)])

    async def _work(self, client: HttpClient, images: int) -> None:
        """One worker: a task after the other, for as long as there are any."""
        while not self._group.stopping and self._ledger.waiting() + len(self._busy) < images:
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
        task = self._ledger.next_task(self._busy)
        if task is None and (new := self._collector.next_tasks()):
            with self._ledger.writing():
                self._ledger.add(new)
            task = self._ledger.next_task(self._busy)
        if task is not None:
            self._busy.add(task.id)
        return task

    async def _do(self, client: HttpClient, task: Task) -> None:
        """Ask until there is a response that does the task, or no point in asking."""
        record = self._collector.record(task)
        if record is not None and self._inbox.has(task.key):
            # An earlier run was killed after it had kept the image and before it could write that down.
            self._finish(task, Outcome("hit", record=record))
            return
        attempts = 0
        while await self._turn():
            request = self._collector.request(task)
            number = self._send(task, request)
            if number is None:
                return
            try:
                response = await client.send(request)
                outcome = self._collector.outcome_of(task, response)
            except RequestFailed as failure:
                self._note_failure(number, request, failure)
                attempts += failure.outcome in ("retried", "wrong")
                if failure.outcome == "wrong" or attempts >= self._limits.attempts:
                    self._finish(task, Outcome("error", detail=failure.detail))
                    return
                if failure.outcome == "retried":
                    await self._group.sleep(self._backoff_s(attempts, failure))
                continue
            self._no_response_since, self._throttled = None, 0
            if outcome.record is None or self._kept(task, response):
                self._finish(task, outcome, number)
            return

    async def _turn(self) -> bool:
        """Wait for this request's turn; False if there is none any more."""
        loop = asyncio.get_running_loop()
        while not self._group.stopping and (wait_s := self._free_at - loop.time()) > 0:
            await asyncio.sleep(min(wait_s, LOOK_UP_S))
        if self._group.stopping:
            return False
        try:
            self._inbox.check_room()
        except CollectError as error:
            self._group.give_up(error)
            return False
        self._free_at = max(self._free_at, loop.time()) + 1 / self._limits.rate
        return True

    def _send(self, task: Task, request: Request) -> int | None:
        """Write a request down before it is sent; gives its number, or None if the budget forbids it."""
        limits = self._limits
        if (limits.max_requests is not None and self._requests + 1 > limits.max_requests) or (
            limits.max_cost is not None and self._cost + request.cost > round(limits.max_cost * MICRO)
        ):
            self.budget_spent = True
            return None
        number = self._ledger.request_sent(task, request.cost)
        self._requests, self._cost = self._requests + 1, self._cost + request.cost
        return number

    def _kept(self, task: Task, response: Response) -> bool:
        """Keep an image; False if the disk does not take it."""
        try:
            self._inbox.write(task.key, response.content)
        except OSError as error:
            self._group.give_up(disk_error(self._inbox.folder, error))
            return False
        return True

    def _finish(self, task: Task, outcome: Outcome, number: int | None = None) -> None:
        with self._ledger.writing():
            if number is not None:
                self._ledger.request_ended(number, "answered")
            self._ledger.finish(task, outcome)
        if outcome.again is None:
            units = self._collector.note(task, outcome)
            self.advanced += units
            if units:
                self._show(units)
        errors = self._errors[task.kind] + 1 if outcome.outcome == "error" else 0
        self._errors[task.kind] = errors
        if errors >= FAILURES_IN_ROW:
            self._group.give_up(
                CollectError(
                    f"{errors} requests in a row failed, the last one for: {outcome.detail}; look into "
                    "that, then run the same command again; what was collected is kept"
                )
            )

    def _note_failure(self, number: int, request: Request, failure: RequestFailed) -> None:
        """Write a failure down, slow down where the service or the network is the reason, or give up."""
        self._ledger.request_ended(number, failure.outcome, failure.detail)
        if failure.outcome == "unreachable":  # it never left this machine
            self._requests, self._cost = self._requests - 1, self._cost - request.cost
        now = asyncio.get_running_loop().time()
        if failure.outcome == "refused":
            self._group.give_up(CollectError(failure.detail))
        if failure.outcome in ("throttled", "unreachable"):
            self._throttled += 1
            self._free_at = max(self._free_at, now + self._backoff_s(self._throttled, failure))
        since = self._no_response_since = now if self._no_response_since is None else self._no_response_since
        waited_s = max(now - since, failure.wait_s or 0.0)
        if waited_s > self._limits.patience_s:
            self._group.give_up(
                CollectError(
                    f"no answer for {waited_s:.0f} s, longer than the patience of "
                    f"{self._limits.patience_s:g} s ({failure.detail}): run the same command again later; "
                    "what was collected is kept"
                )
            )

    def _backoff_s(self, failures: int, failure: RequestFailed) -> float:
        return backoff_s(failures, self._limits.first_wait_s, failure.wait_s)
