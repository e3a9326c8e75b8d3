"""A photo that comes on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lostfound.errors import UsageError

if TYPE_CHECKING:
    from lostfound.predict.outputs import LocatedPhoto

STANDARD_INPUT = Path("-")


@contextmanager
def standard_input(photos: Sequence[Path]) -> Iterator[list[Path]]:
    """The photos as files: the one on standard input, if there is one, lies in a file meanwhile.

    Args:
        photos: As they were given; `-` is standard input.

    Raises:
        UsageError: It is asked for twice, a person types there, or it holds nothing.
        ImageError: It holds more than an image does.
    """
    if STANDARD_INPUT not in photos:
        yield list(photos)
        return
    if photos.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be read once: give - once")
    if sys.stdin.isatty():
        raise UsageError("- is a photo on standard input, as in `lostfound locate - < photo.jpg`")
    from lostfound.data.images import file_bytes

    data = file_bytes(sys.stdin.buffer)
    if not data:
        raise UsageError("there is nothing on standard input: give a photo, as in `... - < photo.jpg`")
    with TemporaryDirectory(prefix="lostfound-") as folder:
        file = Path(folder) / "standard-input"
        file.write_bytes(data)
        yield [file if each == STANDARD_INPUT else each for each in photos]


def named_as_given(
    results: Sequence[LocatedPhoto], files: Sequence[Path], photos: Sequence[Path]
) -> list[LocatedPhoto]:
    """The results under the names that were given, where a file stood for one."""
    given = {str(file): str(photo) for file, photo in zip(files, photos, strict=True)}
    return [replace(each, photo=given.get(each.photo, each.photo)) for each in results]
