"""The map page: guesses on a map, opened by double click, with no network.

Everything the page needs is inside it: scripts, borders, styles and data; of a few hundred photos also their
thumbnails, which of more lie in a folder beside it and are read as they come into view.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from urllib.parse import quote

from lostfound.errors import LostFoundError
from lostfound.files import STANDARD_OUTPUT
from lostfound.geo.sphere import haversine_km
from lostfound.pages.base_map import ground
from lostfound.pages.frame import fill_page, write_page
from lostfound.pages.lines import Point, great_circle
from lostfound.pages.thumbnails import thumbnail
from lostfound.predict.guess import Guess
from lostfound.predict.outputs import LocatedPhoto, written_name
from lostfound.predict.sources import read_again
from lostfound.progress import progress

THUMBNAIL_SIDE, SMALL_SIDE = 240, 144
"""Pixels of the shorter side of a thumbnail within the page, and of one beside it."""
MOST_WITHIN = 300
"""So many thumbnails are held within the page."""
AT_ONCE = 64
"""Photos that are read before their thumbnails are made."""
Picture = bytes | str
"""A thumbnail: a JPEG to be held within the page; or the address of one, as the page names it."""


@dataclass(frozen=True)
class MapEntry:
    """One photo on the map, or several of one place.

    Attributes:
        name: File name or id; shown as it is, never interpreted.
        guess: Where it may be; the page shows all of its candidates, so give about five, and shades their
            countries. One that abstained is listed, but has no place on the map.
        thumbnail: About 240 pixels high looks sharp.
        truth: The known (latitude, longitude), if any.
        truth_name: Name of the true place, such as its country.
        also: Other photos of the same place, which this guess is about too: name and thumbnail of each.
    """

    name: str
    guess: Guess
    thumbnail: Picture | None = None
    truth: Point | None = None
    truth_name: str | None = None
    also: Sequence[tuple[str, Picture | None]] = ()

    def __post_init__(self) -> None:
        for latitude, longitude in filter(None, [self.place, self.truth]):
            if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
                raise ValueError(f"{self.name!r} has a place off the Earth: {latitude}, {longitude}.")

    @property
    def place(self) -> Point | None:
        """The guessed (latitude, longitude); None if the model abstained."""
        return None if self.guess.abstained else (self.guess.latitude, self.guess.longitude)

    @property
    def error_km(self) -> float | None:
        """Great-circle distance from the guess to the truth; None if one of them isn't known."""
        if self.place is None or self.truth is None:
            return None
        return float(haversine_km(self.place, self.truth))


def write_map(path: str | Path, entries: Sequence[MapEntry], *, title: str, note: str = "") -> Path:
    """Write the map page. The file appears whole or not at all.

    Args:
        path: The HTML file to write; its folder is made if need be.
        entries: The photos, in the order they are listed.
        title: The page's heading.
        note: A sentence for the footer, such as which model answered.

    Returns:
        The path written.

    Raises:
        LostFoundError: The file can't be written there.
    """
    return write_page(path, render_map(entries, title=title, note=note))


def write_photo_map(
    results: Sequence[LocatedPhoto],
    path: Path,
    *,
    title: str = "Located photos",
    note: str = "",
    same_place: bool = False,
) -> Path:
    """Write the photos that were located as a map page that opens offline.

    Args:
        results: What came of the photos.
        path: The HTML file to write. Thumbnails of more than a few hundred photos go into the folder beside
            it that ends in ``_files``.
        title: The page's heading.
        note: A sentence for the footer.
        same_place: Whether one guess is about all of the photos, which are then shown together.

    Raises:
        LostFoundError: The file can't be written.
    """
    located = [each for each in results if each.guess is not None]
    names = _short_names([each.photo for each in results])
    pictures = _pictures(located, path)
    entries = [
        MapEntry(
            names[each.photo],
            each.guess,
            picture,
            each.truth or each.gps,
            each.truth_name or (None if each.gps is None else "the position in the file"),
        )
        for each, picture in zip(located, pictures, strict=True)
        if each.guess is not None
    ]
    if same_place:
        entries = [_together(list(group)) for _, group in groupby(entries, lambda entry: entry.guess)]
    failed = len(results) - len(located)
    if failed:
        note = f"{note} {failed} photo(s) could not be read.".strip()
    return write_map(path, entries, title=title, note=note)


def _short_names(photos: Sequence[str]) -> dict[str, str]:
    """What photos are called below the folder that holds all of them."""
    folders = {str(Path(each).absolute().parent) for each in photos}
    common = os.path.commonpath(folders) if folders else ""
    return {each: written_name(os.path.relpath(each, common)) for each in photos}


