"""Layout `folders`: one folder per country, named as people write countries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers.source import Listing, SourceImage, files_below, image_files, readable
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
    """List the images of every country folder; those of an unknown name need a place of their own."""
    listing = Listing()
    known: dict[str, tuple[str | None, str | None, bool]] = {}
    folders = _country_folders(source)
    names = listing.read_countries(path.name for path in folders)
    for folder in folders:
        country, guessed = names.codes.get(folder.name), folder.name in names.guessed
        known[readable(folder.name)] = (
            country,
            None if country else listing.unknown_country(folder.name),
            guessed,
        )
    for file, original in files_below(source, listing):
        name, below, _ = original.partition("/")
        if not below or name not in known:
            listing.skip(original, "not in a country's folder")
            continue
        country, missing, guessed = known[name]
        listing.images.append(SourceImage(file, original, country=country, missing=missing, guessed=guessed))
    return listing
