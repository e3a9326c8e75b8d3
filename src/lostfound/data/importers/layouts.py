"""The layouts in which people keep images with places, each recognised by its look."""

from __future__ import annotations

from pathlib import Path

from lostfound.data.importers import coordinates, exif, folders, pairs, panoramas, table
from lostfound.data.importers.source import Listing, Reader, no_images, sample_files
from lostfound.data.tables import refuse_unknown
from lostfound.errors import UsageError

LAYOUTS: dict[str, Reader] = {
    "table": table.read,
    "panoramas": panoramas.read,
    "coordinates": coordinates.read,
    "pairs": pairs.read,
    "folders": folders.read,
    "exif": exif.read,
}

_SAMPLE = 100
"""So many files, spread over the source, are looked at to recognise its layout."""


def recognise_layout(source: Path) -> str:
    """Name the layout of a source; `exif` where nothing but image files is to be seen.

    Raises:
        UsageError: The source is missing or holds no images.
    """
    if not source.exists():
        raise UsageError(f"{source} does not exist: give a folder of images, or a CSV or Parquet table")
    if source.is_file():
        if not table.recognise(source, []):
            raise UsageError(f"{source} is not a table (CSV or Parquet) of images: give a folder or a table")
        return "table"
    sample = sample_files(source, _SAMPLE)
    if not sample:
        raise UsageError(no_images(source))
    for layout in (table, panoramas, coordinates, pairs, folders):
        if layout.recognise(source, sample):
            return layout.__name__.rpartition(".")[2]
    return "exif"


def list_source(source: Path, layout: str | None = None, *, strict: bool = False) -> tuple[str, Listing]:
    """List the images of a source.

    Args:
        source: A folder or a table.
        layout: One of `LAYOUTS`; recognised if None.
        strict: Refuse a source with names of countries that can't be told; else what bears one is skipped.

    Returns:
        The layout's name, and its images in a stable order.

    Raises:
        UsageError: The source or layout does not exist, or holds no images of that layout.
        CountryNameError: Names of countries that can't be told, if `strict`.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"no layout {layout!r}: choose one of {', '.join(LAYOUTS)}")
    recognised = recognise_layout(source)
    layout = layout or recognised
    if source.is_file() and layout != "table":
        raise UsageError(f"{source} is a table: the layout {layout!r} needs a folder")
    listing = LAYOUTS[layout](source)
    if strict:
        refuse_unknown(listing.countries.unknown, str(source))
    if not listing.images and not listing.skipped:
        raise UsageError(f"{source} holds no images of the layout {layout!r} (it looks like {recognised!r})")
    return layout, listing
