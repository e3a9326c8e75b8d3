"""Layout `pairs`: an image and a JSON file of the same stem, the form that game scrapers leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers import json_places
from lostfound.data.importers.finding import FileNames
from lostfound.data.importers.source import Listing, SourceImage, files_below, mostly
from lostfound.data.packed import Packed
from lostfound.geo.sphere import location_problem


def recognise(_source: Path, sample: Sequence[Path]) -> bool:
    """Have most images a JSON file beside them?"""
    files = FileNames()
    return mostly(sample, lambda path: _beside(path, files).is_file())


def _beside(image: Path, files: FileNames) -> Path:
    """The JSON file of an image; where there is none, as it would be called."""
    path = image.with_suffix(".json")
    return Path(files.find(path) or path)


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError(path)
    return path.read_text(encoding="utf-8-sig")


def read(source: Path) -> Listing:
    """List the images with the place that their JSON states: coordinates, a country's name, or both."""
    listing, files = Listing(), FileNames()
    found: Packed[SourceImage] = Packed()  # with countries' names
    for file, original in files_below(source, listing):
        latitude = longitude = country = missing = None
        try:
            content = json.loads(_text(_beside(Path(file), files)))
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
    names = listing.read_countries({image.country for image in found if image.country})
    for image in found:
        if image.country in names.unknown:
            missing = listing.unknown_country(image.country)
            listing.images.append(
                image._replace(latitude=None, longitude=None, country=None, missing=missing)
            )
        elif image.country:
            code, guessed = names.codes[image.country], image.country in names.guessed
            listing.images.append(image._replace(country=code, guessed=guessed))
        else:
            listing.images.append(image)
    return listing
