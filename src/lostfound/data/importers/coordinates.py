"""Layout `coordinates`: files named `<lat>,<lon>.jpg`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers.source import Listing, SourceImage, files_below, mostly
from lostfound.geo.sphere import location_problem

_NAME = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)(?:[\s,_(].*)?$")


def recognise(_source: Path, sample: Sequence[Path]) -> bool:
    """Do most files have such names, with the decimals that tell coordinates from other numbers?"""
    return mostly(sample, _is_named_so)


def _is_named_so(path: Path) -> bool:
    match = _NAME.match(path.stem)
    if match is None or "." not in match[1] + match[2]:
        return False
    return location_problem(float(match[1]), float(match[2])) is None


def read(source: Path) -> Listing:
    """List the images; files of one coordinate are views of one place."""
    listing = Listing()
    for image in files_below(source, listing):
        match = _NAME.match(image.stem)
        if match is None:
            missing = "no location: the name is not <lat>,<lon>"
            listing.images.append(SourceImage(*image, missing=missing))
            continue
        latitude, longitude = float(match[1]), float(match[2])
        problem = location_problem(latitude, longitude)
        if problem:
            listing.images.append(SourceImage(*image, missing=problem))
            continue
        place = f"{match[1]},{match[2]}"
        listing.images.append(SourceImage(*image, place, latitude, longitude))
    return listing
