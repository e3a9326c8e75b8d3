"""Layout `panoramas`: strips of square views side by side, the place in the name or in metadata.json."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from lostfound.data.importers import json_places
from lostfound.data.importers.source import Listing, SourceImage, files_below, mostly
from lostfound.errors import UsageError
from lostfound.geo.sphere import location_problem

_NAME = re.compile(r"^(?:[A-Za-z]+_)?(-?\d+(?:\.\d+)?)_(-?\d+(?:\.\d+)?)_(.+)$")


def recognise(source: Path, sample: Sequence[Path]) -> bool:
    """Are most files in a metadata.json of panoramas, or named like `panorama_<lat>_<lon>_<id>.jpg`?"""
    known = _metadata(source, strict=False)
    return mostly(sample, lambda path: normalize("NFC", path.stem) in known or _is_named_so(path))


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
        names = [normalize("NFC", str(sample["pano_id"])) for sample in samples]
        places = [json_places.coordinates({"coordinates": sample["coordinates"]}) for sample in samples]
        return dict(zip(names, places, strict=True))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
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
    for image in files_below(source, listing):
        match = _NAME.match(image.stem)
        pano_id = match[3] if match else image.stem
        latitude: float | None
        longitude: float | None
        if match:
            latitude, longitude = float(match[1]), float(match[2])
        elif (key := normalize("NFC", pano_id)) in known:
            latitude, longitude = known[key]
        else:
            latitude = longitude = None
        problem = location_problem(latitude, longitude)
        if problem:
            if not match and normalize("NFC", pano_id) not in known:
                problem = "no location: neither in the file's name nor in metadata.json"
            listing.images.append(SourceImage(*image, pano_id, strip=True, missing=problem))
            continue
        listing.images.append(SourceImage(*image, pano_id, latitude, longitude, strip=True))
    return listing
