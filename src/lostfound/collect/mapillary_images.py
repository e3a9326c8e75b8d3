"""What Mapillary says of an image, and which images are wanted.

Cameras take a picture every few metres, and neighbours teach a model nothing new: a sequence is thinned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lostfound.collect.boxes import Box
from lostfound.collect.ledger import Ledger
from lostfound.collect.tasks import NewTask
from lostfound.data.moments import known_moment
from lostfound.errors import UsageError
from lostfound.geo.sphere import haversine_km, location_problem

PICTURE = "thumb_2048_url"


@dataclass(frozen=True)
class Filters:
    """Which images are taken.

    Attributes:
        since: Captured on this day or later, as YYYY-MM-DD.
        until: Captured on this day or earlier.
        panoramas: Panoramas alone (True), none (False), or both (None).
        camera_types: Such as perspective, fisheye, equirectangular; all if empty.
        per_box: At most so many of one box, chosen at random.
        per_sequence: At most so many of one sequence, in all boxes together.
        spacing_m: Images of one sequence are at least so far apart, in metres.
        reach_km: How far the box around a drawn place reaches, in kilometres.
        seed: Another seed chooses others.
    """

    since: str | None = None
    until: str | None = None
    panoramas: bool | None = False
    camera_types: tuple[str, ...] = ()
    per_box: int | None = None
    per_sequence: int | None = 10
    spacing_m: float = 100.0
    reach_km: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        days = [_day(text) for text in (self.since, self.until)]
        if days[0] and days[1] and days[0] > days[1]:
            raise UsageError(f"from {self.since} until {self.until} there is no day")
        if not 0 < self.reach_km <= 5:
            raise UsageError(f"a box of {self.reach_km:g} km around a place: give up to 5")

    def fit(self, image: Mapping[str, Any], box: Box | None = None) -> bool:
        """Has an image what a record needs, within the box if one is given, and is it of the kind wanted?"""
        if "id" not in image or _coordinates(image, box) is None:
            return False
        if self.panoramas is not None and bool(image.get("is_pano")) is not self.panoramas:
            return False
        if self.camera_types and image.get("camera_type") not in self.camera_types:
            return False
        day = (_moment(image) or "")[:10]
        return not (
            (self.since and (not day or day < self.since)) or (self.until and (not day or day > self.until))
        )


class Thinning:
    """Says which images of a sequence are kept, those of earlier searches counted in."""

    def __init__(self, ledger: Ledger, spacing_m: float, per_sequence: int | None) -> None:
        self._ledger = ledger
        self._spacing_km = spacing_m / 1000
        self._per_sequence = per_sequence
        self._kept: dict[str, list[tuple[float, float]]] = {}

    def keeps(self, image: Mapping[str, Any]) -> bool:
        """Is an image far enough from all that are kept of its sequence, and are they few enough?"""
        sequence = image["sequence"]
        if sequence not in self._kept:
            earlier = self._ledger.payloads("image", sequence)
            self._kept[sequence] = [(each["latitude"], each["longitude"]) for each in earlier]
        kept = self._kept[sequence]
        if self._per_sequence is not None and len(kept) >= self._per_sequence:
            return False
        place = (image["latitude"], image["longitude"])
        if kept and float(haversine_km(kept, place).min()) < self._spacing_km:
            return False
        kept.append(place)
        return True


def image_task(image: Mapping[str, Any], box: Box | None = None) -> NewTask:
    """The task of fetching an image that a search of a box found, with all that its record needs."""
    place = _coordinates(image, box)
    assert place is not None
    creator = as_dict(image.get("creator"))
    heading = _number(image.get("computed_compass_angle"))
    if heading is None:
        heading = _number(image.get("compass_angle"))
    payload = {
        "id": str(image["id"]),
        "latitude": place[0],
        "longitude": place[1],
        "heading": None if heading is None else heading % 360,
        "captured_at": _moment(image),
        "sequence": str(image.get("sequence") or image["id"]),
        "creator": str(creator.get("username") or creator.get("id") or "unknown"),
        "url": url if isinstance(url := image.get(PICTURE), str) else None,
        "renewed": False,
    }
    return NewTask("image", f"image:{image['id']}", payload, str(payload["sequence"]), 0)


def as_dict(value: object) -> Mapping[str, Any]:
    """A JSON value that should be an object; an empty one if it is something else."""
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    """A finite number, or None."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _coordinates(image: Mapping[str, Any], box: Box | None) -> tuple[float, float] | None:
    """(latitude, longitude), as Mapillary computed it or else as the camera said: the first that can be."""
    for name in ("computed_geometry", "geometry"):
        try:
            longitude, latitude = map(float, image[name]["coordinates"][:2])
        except (KeyError, TypeError, ValueError):
            continue
        if location_problem(latitude, longitude) is None and (box is None or box.holds(latitude, longitude)):
            return latitude, longitude
    return None


def _moment(image: Mapping[str, Any]) -> str | None:
    """When an image was captured (milliseconds since 1970), as ISO 8601."""
    try:
        seconds = float(image["captured_at"]) / 1000
        moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    return known_moment(moment.replace("+00:00", "Z"))


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"{text!r} is no day: write it as 2024-05-31") from None
