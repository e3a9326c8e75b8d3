"""What a layout says of each file it finds, and the helpers that layouts share."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lostfound.data.importers.finding import find_images
from lostfound.data.packed import Packed
from lostfound.geo.countries import ReadCountries, read_countries


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
        guessed: The country is a guess (`lostfound.geo.countries.ReadCountries`): the place goes before it.
        collection: The collection within the source that it is of, where the source has several.
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
    guessed: bool = False
    collection: str | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)


@dataclass
class Listing:
    """The files of one source in a stable order, and those that its layout already ruled out.

    Attributes:
        images: The files.
        skipped: Those ruled out: (path below the source, reason).
        countries: How the names of countries were read that the source uses.
        passed_over: How many files are no photos, by their ending.
    """

    images: Packed[SourceImage] = field(default_factory=Packed)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    countries: ReadCountries = field(default_factory=lambda: ReadCountries({}, {}, {}))
    passed_over: Counter[str] = field(default_factory=Counter)

    def skip(self, original: str, reason: str) -> None:
        """Leave a file out, by name and reason."""
        self.skipped.append((readable(original.replace(os.sep, "/")), reason))

    def pass_over(self, kind: str) -> None:
        """Pass over a file that is no photo, by its ending."""
        self.passed_over[kind] += 1

    def read_countries(self, names: Iterable[str]) -> ReadCountries:
        """Read names of countries, and remember how they were read."""
        read = read_countries(names)
        for all_of_them, fresh in zip(self.countries, read, strict=True):
            all_of_them.update(fresh)
        return read

    def unknown_country(self, name: str) -> str:
        """The reason why what bears a name is left out that can't be told to be one country."""
        return f"country can't be told: {readable(name)!r} ({self.countries.unknown[name]})"


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


def files_below(folder: Path, listing: Listing) -> Iterator[ImageFile]:
    """All image files below a folder, sorted; the listing is told of what was not taken."""
    start = len(os.path.join(folder, ""))  # noqa: PTH118  # as `find_images` joins it
    for name in find_images(folder, listing):
        yield ImageFile(name, readable(name[start:].replace(os.sep, "/")))


def readable(name: str) -> str:
    r"""A path as a text that any table holds: its bytes that are not UTF-8 are written out, `caf\xe9.jpg`."""
    return name if name.isascii() else os.fsencode(name).decode(errors="backslashreplace")


def image_files(folder: Path) -> Iterator[Path]:
    """The same as paths."""
    return map(Path, find_images(folder))


def sample_files(folder: Path, number: int) -> list[Path]:
    """At most so many of the image files below a folder, evenly spread; empty if there are none."""
    step = -(-sum(1 for _ in find_images(folder)) // number)
    return [Path(name) for name in islice(find_images(folder), 0, None, max(step, 1))]


def no_images(folder: Path) -> str:
    """What to say of a folder without images that are read, with the first thing that could have been one."""
    listing = Listing()
    for _ in files_below(folder, listing):
        pass
    first = f"; {listing.skipped[0][0]} is {listing.skipped[0][1]}" if listing.skipped else ""
    return f"{folder} holds no images (looked for .jpg, .png, .webp, .heic and the like{first})"


def mostly(files: Sequence[Path], look: Callable[[Path], bool]) -> bool:
    """Do more than half of some files look so?"""
    return 2 * sum(map(look, files)) > len(files)
