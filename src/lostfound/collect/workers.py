"""What the workers of a run share, with a browser or without: how they stop together, and how they wait."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from lostfound.errors import CollectError

LOOK_UP_S = 0.1
"""A worker that waits looks so often whether it is to stop, in seconds."""

_LONGEST_WAIT_S = 60.0


class WorkerGroup:
    """Workers on one event loop that stop together: on Ctrl-C, on an error, or when there is enough.

    Attributes:
        interrupted: The user, or the system, asked it to stop.
        error: Why it can't go on.
    """

    def __init__(self, enough: Callable[[], bool]) -> None:
        """Make a group.

        Args:
            enough: Says whether nothing more is wanted.
        """
        self.interrupted = False
        self.error: CollectError | None = None
        self._enough = enough

    @property
    def stopping(self) -> bool:
        """Is nothing more to be begun?"""
        return self.interrupted or self.error is not None or self._enough()

    def give_up(self, error: CollectError) -> None:
        """Stop because of an error; the first one is raised in the end."""
        self.error = self.error or error

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run an event loop until some work, which uses `side_by_side`, has ended.

        Raises:
            CollectError: It can't go on.
            KeyboardInterrupt: The user, or the system, asked it to stop; what was under way is finished.
        """
        try:
            asyncio.run(work)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        if self.error is not None:
            raise self.error
        if self.interrupted:
            raise KeyboardInterrupt

    async def side_by_side(self, workers: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Run workers until all have ended, or one fails: then the others are stopped at once."""
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError, RuntimeError, NotImplementedError):  # only the main thread may
                loop.add_signal_handler(number, self._interrupt, main)
        tasks = [asyncio.create_task(worker) for worker in workers]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def sleep(self, seconds: float, meanwhile: Callable[[], object] | None = None) -> None:
        """Wait, but no longer than until it is to stop.

        Args:
            seconds: How long.
            meanwhile: Called again and again while it waits.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self.stopping and (left_s := until - loop.time()) > 0:
            if meanwhile is not None:
                meanwhile()
            await asyncio.sleep(min(left_s, LOOK_UP_S))

    def _interrupt(self, main: asyncio.Task[Any] | None) -> None:
        if self.interrupted and main is not None:  # the second time it is meant at once
            main.cancel()
        self.interrupted = True


def backoff_s(failures: int, first_s: float, asked_s: float | None = None) -> float:
    """How long to wait after failures, in seconds: twice as long after each, and at random.

    At random so that workers that failed together do not come back together.

    Args:
        failures: How many there were in a row.
        first_s: The longest wait after the first one, in seconds.
        asked_s: How long the service asks to wait: the least, if it said so.
    """
    longest_s = min(_LONGEST_WAIT_S, first_s * 2.0 ** min(failures - 1, 10))
    return max(random.uniform(0.5, 1.0) * longest_s, asked_s or 0.0)  # noqa: S311
