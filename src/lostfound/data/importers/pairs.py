"""Layout `pairs`: an image and a JSON file of the same stem, the form that game scrapers leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers import json_places
from lostfound.data.importers.source import Listing, SourceImage, files_below, mostly
from lostfound.data.packed import Packed
from lostfound.data.tables import resolve_countries
from lostfound.geo.sphere import location_problem


def recognise(_source: Path, sample: Sequence[Path]) -> bool:
    """Have most images a JSON file beside them?"""
    return mostly(sample, lambda path: path.with_suffix(".json").is_file())


def read(source: Path) -> Listing:
    """List the images with the place that their JSON states: coordinates, a country's name, or both."""
    listing = Listing()
    found: Packed[SourceImage] = Packed()  # with countries' names
    for file, original in files_below(source):
        latitude = longitude = country = missing = None
        try:
            content = json.loads(Path(file).with_suffix(".json").read_text(encoding="utf-8-sig"))
            latitude, longitude = json_places.coordinates(content)
            country = json_places.country(content)
        except FileNotFoundError:
            missing = "no JSON file beside it"
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            missing = "its JSON file can't be read"
        else:
            problem = location_problem(latitude, longitude)
            if problem and (country is None or (latitude, longitude) != (None, None)):
                missing = problem
        if missing:
            latitude = longitude = None
        found.append(SourceImage(file, original, None, latitude, longitude, country, missing=missing))
    codes = resolve_countries({image.country for image in found if image.country}, str(source))
    listing.images.extend(
        image._replace(country=codes[image.country]) if image.country else image for image in found
    )
    return listing
