"""What goes wrong while a network is trained, as this package says it."""

from __future__ import annotations

import logging
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.multiprocessing.spawn import ProcessExitedException

from lostfound import errors
from lostfound.errors import LostFoundError, RecipeError

_LAST_LINE = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception)): ", re.MULTILINE)
_NO_MEMORY = ("out of memory", "allocate memory", "not enough memory", "memoryerror")


@contextmanager
def training_errors(folder: Path) -> Iterator[None]:
    """What goes wrong in Lightning's loop, as this package says it.

    Args:
        folder: Of the run, for the messages.

    Raises:
        KeyboardInterrupt: Ctrl-C; Lightning would end the process.
        LostFoundError: The data can't be read, the loss is no number, or the disk is full.
    """
    handler, handled = signal.getsignal(signal.SIGINT), sys.exception()
    try:
        with warnings.catch_warnings():
            quiet_lightning()
            yield
    except SystemExit as ended:
        if not ended.code:  # a machine that is done
            raise
        raise KeyboardInterrupt from None  # Lightning's answer to Ctrl-C
    except Exception as error:
        if _follows_interrupt(error, handled):  # Lightning failed in its answer, deaf by now
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise explain(error, folder) from None


def _follows_interrupt(error: BaseException | None, handled: BaseException | None) -> bool:
    """Was an error raised on the way out of a Ctrl-C, as of workers that got it too?

    Args:
        error: What was raised.
        handled: What was being handled before all this began.
    """
    while error is not None and error is not handled:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def quiet_lightning() -> None:
    """Without Lightning's hints and warnings: the recipe decides."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def explain(error: Exception, folder: Path) -> Exception:
    """What to raise in an error's stead; the error itself where nothing better is known.

    Args:
        error: What the training raised.
        folder: Of the run.
    """
    name, message = _innermost(error)
    own = getattr(errors, name, None)
    if own is not None:
        raised: Exception = own(message)
        return raised
    if _is_of_memory(error, name, message):
        return LostFoundError(
            f"the training in {folder} ran out of memory: lower trainer.batch_size (with "
            "trainer.accumulate=2 a step still sees as many images) or input.size, and start again with "
            "--overwrite"
        )
    if isinstance(error, ProcessExitedException) or "DataLoader worker" in message:
        return LostFoundError(
            f"the training in {folder} stopped: one of its processes was ended from outside, most often "
            f"because the machine's memory was full ({message.splitlines()[0]}): lower trainer.workers or "
            "trainer.batch_size"
        )
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        reason = next((line for line in message.splitlines() if line.strip()), name)
        return RecipeError(
            f"the network can't be compiled here ({reason.strip()}): set trainer.compile=false, or mend that "
            "(torch.compile needs a C++ compiler)"
        )
    if isinstance(error, OSError) or name == "OSError":
        reason = getattr(error, "strerror", None) or message
        return LostFoundError(
            f"the training in {folder} stopped: {reason}; mend that (a full disk: make room), then go on "
            "with --resume"
        )
    return error


def _innermost(error: Exception) -> tuple[str, str]:
    """An error's name and message; another process's comes as text, with its traceback first."""
    text = str(error)
    if "Traceback (most recent call last)" in text:
        found = list(_LAST_LINE.finditer(text))
        if found:
            return found[-1][1], text[found[-1].end() :].strip()
    return type(error).__name__, text.strip()


def _is_of_memory(error: Exception, name: str, message: str) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    could_be = name in ("RuntimeError", "AcceleratorError") or name.endswith("MemoryError")
    return could_be and any(sign in f"{name}: {message}".lower() for sign in _NO_MEMORY)
