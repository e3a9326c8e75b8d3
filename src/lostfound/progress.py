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
SECONDS_BEFORE_A_RATE = 2.0
QUIET = "LOSTFOUND_QUIET"
"""The environment variable that turns progress and notes off, in this process and those it starts."""

Advance = Callable[[int], None]
_SILENT = ContextVar("silent", default=False)


def quiet() -> bool:
    """Whether nothing but results and errors is wanted."""
    return bool(os.environ.get(QUIET))


def on_terminal() -> bool:
    """Whether a bar can move: somebody looks at standard error, and wants to see more than errors."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not quiet()


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
    if _SILENT.get() or quiet():
        yield lambda _: None
        return
    show = _bar if on_terminal() else _lines
    with show(description, total, done) as advance:
        yield advance


@contextmanager
def _bar(description: str, total: int, done: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    done_here = 0
    rate = TextColumn("{task.fields[rate]}")
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate),
        TimeRemainingColumn(compact=True),
    )
    # Text printed meanwhile goes above the bar, unless it goes to a file.
    on_screen = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=on_screen) as bar:
        task = bar.add_task(description, total=total, completed=done, rate="")
        start = time.monotonic()

        def advance(n: int) -> None:
            nonlocal done_here
            done_here += n
            seconds = time.monotonic() - start
            # Of a moment nothing can be said: what comes together would be thousands a second.
            rate = f"{done_here / seconds:.0f}/s" if seconds >= SECONDS_BEFORE_A_RATE else ""
            bar.update(task, advance=n, rate=rate)

        yield advance


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
            left = written_time((total - done) / rate) if rate else "?"
            print(f"{description}: {done}/{total} ({rate:.0f}/s, {left} left)", file=sys.stderr, flush=True)

    yield advance
    print(f"{description}: {done}/{total} in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


def written_time(seconds: float) -> str:
    """A time as people say it: 40 s, 12 min, 3 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def note(text: str) -> None:
    """Say something of long work on standard error; nothing where quiet is wanted."""
    if not quiet():
        print(shown(text), file=sys.stderr, flush=True)
