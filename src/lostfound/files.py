"""Files: written whole or not at all, and told apart by their hashes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def digest(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def write_json(path: Path, values: object) -> None:
    """Write values as JSON that people can read, whole or not at all.

    Raises:
        ValueError: A number is not finite.
    """
    write_atomic(path, (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
