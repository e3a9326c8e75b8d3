"""Memory that is shared out among threads and processes by its bytes, and not by their number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext

TOTAL = 2**30
"""Bytes that decoding may take at once in all threads and processes of a command; one image may take more."""
_UNIT = 16 * 2**20  # what takes less is not counted


class Room:
    """Room for so many bytes, for the threads of a process or, made of a context, for processes too.

    Args:
        context: How the processes start that share it; None for threads.
        total: How many bytes.
    """

    def __init__(self, context: SpawnContext | None = None, *, total: int = TOTAL) -> None:
        self._units = max(total // _UNIT, 1)
        # Whoever waits for more holds the gate, so that two that hold half each never wait for each other.
        self._gate = threading.Lock() if context is None else context.Lock()
        self._free = threading.Semaphore(self._units) if context is None else context.Semaphore(self._units)

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until there is room, and keep it. Whoever keeps some must not ask for more.

        Args:
            size: How many bytes; what needs more than there is waits until it has all for itself.
        """
        units = min(size // _UNIT, self._units)
        held = 0
        try:
            if units:
                with self._gate:
                    while held < units:
                        self._free.acquire()
                        held += 1
            yield
        finally:
            for _ in range(held):
                self._free.release()


_rooms = [Room()]


def room() -> Room:
    """That of this process, or that which it shares with the one that started it."""
    return _rooms[0]


def share(shared: Room) -> None:
    """Use this process's room no longer, but one that others use too."""
    _rooms[0] = shared
