"""Folders and databases that long work claims: the same work goes on in them, other work is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lostfound.errors import LostFoundError, UsageError
from lostfound.files import write_atomic

LOCK = ".lock"


@contextmanager
def holding(folder: Path, busy: LostFoundError) -> Iterator[None]:
    """Hold a folder, so that no other process can; may be nested within one thread.

    The operating system holds the lock: a process that ends, however it does, holds it no longer, and nothing
    has to be cleared away by hand.

    Args:
        folder: It is made if it is missing, and removed again if nothing came into it.
        busy: Raised where another process holds it.
    """
    from filelock import FileLock, Timeout

    path = folder.resolve() / LOCK
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    ours = not path.exists() or path.stat().st_size == 0  # nothing is ever written into it
    lock = FileLock(path, timeout=0, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise busy from None
    try:
        yield
    finally:
        if lock.lock_counter == 1 and ours:  # whoever waits for a file that is gone takes a new one
            path.unlink(missing_ok=True)
        lock.release()
        if made:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def changed_keys(before: Any, now: Any, key: str = "") -> list[str]:
    """The dotted keys whose values differ between two mappings of plain values, sorted."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            changed
            for name in sorted(before.keys() | now.keys())
            for changed in changed_keys(before.get(name), now.get(name), f"{key}.{name}".lstrip("."))
        ]
    return [] if before == now else [key]


def refuse_other_settings(before: Any, now: Any, what: str, remedy: str) -> None:
    """Refuse to go on with work that was begun with other settings.

    Args:
        before: The settings it was begun with, plain values.
        now: Those that are asked for.
        what: The work and where it is, such as "the run in model/run".
        remedy: What to do, such as "give the same ones, or start again with --overwrite".

    Raises:
        UsageError: They differ; the message names the settings that do.
    """
    changed = changed_keys(before, now)
    if changed:
        raise UsageError(f"{what} was begun with other settings ({', '.join(changed)}): {remedy}")


def claim_folder(folder: Path, marker: str, text: str, *, made_by: str, other: str) -> None:
    """Take a folder for some work, or find that it is this work's already.

    Args:
        folder: It may be missing or empty.
        marker: The name of the file in it that says whose it is.
        text: What that file holds; its first line tells one work from another.
        made_by: Whose folder it is to be, such as "a study's".
        other: What is said of a folder of other work of the kind, such as "holds another study".

    Raises:
        UsageError: It is something else's.
    """
    file = folder / marker
    if file.is_file():
        if file.read_text(encoding="utf-8").split("\n")[0] != text.split("\n")[0]:
            raise UsageError(f"{folder} {other} ({file}): choose another folder with --to")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not {made_by}: choose another folder with --to")
    write_atomic(file, text.encode())
