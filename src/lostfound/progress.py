"""Progress of long work: a bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from lostfound.texts import shown

SECONDS_BETWEEN_LINES = 10.0

Advance = Callable[[int], None]
_SILENT = ContextVar("silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """Show no progress in this thread meanwhile: nobody waits before it."""
    before = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(before)


@contextmanager
def progress(description: str, total: int, *, done: int = 0) -> Iterator[Advance]:
    """Show progress on standard error, so that standard output stays clean for results.

    Args:
        description: What is being done, such as "Importing".
        total: How many units there are.
        done: How many were done by an earlier run.

    Yields:
        A function to call with the number of units done since the last call.
    """
    if _SILENT.get():
        yield lambda _: None
        return
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    show = _bar if on_terminal else _lines
    with show(description, total, done) as advance:
        yield advance


@contextmanager
def _bar(description: str, total: int, done: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Text printed meanwhile goes above the bar, unless it goes to a file.
    on_screen = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=on_screen) as bar:
        task = bar.add_task(description, total=total, completed=done)
        yield lambda n: bar.advance(task, n)


@contextmanager
def _lines(description: str, total: int, done: int) -> Iterator[Advance]:
    start = last = time.monotonic()
    before = done

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES and done < total:
            last = now
            rate = (done - before) / (now - start)
            print(f"{description}: {done}/{total} ({rate:.0f}/s)", file=sys.stderr, flush=True)

    yield advance
    print(f"{description}: {done}/{total} in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Say something of long work on standard error."""
    print(shown(text), file=sys.stderr, flush=True)
