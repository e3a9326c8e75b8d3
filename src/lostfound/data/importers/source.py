"""What a layout says of each file it finds, and the helpers that layouts share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lostfound.data.images import IMAGE_SUFFIXES
from lostfound.data.packed import Packed


class SourceImage(NamedTuple):
    """One image file and what its layout says of it.

    Attributes:
        file: Where it lies.
        original: Its path below the source, with forward slashes.
        place: The spot it shows, unique within the source; the file itself if None.
        latitude: Degrees, or None.
        longitude: Degrees, or None.
        country: ISO 3166-1 alpha-2, or None.
        heading: Degrees clockwise, or None.
        strip: The file is a row of square views, to be cut.
        missing: Why its layout gives it no place: the file must have its own, or is left out for this. None
            where it has one, or may do without.
        sidecars: The files beside it that may state its place.
    """

    file: str
    original: str
    place: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    country: str | None = None
    heading: float | None = None
    strip: bool = False
    missing: str | None = None
    sidecars: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)


@dataclass
class Listing:
    """The files of one source in a stable order, and those that its layout already ruled out."""

    images: Packed[SourceImage] = field(default_factory=Packed)
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (path below the source, reason)

    def skip(self, original: str, reason: str) -> None:
        """Leave a file out, by name and reason."""
        self.skipped.append((original, reason))


Reader = Callable[[Path], Listing]


class ImageFile(NamedTuple):
    """An image file below a folder, in texts: a Path for each of a million files takes long, and much memory.

    Attributes:
        file: Where it lies.
        original: Its path below the folder, with forward slashes.
    """

    file: str
    original: str

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return self.original.rpartition("/")[2].rpartition(".")[0]


def files_below(folder: Path) -> Iterator[ImageFile]:
    """All image files below a folder, sorted, hidden ones left out."""
    start = len(os.path.join(folder, ""))  # noqa: PTH118  # as os.walk joins it
    for name in _image_names(folder):
        yield ImageFile(name, readable(name[start:].replace(os.sep, "/")))


def readable(name: str) -> str:
    r"""A path as a text that any table holds: its bytes that are not UTF-8 are written out, `caf\xe9.jpg`."""
    return name if name.isascii() else os.fsencode(name).decode(errors="backslashreplace")


def image_files(folder: Path) -> Iterator[Path]:
    """The same as paths."""
    return map(Path, _image_names(folder))


def sample_files(folder: Path, number: int) -> list[Path]:
    """At most so many of the image files below a folder, evenly spread; empty if there are none."""
    step = -(-sum(1 for _ in _image_names(folder)) // number)
    return [Path(name) for name in islice(_image_names(folder), 0, None, max(step, 1))]


def _image_names(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files.sort()
        for name in files:
            if not name.startswith(".") and _suffix(name) in IMAGE_SUFFIXES:
                yield os.path.join(root, name)  # noqa: PTH118


def _suffix(name: str) -> str:
    """As `Path.suffix`, in lower case."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if stem and dot else ""


def mostly(files: Sequence[Path], look: Callable[[Path], bool]) -> bool:
    """Do more than half of some files look so?"""
    return 2 * sum(map(look, files)) > len(files)
