"""Files: written whole or not at all, and told apart by their hashes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KEPT = 50
"""Letters of a file's name in that of its partial file, which must not be longer than names may be."""


def digest(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writing_atomically(path: Path) -> Iterator[Path]:
    """Write a file that appears whole or not at all, whoever else writes it meanwhile.

    Of a process that is killed a partial file stays, which no other process reads or takes for its own.

    Args:
        path: The file; its folder is made if need be.

    Yields:
        The partial file to write, new and beside it: `.NAME.PID-TOKEN.partial`. It takes the file's place at
        the end, and is removed if an error ends the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name[:_KEPT]}.{os.getpid()}-{os.urandom(4).hex()}.partial")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with suppress(OSError):  # what ended the block is to be said
            partial.unlink(missing_ok=True)
        raise


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left half written in a folder that nobody else writes to now."""
    for partial in folder.glob(".*.partial"):
        partial.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with writing_atomically(path) as partial:
        partial.write_bytes(data)


def write_json(path: Path, values: object) -> None:
    """Write values as JSON that people can read, whole or not at all.

    Raises:
        ValueError: A number is not finite.
    """
    write_atomic(path, (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
