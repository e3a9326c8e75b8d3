"""Layout `coordinates`: files named `<lat>,<lon>.jpg`."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from lostfound.data.importers.source import Listing, SourceImage, image_files, location_problem

_NAME = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)(?:[\s,_(].*)?$")


def recognise(source: Path) -> bool:
    """Do the first files have such names?"""
    first = list(islice(image_files(source), 10))
    return bool(first) and sum(_NAME.match(path.stem) is not None for path in first) > len(first) / 2


def read(source: Path) -> Listing:
    """List the images; files of one coordinate are views of one place."""
    listing = Listing()
    for path in image_files(source):
        original = path.relative_to(source).as_posix()
        match = _NAME.match(path.stem)
        if match is None:
            listing.skip(original, "no location: the name is not <lat>,<lon>")
            continue
        latitude, longitude = float(match[1]), float(match[2])
        problem = location_problem(latitude, longitude)
        if problem:
            listing.skip(original, problem)
            continue
        place = f"{match[1]},{match[2]}"
        listing.images.append(SourceImage(path, original, place, latitude, longitude))
    return listing
