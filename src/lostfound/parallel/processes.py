"""Work spread over processes: bounded, stopped cleanly by Ctrl-C, and never outliving its parent."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.util import get_temp_dir
from types import FrameType, TracebackType
from typing import Protocol, TypeVar

from lostfound.errors import LostFoundError
from lostfound.parallel.room import Room, share

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkEngine(Protocol):
    """Where work is done: in processes of this machine, or on a cluster."""

    def spread(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Do the work of every item; the results come in the order in which they are done."""
        ...


class Processes(AbstractContextManager["Processes"]):
    """Processes of this machine, in which work can be done.

    Args:
        jobs: How many; all cores if None. With one, the work is done in this process.
        start: Start them at once and let them load these modules, while this process still finds out what
            there is to do; they start with the first work if empty.
    """

    def __init__(self, jobs: int | None = None, *, start: Sequence[str] = ()) -> None:
        self.jobs = jobs or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        if self.jobs > 1 and start:
            self._pool = self._new_pool(self.jobs)
            try:
                with without_interrupts():
                    for _ in range(self.jobs):
                        self._pool.submit(_load, tuple(start))
            except BaseException:
                self.__exit__(None, None, None)
                raise

    def spread(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Do the work of every item.

        Args:
            work: A module-level function, or a partial of one.
            items: What to do; at most two items a process wait at a time, so that memory stays flat.

        Yields:
            The results, in the order in which they are done.

        Raises:
            LostFoundError: A process was killed.
        """
        jobs = min(self.jobs, len(items))
        if jobs <= 1:
            yield from map(work, items)
            return
        self._pool = self._pool or self._new_pool(jobs)
        waiting: set[Future[Result]] = set()
        try:
            for item in items:
                if len(waiting) >= 2 * jobs:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from [future.result() for future in done]
                with without_interrupts():
                    waiting.add(self._pool.submit(work, item))
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from [future.result() for future in done]
        except BrokenProcessPool:
            raise LostFoundError(
                "a process that was working on images ended abruptly, perhaps for want of memory: "
                "run the same command again with fewer --jobs; what was finished is kept"
            ) from None

    @staticmethod
    def _new_pool(jobs: int) -> ProcessPoolExecutor:
        context = get_context("spawn")
        return ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(Room(context),))

    def close(self) -> None:
        """Let the processes end, now that no more work comes, without waiting for it."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Processes started meanwhile never see a Ctrl-C: it is the parent's to handle, afterwards."""
    came: list[tuple[int, FrameType | None]] = []
    main = threading.current_thread() is threading.main_thread()
    # The mask is the children's; a library's thread may still take the signal, and Python act on it here.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handler = signal.signal(signal.SIGINT, lambda *signal_: came.append(signal_)) if main else None
    try:
        yield
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came and callable(handler):
            handler(*came[0])


def _begin(shared: Room) -> None:
    """What each process of a pool does first."""
    end_with_parent()
    share(shared)


def _load(modules: Sequence[str]) -> None:
    for name in modules:
        import_module(name)


def end_with_parent(*_: object) -> None:
    """End this process when its parent ends, however it does.

    The workers of a killed parent would wait for ever, or write beside its successor's. They remove the
    temporary folder that it could not (see `share_temporary_folder`).
    """
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        if folder := current_process()._config.get("tempdir"):  # type: ignore[attr-defined]
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


def share_temporary_folder() -> None:
    """Have the processes that are started from now on use this one's folder for sockets, `pymp-...`.

    This process removes it when it ends, and they do if it is killed; of folders of their own, those would
    stay whose processes are killed.
    """
    get_temp_dir()
