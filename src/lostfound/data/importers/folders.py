"""Layout `folders`: one folder per country, named as people write countries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers.source import Listing, SourceImage, files_below, image_files, readable
from lostfound.data.tables import resolve_countries
from lostfound.geo.countries import find_country

MIN_RESOLVED = 0.5
"""A source is recognised as this layout when this share of its folders are countries."""


def _country_folders(source: Path) -> list[Path]:
    return sorted(
        path
        for path in source.iterdir()
        if path.is_dir() and not path.name.startswith(".") and next(image_files(path), None)
    )


def recognise(source: Path, _sample: Sequence[Path]) -> bool:
    """Do most folders with images bear a country's name? A city's, as people name albums, is not enough."""
    names = [path.name for path in _country_folders(source)]
    matches = [find_country(name) for name in names]
    resolved = sum(match.code is not None and match.method != "city" for match in matches)
    return bool(names) and resolved >= MIN_RESOLVED * len(names)


def read(source: Path) -> Listing:
    """List the images of every country folder.

    Raises:
        CountryNameError: A folder's name can't be told to be one country.
    """
    listing = Listing()
    folders = _country_folders(source)
    codes = resolve_countries((path.name for path in folders), str(source))
    for folder in folders:
        for file, original in files_below(folder):
            below = f"{readable(folder.name)}/{original}"
            listing.images.append(SourceImage(file, below, country=codes[folder.name]))
    for path in sorted(source.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            listing.skip(readable(path.name), "not in a country's folder")
    return listing
