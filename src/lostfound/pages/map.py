"""The map page: one HTML file that shows guesses on a map, opened by double click, with no network.

Everything the page needs is inside it: Leaflet, country outlines, styles, thumbnails and data.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lostfound.geo.boundaries import outlines
from lostfound.geo.sphere import haversine_km
from lostfound.pages.frame import fill_page, write_page
from lostfound.pages.lines import Point, circle, great_circle
from lostfound.pages.thumbnails import thumbnail
from lostfound.predict.guess import Guess
from lostfound.predict.outputs import LocatedPhoto, written_name, written_radius

THUMBNAIL_SIDE = 240


@dataclass(frozen=True)
class MapEntry:
    """One photo on the map.

    Attributes:
        name: File name or id; shown as it is, never interpreted.
        guess: Where it may be; the page shows all of its candidates, so give about five, and shades their
            countries. One that abstained is listed, but has no place on the map.
        thumbnail: JPEG bytes, embedded; about 320 pixels wide looks sharp and keeps the page small.
        truth: The known (latitude, longitude), if any.
        truth_name: Name of the true place, such as its country.
    """

    name: str
    guess: Guess
    thumbnail: bytes | None = None
    truth: Point | None = None
    truth_name: str | None = None

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
    results: Sequence[LocatedPhoto], path: Path, *, title: str = "Located photos", note: str = ""
) -> Path:
    """Write the photos that were located as a map page that opens offline.

    Raises:
        LostFoundError: The file can't be written.
    """
    folders = [str(Path(each.photo).absolute().parent) for each in results]
    common = os.path.commonpath(folders) if folders else ""
    entries = [
        MapEntry(
            written_name(os.path.relpath(each.photo, common)),
            each.guess,
            thumbnail(Path(each.photo), THUMBNAIL_SIDE),
            each.truth or each.gps,
            each.truth_name or (None if each.gps is None else "the position in the file"),
        )
        for each in results
        if each.guess is not None
    ]
    failed = len(results) - len(entries)
    if failed:
        note = f"{note} {failed} photo(s) could not be read.".strip()
    return write_map(path, entries, title=title, note=note)


def render_map(entries: Sequence[MapEntry], *, title: str, note: str = "") -> str:
    """The map page's HTML; see `write_map`."""
    return fill_page(
        "map",
        title=title,
        count=_count(entries),
        note=note,
        data={"outlines": outlines(), "entries": [_entry(entry) for entry in entries]},
    )


def _count(entries: Sequence[MapEntry]) -> str:
    """How many photos there are, and of how many the model abstained."""
    abstained = sum(entry.guess.abstained for entry in entries)
    count = f"{len(entries):,} photo{'' if len(entries) == 1 else 's'}"
    return f"{count}, {abstained:,} not placed" if abstained else count


def _entry(entry: MapEntry) -> dict[str, object]:
    """What map.js reads of one photo."""
    image, place, truth = entry.thumbnail, entry.place, entry.truth
    way = None if place is None or truth is None else _rounded(great_circle(place, truth))
    return {
        "name": entry.name,
        "guess": place,
        "circles": [] if place is None else _circles(place, entry.guess),
        "candidates": [
            {"name": each.name, "probability": each.probability, "code": each.country}
            for each in entry.guess.candidates
        ],
        "thumbnail": None if image is None else base64.b64encode(image).decode(),
        "truth": truth if way is None else way[-1],  # its longitude as the way runs
        "truthName": entry.truth_name,
        "warning": entry.guess.warning,
        "error": entry.error_km,
        "way": way,
    }


def _circles(place: Point, guess: Guess) -> list[dict[str, object]]:
    """The circles that hold the truth so many times in a hundred, the smaller first."""
    return [
        {"share": share, "radius": written_radius(radius), "area": _rounded(circle(place, radius))}
        for share, radius in guess.radii_km.items()
    ]


def _rounded(points: list[Point]) -> list[Point]:
    """Five decimals are a metre: finer than the map can be zoomed."""
    return [(round(latitude, 5), round(longitude, 5)) for latitude, longitude in points]
