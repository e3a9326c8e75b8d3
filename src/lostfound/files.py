"""Files: written whole or not at all, and told apart by their hashes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KEPT = 50
"""Letters of a file's name in that of its partial file, which must not be longer than names may be."""
_PARTIAL = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.partial", re.DOTALL)
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The system's errors for a disk that has no room."""
_NAMELESS = FULL | {errno.EFBIG}
"""Errors of writing that don't say which file it was."""
_LARGE = 64 << 20
"""Files from so many bytes on are not hashed each time."""


def digest(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_unchanged(path: Path, sha256: str) -> bool:
    """Does a file have this hash?

    Of a large one it is remembered, as long as its size and time stay: a network of a gigabyte takes a second
    or two to hash.
    """
    about = path.stat()
    if about.st_size < _LARGE:
        return file_digest(path) == sha256
    seen = f"{path.resolve()}\n{about.st_size}\n{about.st_mtime_ns}\n{sha256}"
    mark = cache_folder() / "verified" / digest(seen.encode(errors="surrogateescape"))
    if mark.is_file():
        return True
    if file_digest(path) != sha256:
        return False
    with suppress(OSError):  # a cache that can't be written only costs time
        write_atomic(mark, b"")
    return True


def cache_folder() -> Path:
    """Where is kept what can be had again: files that were fetched, features, pixels.

    ``$LOSTFOUND_CACHE``, else ``lostfound`` in ``$XDG_CACHE_HOME``, else in the system's own place for
    caches: ``~/.cache``, on macOS ``~/Library/Caches``, on Windows ``%LOCALAPPDATA%``.
    """
    if own := os.environ.get("LOSTFOUND_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "lostfound"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lostfound"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lostfound"
    return Path.home() / ".cache" / "lostfound"


@contextmanager
def writing_atomically(path: Path) -> Iterator[Path]:
    """Write a file that appears whole or not at all, whoever else writes it meanwhile.

    Of a process that is killed a partial file stays, which no other process reads or takes for its own. A
    link stays, and its target is written; a file that is replaced keeps its permissions. What is no regular
    file, such as a device or a pipe, can't be replaced: it is written straight.

    Args:
        path: The file; its folder is made if need be.

    Yields:
        The partial file to write, new and beside it: `.NAME.PID-TOKEN.partial`. It takes the file's place at
        the end, and is removed if an error ends the block. Of a device or a pipe, that itself.

    Raises:
        OSError: It can't be written, such as for want of room; the error names the file, not the partial one.
    """
    kind = _mode(path)
    if kind is not None and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        yield path
        return
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name[:_KEPT]}.{os.getpid()}-{os.urandom(4).hex()}.partial")
    try:
        yield partial
        if kind is not None and partial.exists():
            partial.chmod(stat.S_IMODE(kind))
        partial.replace(target)
    except BaseException as error:
        with suppress(OSError):  # what ended the block is to be said
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and _is_about(error, partial):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def _is_about(error: OSError, file: Path) -> bool:
    """Did the writing of a file fail?"""
    named = {error.filename, error.filename2} - {None}
    return str(file) in map(str, named) if named else error.errno in _NAMELESS or str(file) in str(error)


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left half written in a folder that nobody else writes to now.

    Only files that bear the names which `writing_atomically` gives.
    """
    if folder.is_dir():
        for file in list(folder.iterdir()):
            if _PARTIAL.fullmatch(file.name):
                file.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all (see `writing_atomically`)."""
    with writing_atomically(path) as partial:
        partial.write_bytes(data)


STANDARD_OUTPUT = Path("-")
"""What people write for standard output where a file is asked for."""


def write_output(path: Path, data: bytes) -> None:
    """Write what a person asked for, to where they said.

    Args:
        path: A file, which appears whole or not at all (see `writing_atomically`); a device or a pipe; `-`
            for standard output.
        data: All of it.
    """
    descriptor = 1 if path == STANDARD_OUTPUT else _own_descriptor(path)
    if descriptor is None:
        write_atomic(path, data)
        return
    sys.stdout.flush()  # what was printed before comes first
    if descriptor == 1:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)


def _mode(path: Path) -> int | None:
    """What a path leads to, as the system says it; None where there is nothing."""
    try:
        return path.stat().st_mode
    except OSError:  # what is wrong with it, writing will say
        return None


def _own_descriptor(path: Path) -> int | None:
    """Which of this process's open files a path means, such as `/dev/stdout`; None if none.

    It may be a file that somebody else goes on writing to, and so must not be replaced.
    """
    for _ in range(40):  # as many links as the system follows
        folder = os.path.realpath(path.parent)
        if folder in (f"/proc/{os.getpid()}/fd", "/dev/fd") and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def write_json(path: Path, values: object) -> None:
    """Write values as JSON that people can read, whole or not at all.

    Raises:
        ValueError: A number is not finite.
    """
    write_atomic(path, (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
