"""Work spread over processes: bounded, stopped cleanly by Ctrl-C, and never outliving its parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TypeVar

from lostfound.errors import LostFoundError

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(work: Callable[[Item], Result], items: Iterable[Item], *, jobs: int | None) -> Iterator[Result]:
    """Do the work of every item, in other processes if more than one job is asked for.

    Args:
        work: A module-level function, or a partial of one.
        items: What to do; at most two items a process wait at a time, so that memory stays flat.
        jobs: Processes; all cores if None. With one, the work is done in this process.

    Yields:
        The results, in the order in which they are done.

    Raises:
        LostFoundError: A process was killed.
    """
    jobs = jobs or os.cpu_count() or 1
    if jobs <= 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_watch_parent) as pool:
        waiting: set[Future[Result]] = set()
        try:
            for item in items:
                if len(waiting) >= 2 * jobs:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from [future.result() for future in done]
                with _without_interrupts():
                    waiting.add(pool.submit(work, item))
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from [future.result() for future in done]
        except BrokenProcessPool:
            raise LostFoundError(
                "a process that was working on images ended abruptly, perhaps for want of memory: "
                "run the same command again with fewer --jobs; what was finished is kept"
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started meanwhile never see a Ctrl-C: it is the parent's to handle."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch_parent() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """The workers of a killed parent would wait for ever, or write beside its successor's."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
