"""Layout `panoramas`: strips of square views side by side, the place in the name or in metadata.json."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers.source import Listing, SourceImage, files_below, mostly
from lostfound.data.tables import parse_number
from lostfound.errors import UsageError
from lostfound.geo.sphere import location_problem

_NAME = re.compile(r"^(?:[A-Za-z]+_)?(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)_(.+)$")


def recognise(source: Path, sample: Sequence[Path]) -> bool:
    """Are most files in a metadata.json of panoramas, or named like `panorama_<lat>_<lon>_<id>.jpg`?"""
    known = _metadata(source, strict=False)
    return mostly(sample, lambda path: path.stem in known or _is_named_so(path))


def _is_named_so(path: Path) -> bool:
    match = _NAME.match(path.stem)  # cameras name files IMG_20240131_115959_1: no coordinates
    if match is None or "." not in match[1] + match[2]:
        return False
    return location_problem(float(match[1]), float(match[2])) is None


def _metadata(source: Path, *, strict: bool = True) -> dict[str, tuple[float | None, float | None]]:
    """Coordinates by panorama id."""
    path = source / "metadata.json"
    if not path.is_file():
        return {}
    try:
        samples = json.loads(path.read_text())["samples"]
        return {
            str(sample["pano_id"]): (
                parse_number(sample["coordinates"][0]),
                parse_number(sample["coordinates"][1]),
            )
            for sample in samples
        }
    except (ValueError, KeyError, TypeError, IndexError) as error:
        if not strict:
            return {}
        raise UsageError(
            f"{path} is not a list of panoramas ({error!r}): it needs "
            '{"samples": [{"pano_id": ..., "coordinates": [latitude, longitude]}, ...]}'
        ) from None


def read(source: Path) -> Listing:
    """List the strips; each becomes one place with all its views."""
    listing = Listing()
    known = _metadata(source)
    for image in files_below(source):
        match = _NAME.match(image.stem)
        pano_id = match[3] if match else image.stem
        if match:
            latitude, longitude = float(match[1]), float(match[2])
        elif pano_id in known:
            latitude, longitude = known[pano_id]  # type: ignore[assignment]
        else:
            listing.skip(image.original, "no location: neither in the file's name nor in metadata.json")
            continue
        problem = location_problem(latitude, longitude)
        if problem:
            listing.skip(image.original, problem)
            continue
        listing.images.append(SourceImage(*image, pano_id, latitude, longitude, strip=True))
    return listing
