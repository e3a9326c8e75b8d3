"""The place that a file has of its own: beside it, in its GPS block, or in its XMP packet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from lostfound.data.images import read_exif
from lostfound.data.importers import exif, json_places, xmp
from lostfound.data.moments import known_moment
from lostfound.geo.sphere import location_problem

ESTIMATE_MARK = "lostfound estimate"
"""How GPSProcessingMethod begins of a position that `lostfound tag` wrote: nothing to learn from."""
ESTIMATED = "no location: its position is an estimate of lostfound's, no measurement"
_LARGEST = 1 << 20
"""Bytes: what is larger is no sidecar of a place (annotations hold whole pictures)."""


class OwnPlace(NamedTuple):
    """What a file says of where and when it was taken, beside it or inside; None where it does not.

    Attributes:
        latitude: Degrees.
        longitude: Degrees.
        heading: Degrees clockwise from north.
        captured_at: ISO 8601 local time; UTC if it ends with Z.
        problem: Why there are no coordinates.
    """

    latitude: float | None = None
    longitude: float | None = None
    heading: float | None = None
    captured_at: str | None = None
    problem: str = exif.NO_GPS


def own_place(data: bytes, sidecars: tuple[str, ...] = ()) -> OwnPlace:
    """The place of a file: the first of its sidecars, its GPS block and its XMP packet that states one.

    Args:
        data: The bytes of an image file.
        sidecars: The files beside it (see `lostfound.data.importers.sidecars`).
    """
    found = OwnPlace()
    for each in _sources(data, sidecars):
        if found.latitude is None:
            place = each.latitude, each.longitude
            problem = each.problem if found.problem == exif.NO_GPS else found.problem
            found = found._replace(latitude=place[0], longitude=place[1], problem=problem)
        found = found._replace(
            heading=each.heading if found.heading is None else found.heading,
            captured_at=found.captured_at or each.captured_at,
        )
    return found


def _sources(data: bytes, sidecars: tuple[str, ...]) -> Iterator[OwnPlace]:
    for path in sidecars:
        yield _from_xmp(_bytes(path)) if path.lower().endswith(".xmp") else _from_json(_bytes(path))
    fields = read_exif(data)
    place = ESTIMATED if _is_estimate(fields.get("GPSProcessingMethod")) else exif.location(fields)
    yield _checked(place, exif.heading(fields), exif.captured_at(fields))
    if "XMLPacket" in fields:
        yield _from_xmp(fields["XMLPacket"])


def _from_xmp(packet: bytes) -> OwnPlace:
    fields = xmp.read_xmp(packet)
    place: tuple[float | None, float | None] | str
    try:
        place = ESTIMATED if _is_estimate(fields.get("GPSProcessingMethod")) else xmp.location(fields)
    except ValueError as error:
        place = f"no location: the XMP's GPS is broken ({error})"
    taken = fields.get("DateTimeOriginal")
    return _checked(place, exif.heading(fields), taken and known_moment(taken))


def _from_json(data: bytes) -> OwnPlace:
    try:
        content = json.loads(data.decode("utf-8-sig"))
        place = json_places.coordinates(content)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return OwnPlace()
    found = _checked(place)
    return found._replace(captured_at=_taken(content), problem=exif.NO_GPS)


def _checked(
    place: tuple[float | None, float | None] | str, heading: float | None = None, taken: str | None = None
) -> OwnPlace:
    problem = place if isinstance(place, str) else location_problem(*place)
    if isinstance(place, str) or problem:
        if problem == "no location: no coordinates":
            problem = exif.NO_GPS
        return OwnPlace(None, None, heading, taken, problem or exif.NO_GPS)
    return OwnPlace(*place, heading, taken)


def _is_estimate(method: object) -> bool:
    """Does a GPSProcessingMethod, which in EXIF begins with eight bytes that name its letters, say so?"""
    text = method.decode("ascii", "replace") if isinstance(method, bytes) else str(method or "")
    return text.removeprefix("ASCII\0\0\0").startswith(ESTIMATE_MARK)


def _taken(content: Any) -> str | None:
    """When Takeout says that a photo was taken: seconds since 1970."""
    try:
        seconds = int(content["photoTakenTime"]["timestamp"])
        return known_moment(datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _bytes(path: str) -> bytes:
    file = Path(path)
    try:
        return file.read_bytes() if file.is_file() and file.stat().st_size <= _LARGEST else b""
    except OSError:
        return b""
