"""What an import is told of coordinates that can't be meant: exchanged columns, and other countries."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostfound.data.importers.own_place import own_place
from lostfound.data.importers.source import SourceImage
from lostfound.data.records import Records, coordinates, strings
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.points import check_points
from lostfound.geo.sphere import destination

_FILES, _HEAD = 32, 1 << 18
"""So many files of a source are asked for a place of their own, by so many of their first bytes."""
_MIN_PLACES = 10
"""A few photos may well have been taken at sea; of so many places, most are on land."""
_BORDER_KM = 10.0
"""So near to the stated country a photo may have been taken in it: borders are drawn coarsely."""


class Stated(NamedTuple):
    """The places that a source states, each once.

    Attributes:
        points: Degrees, (n, 2).
        countries: The country that is stated of each, or None.
        own: Those of some that their files have of their own, (n, 2); NaN for all others.
    """

    points: NDArray[np.float64]
    countries: list[str | None]
    own: NDArray[np.float64]


class Elsewhere(NamedTuple):
    """An image whose coordinates lie in another country than the one stated, which it keeps.

    Attributes:
        path: The source's name and the file.
        stated: ISO 3166-1 alpha-2.
        at: The country at its coordinates.
        latitude: Degrees.
        longitude: Degrees.
    """

    path: str
    stated: str
    at: str
    latitude: float
    longitude: float


def stated_places(images: Sequence[SourceImage]) -> Stated:
    """Gather the places that a source states, and read those that a few of its files have of their own."""
    degrees, countries, files = array("d"), [], []
    for image in images:
        if image.latitude is not None and image.longitude is not None:
            degrees.extend((image.latitude, image.longitude))
            countries.append(image.country)
            files.append(image.file)
    if not files:
        return Stated(np.empty((0, 2)), [], np.empty((0, 2)))
    points, first = np.unique(np.reshape(degrees, (-1, 2)), axis=0, return_index=True)
    own = np.full(points.shape, np.nan)
    for row in range(0, len(points), -(-len(points) // _FILES)):
        found = own_place(_head(files[first[row]]))
        if found.latitude is not None:
            own[row] = found.latitude, found.longitude
    return Stated(points, [countries[row] for row in first.tolist()], own)


def check_order(source: str, stated: Stated, land: Boundaries) -> list[str]:
    """Refuse a source whose latitudes and longitudes are exchanged; gives what can't be told.

    Raises:
        DatasetError: They are exchanged.
    """
    told: list[str] = []
    few = len(stated.points) < _MIN_PLACES
    if few and not (np.isfinite(stated.own).any() or any(stated.countries)):
        return told
    check_points(
        stated.points,
        source,
        boundaries=land,
        countries=stated.countries,
        own=stated.own,
        guess=not few,
        warn=told.append,
    )
    return told


def elsewhere(records: Records, boundaries: Boundaries) -> list[Elsewhere]:
    """The images of an import that lie in another country than the one that is stated of them."""
    columns = records.select(["country", "latitude", "longitude"])
    points, stated = coordinates(columns), strings(columns, "country")
    known = set(boundaries.codes)
    told = np.array([code in known for code in stated], bool)
    rows = np.flatnonzero(told & np.isfinite(points).all(axis=1))
    there = boundaries.country_at(points[rows])
    other = np.array([code is not None for code in there], bool) & (there != stated[rows])
    rows, there = rows[other], there[other]
    if not len(rows):
        return []
    near = np.zeros(len(rows), bool)
    for bearing in range(0, 360, 45):
        near |= boundaries.country_at(destination(points[rows], bearing, _BORDER_KM)) == stated[rows]
    sources, originals = (strings(records.select([name]), name) for name in ("source", "original"))
    return [
        Elsewhere(
            f"{sources[row].partition('/')[0]}/{originals[row]}", stated[row], at, *points[row].tolist()
        )
        for row, at in zip(rows[~near].tolist(), there[~near].tolist(), strict=True)
    ]


def as_rows(found: Iterable[Elsewhere]) -> list[tuple[str, ...]]:
    """A table of them, its header first."""
    header = ("path", "stated", "at_coordinates", "latitude", "longitude")
    return [header, *((each.path, each.stated, each.at, *map(str, each[3:])) for each in found)]


def _head(file: str) -> bytes:
    """The first bytes of a file, where cameras write the place; empty if it can't be read."""
    try:
        if not Path(file).is_file():
            return b""
        with Path(file).open("rb") as opened:
            return opened.read(_HEAD)
    except OSError:
        return b""
