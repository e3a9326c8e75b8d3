"""Layout `exif`: camera files, located by the GPS block that each file holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from lostfound.data.importers.source import Listing, SourceImage, files_below
from lostfound.data.moments import known_moment
from lostfound.geo.sphere import location_problem

NO_GPS = "no location: no GPS in the file"


def read(source: Path) -> Listing:
    """List every image; where it was taken is read when it is decoded."""
    listing = Listing()
    listing.images.extend(SourceImage(*image, missing=NO_GPS) for image in files_below(source, listing))
    return listing


def location(fields: Mapping[str, Any]) -> tuple[float, float] | str:
    """The place that a GPS block states.

    Args:
        fields: EXIF fields by their standard names, as `lostfound.data.images.read_exif` gives them.

    Returns:
        (latitude, longitude) in degrees, or why there is no location.
    """
    lacking = [
        " or ".join(letters)
        for name, letters in (("GPSLatitude", "NS"), ("GPSLongitude", "EW"))
        if _parts(fields, name) and not _reference(fields, name)
    ]
    if lacking:
        return f"no location: the file has GPS, but lacks {', and '.join(lacking)}"
    try:
        latitude = _degrees(fields, "GPSLatitude", "NS")
        longitude = _degrees(fields, "GPSLongitude", "EW")
    except (TypeError, ValueError, ZeroDivisionError):
        return "no location: the GPS block is broken"
    problem = location_problem(latitude, longitude)
    if problem == "no location: no coordinates":
        return NO_GPS
    if problem:
        return problem.replace("coordinates", "GPS coordinates")
    return float(latitude), float(longitude)  # type: ignore[arg-type]


def _degrees(fields: Mapping[str, Any], name: str, directions: str) -> float | None:
    parts = [float(part) for part in _parts(fields, name)]
    if not parts:
        return None
    if not 1 <= len(parts) <= 3:
        raise ValueError(name)
    if any(part < 0 for part in parts):
        raise ValueError(name)
    angle: float = sum(part / 60.0**power for power, part in enumerate(parts))
    reference = _reference(fields, name)
    if reference[0] not in directions:
        raise ValueError(reference)
    return -angle if reference[0] == directions[1] else angle


def _parts(fields: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """Degrees, minutes, seconds, as many as there are: some programs write degrees alone."""
    value = fields.get(name)
    if value is None:
        return ()
    return tuple(value) if isinstance(value, Iterable) else (value,)


def _reference(fields: Mapping[str, Any], name: str) -> str:
    """North, south, east or west, as a letter or a word in capitals; empty where the file lacks it."""
    reference = fields.get(f"{name}Ref")
    if isinstance(reference, bytes):
        reference = reference.decode("ascii", "replace")
    return str(reference or "").strip("\0 ").upper()


def heading(fields: Mapping[str, Any]) -> float | None:
    """The camera's direction in degrees clockwise from north, if the GPS block states it."""
    try:
        stated = fields["GPSImgDirection"]
        value = float(Fraction(stated) if isinstance(stated, str) else stated)  # XMP: "4511/10"
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value % 360 if math.isfinite(value) else None


def captured_at(fields: Mapping[str, Any]) -> str | None:
    """When the picture was taken, as ISO 8601 local time, if the file states it."""
    try:
        taken = datetime.strptime(fields["DateTimeOriginal"].strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except (KeyError, ValueError):
        return None
    return known_moment(taken.isoformat())