def _together(entries: Sequence[MapEntry]) -> MapEntry:
    first, *others = entries
    also = [(each.name, each.thumbnail) for each in others]
    return MapEntry(first.name, first.guess, first.thumbnail, first.truth, first.truth_name, also)


def _pictures(located: Sequence[LocatedPhoto], page: Path) -> list[Picture | None]:
    """The photos' thumbnails, made in threads; those of many in a folder beside the page."""
    within = len(located) <= MOST_WITHIN or page == STANDARD_OUTPUT
    folder = page.with_name(f"{page.stem}_files")

    def make(numbered: tuple[int, Path | bytes | None]) -> Picture | None:
        number, photo = numbered
        made = None if photo is None else thumbnail(photo, THUMBNAIL_SIDE if within else SMALL_SIDE)
        if within or made is None:
            return made
        file = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(made)
        except OSError as error:
            raise LostFoundError(
                f"Can't write thumbnails to {folder}: {error.strerror}. "
                "Name a page in a folder you can write to."
            ) from error
        return quote(file.relative_to(page.parent).as_posix(), errors="surrogateescape")

    found: list[Picture | None] = []
    with progress("Thumbnails", len(located)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        photos = enumerate(read_again(each.photo for each in located))
        while some := list(islice(photos, AT_ONCE)):  # few are in memory at a time
            found += pool.map(make, some)
            advance(len(some))
    return found


def render_map(entries: Sequence[MapEntry], *, title: str, note: str = "") -> str:
    """The map page's HTML; see `write_map`."""
    labels: dict[tuple[str, str | None], int] = {}
    photos = [_entry(entry, labels) for entry in entries]
    return fill_page(
        "map",
        title=title,
        count=_count(entries),
        note=note,
        data={
            "ground": ground(names=True),
            "located": {"labels": [list(label) for label in labels], "entries": photos},
        },
        scripts=("supercluster.js",),
        modules=("circles.js", "labels.js", "map_list.js", "map_dots.js"),
        beside=any(isinstance(picture, str) for entry in entries for _, picture in _all_pictures(entry)),
    )


def _all_pictures(entry: MapEntry) -> Iterator[tuple[str, Picture | None]]:
    yield entry.name, entry.thumbnail
    yield from entry.also


def _count(entries: Sequence[MapEntry]) -> str:
    """How many photos there are, and of how many the model abstained."""
    photos = sum(1 + len(entry.also) for entry in entries)
    abstained = sum(1 + len(entry.also) for entry in entries if entry.guess.abstained)
    count = f"{photos:,} photo{'' if photos == 1 else 's'}"
    return f"{count}, {abstained:,} not placed" if abstained else count


def _entry(entry: MapEntry, labels: dict[tuple[str, str | None], int]) -> dict[str, object]:
    """What map.js reads of one photo, but for what is not known.

    Args:
        entry: The photo.
        labels: The candidates' names and countries with their numbers, which are written once; it grows.
    """
    place, truth = entry.place, entry.truth
    way = None if place is None or truth is None else _rounded(great_circle(place, truth))
    candidates = []
    for each in entry.guess.candidates:
        number = labels.setdefault((each.name, each.country), len(labels))
        candidates.append((number, None if each.probability is None else round(each.probability, 4)))
    radii = [] if place is None else [(share, _digits(km)) for share, km in entry.guess.radii_km.items()]
    values: dict[str, object] = {
        "guess": None if place is None else _rounded([place])[0],
        "radii": radii or None,
        "thumbnail": _picture(entry.thumbnail),
        "truth": truth if way is None else way[-1],  # its longitude as the way runs
        "truthName": entry.truth_name,
        "warning": entry.guess.warning,
        "error": entry.error_km,
        "way": way,
        "also": [(name, _picture(picture)) for name, picture in entry.also] or None,
    }
    known = {name: value for name, value in values.items() if value is not None}
    return {"name": entry.name, "candidates": candidates, **known}


def _picture(picture: Picture | None) -> str | None:
    return base64.b64encode(picture).decode() if isinstance(picture, bytes) else picture


def _digits(km: float) -> float:
    """Four digits, which are more than an estimate has."""
    return float(f"{km:.4g}")


def _rounded(points: list[Point]) -> list[Point]:
    """Five decimals are a metre: finer than the map can be zoomed."""
    return [(round(latitude, 5), round(longitude, 5)) for latitude, longitude in points]
