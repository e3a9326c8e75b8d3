"""The map page: one HTML file that shows guesses on a map, opened by double click, with no network.

Everything the page needs is inside it: Leaflet, country outlines, styles, thumbnails and data.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lostfound.geo.boundaries import outlines
from lostfound.geo.sphere import EARTH_RADIUS_KM, from_unit_vectors, haversine_km, unit_vectors
from lostfound.pages.frame import fill_page, write_page
from lostfound.pages.thumbnails import thumbnail
from lostfound.predict.guess import Candidate
from lostfound.predict.outputs import LocatedPhoto, written_name

THUMBNAIL_SIDE = 240
Point = tuple[float, float]  # (latitude, longitude), degrees


@dataclass(frozen=True)
class MapEntry:
    """One photo on the map.

    Attributes:
        name: File name or id; shown as it is, never interpreted.
        latitude: Of the guess, degrees.
        longitude: Of the guess, degrees in [-180, 180].
        candidates: The answers considered, best first; the page shows all of them, so give about five, and
            shades their countries.
        thumbnail: JPEG bytes, embedded; about 320 pixels wide looks sharp and keeps the page small.
        truth: The known (latitude, longitude), if any.
        truth_name: Name of the true place, such as its country.
        warning: Why the answer is worth nothing, if that is known.
    """

    name: str
    latitude: float
    longitude: float
    candidates: Sequence[Candidate]
    thumbnail: bytes | None = None
    truth: Point | None = None
    truth_name: str | None = None
    warning: str | None = None

    def __post_init__(self) -> None:
        for latitude, longitude in filter(None, [self.guess, self.truth]):
            if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
                raise ValueError(f"{self.name!r} has a place off the Earth: {latitude}, {longitude}.")

    @property
    def guess(self) -> Point:
        """The guessed (latitude, longitude)."""
        return (self.latitude, self.longitude)

    @property
    def error_km(self) -> float | None:
        """Great-circle distance from the guess to the truth; None if the truth isn't known."""
        return None if self.truth is None else float(haversine_km(self.guess, self.truth))


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
            each.guess.latitude,
            each.guess.longitude,
            each.guess.candidates,
            thumbnail(Path(each.photo), THUMBNAIL_SIDE),
            each.truth,
            each.truth_name,
            each.guess.warning,
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
        count=f"{len(entries):,} photo{'' if len(entries) == 1 else 's'}",
        note=note,
        data={"outlines": outlines(), "entries": [_entry(entry) for entry in entries]},
    )


def great_circle(start: Point, end: Point, *, step_km: float = 300.0) -> list[Point]:
    """Points along the shortest way between two places.

    Args:
        start: (latitude, longitude), degrees.
        end: (latitude, longitude), degrees.
        step_km: Most distance between two points. Closer ones would show the map's rounding to whole pixels.

    Returns:
        The points, both ends included. Longitudes run on past ±180 where the way crosses the date line, so
        that neighbours are never a map's width apart. Antipodes, which every way joins, stand alone.
    """
    length = float(haversine_km(start, end))
    angle = length / EARTH_RADIUS_KM
    if math.pi - angle < 1e-6:
        return _unwrapped([start, end])
    shares = np.linspace(0, 1, max(1, math.ceil(length / step_km)) + 1)[1:-1, None]
    vectors = np.sin((1 - shares) * angle) * unit_vectors(start) + np.sin(shares * angle) * unit_vectors(end)
    return _unwrapped([start, *map(tuple, from_unit_vectors(vectors).tolist()), end])


def _entry(entry: MapEntry) -> dict[str, object]:
    """What map.js reads of one photo."""
    image = entry.thumbnail
    return {
        "name": entry.name,
        "guess": entry.guess,
        "candidates": [
            {"name": each.name, "probability": each.probability, "code": each.country}
            for each in entry.candidates
        ],
        "thumbnail": None if image is None else base64.b64encode(image).decode(),
        "truthName": entry.truth_name,
        "warning": entry.warning,
        "error": entry.error_km,
        "way": None if entry.truth is None else _rounded(great_circle(entry.guess, entry.truth)),
    }


def _unwrapped(points: list[Point]) -> list[Point]:
    """The same points, each longitude within 180° of the one before."""
    result = points[:1]
    for latitude, longitude in points[1:]:
        turns = round((result[-1][1] - longitude) / 360)
        result.append((latitude, longitude + 360 * turns))
    return result


def _rounded(points: list[Point]) -> list[Point]:
    """Five decimals are a metre: finer than the map can be zoomed."""
    return [(round(latitude, 5), round(longitude, 5)) for latitude, longitude in points]
