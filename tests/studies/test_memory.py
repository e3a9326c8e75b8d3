from __future__ import annotations

import gc
import os
import signal
import weakref

import pytest

from lostfound.studies.memory import free_memory


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.mark.slow
def test_frees_circles():
    gone = weakref.ref(Circle())
    free_memory()
    assert gone() is None


@pytest.mark.slow
def test_ctrl_c_meanwhile_is_not_lost():
    circle = Circle()
    weakref.finalize(circle, lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    del circle
    with pytest.raises(KeyboardInterrupt):
        free_memory()
    assert signal.getsignal(signal.SIGINT) is before
    gc.collect()
