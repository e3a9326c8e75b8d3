"""Making room between trainings."""

from __future__ import annotations

import gc
import signal
import threading


def free_memory() -> None:
    """Free what the last training left: a network and its trainer are a circle of references.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed meanwhile. What is freed runs code that would swallow it.
    """
    if threading.current_thread() is not threading.main_thread():
        gc.collect()
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        gc.collect()
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)
    if pressed:
        raise KeyboardInterrupt
