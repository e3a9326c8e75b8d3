"""Layout `pairs`: an image and a JSON file of the same stem, the form that game scrapers leave."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lostfound.data.importers.source import Listing, SourceImage, files_below, mostly
from lostfound.data.packed import Packed
from lostfound.data.tables import parse_number, parse_text, resolve_countries
from lostfound.geo.sphere import location_problem

LATITUDE_KEYS = ("latitude", "lat")
LONGITUDE_KEYS = ("longitude", "lng", "lon", "long")
COUNTRY_KEYS = ("country", "country_name", "countryName", "country_code", "countryCode")
NESTED_KEYS = ("coordinates", "location", "position", "gps", "latlng")


def recognise(_source: Path, sample: Sequence[Path]) -> bool:
    """Have most images a JSON file beside them?"""
    return mostly(sample, lambda path: path.with_suffix(".json").is_file())


def read(source: Path) -> Listing:
    """List the images with the place that their JSON states: coordinates, a country's name, or both."""
    listing = Listing()
    found: Packed[SourceImage] = Packed()  # with countries' names
    for file, original in files_below(source):
        try:
            content = json.loads(Path(file).with_suffix(".json").read_text(encoding="utf-8-sig"))
            latitude, longitude = _coordinates(content)
        except FileNotFoundError:
            listing.skip(original, "no JSON file beside it")
            continue
        except (ValueError, TypeError, AttributeError):
            listing.skip(original, "its JSON file can't be read")
            continue
        country = next(filter(None, (parse_text(content.get(key)) for key in COUNTRY_KEYS)), None)
        problem = location_problem(latitude, longitude)
        if problem and (country is None or (latitude, longitude) != (None, None)):
            listing.skip(original, problem)
            continue
        found.append(SourceImage(file, original, None, latitude, longitude, country))
    codes = resolve_countries({image.country for image in found if image.country}, str(source))
    listing.images.extend(
        image._replace(country=codes[image.country]) if image.country else image for image in found
    )
    return listing


def _coordinates(content: Mapping[str, Any]) -> tuple[float | None, float | None]:
    for key in NESTED_KEYS:
        nested = content.get(key)
        if isinstance(nested, list) and len(nested) == 2:
            return parse_number(nested[0]), parse_number(nested[1])
        if isinstance(nested, dict):
            return _coordinates(nested)
    latitude = next((content[key] for key in LATITUDE_KEYS if key in content), None)
    longitude = next((content[key] for key in LONGITUDE_KEYS if key in content), None)
    return parse_number(latitude), parse_number(longitude)
