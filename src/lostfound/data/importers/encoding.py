"""From an image file, or a stored image, to what a shard holds: the work of an import's processes.

Apart from the rest of importing, so that those processes load little and start quickly.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from lostfound.data.chunks import Encoded, Skipped
from lostfound.data.images import cut_strip, decoded, open_image, read_file, shrink, unreadable
from lostfound.data.importers.exif import NO_GPS
from lostfound.data.importers.own_place import own_place
from lostfound.data.importers.source import SourceImage
from lostfound.data.jpeg import encode_jpeg, is_plain_jpeg
from lostfound.data.phash import perceptual_hash
from lostfound.data.records import SCHEMA
from lostfound.files import digest
from lostfound.geo.sphere import wrap_longitude

JPEG_QUALITY = 92


def to_store(picture: Image.Image, size: int, data: bytes = b"") -> tuple[Image.Image, bytes]:
    """A picture as it is stored, and its bytes.

    Args:
        picture: Upright, in RGB.
        size: The shorter side, in pixels; a smaller picture stays as it is.
        data: The file that it is the whole of. Where that is a plain JPEG and small enough, it is kept to the
            byte: encoded once more, it would lose quality and mostly take more room.
    """
    small = shrink(picture, size)
    if small is picture and is_plain_jpeg(data):
        return picture, data
    return small, encode_jpeg(small, JPEG_QUALITY)


def encode_source_image(
    item: tuple[str, SourceImage],
    *,
    size: int,
    license: str | None = None,  # noqa: A002
) -> tuple[list[Encoded], list[Skipped]]:
    """Read one file and make the images to store, with their records.

    Args:
        item: The source's name and the file.
        size: The shorter side of the stored images, in pixels.
        license: Under which licence the images are, if that is known.

    Returns:
        The images (several for a strip), or why the file is skipped.
    """
    source, image = item
    label = f"{source}/{image.original}"
    captured_at = None
    try:
        data = read_file(image.path)
        if image.latitude is None:
            own = own_place(data, image.sidecars)
            if own.latitude is None and image.missing is not None:
                open_image(data, at_least=64)  # a damaged file is damaged, with or without a place
                return [], [(label, _no_place(image.missing, own.problem))]
            heading = own.heading if image.heading is None else image.heading
            image = image._replace(latitude=own.latitude, longitude=own.longitude, heading=heading)
            captured_at = own.captured_at
        if image.guessed and image.latitude is not None:
            image = image._replace(country=None)  # the one at its place is filled in
        views = _views(image, data, size)
    except Exception as error:  # of whatever kind: one file must not stop the import of others
        return [], [(label, unreadable(error))]
    common = {
        "place_id": f"{source}/{image.place or image.original}",
        "heading": image.heading,
        "latitude": image.latitude,
        "longitude": None if image.longitude is None else float(wrap_longitude(image.longitude)),
        "country": image.country,
        "captured_at": captured_at,
        "source": f"{source}/{image.collection}" if image.collection else source,
        "license": license,
        "original": image.original,
    }
    return _encoded(views, digest(data), common), []


def _no_place(missing: str, own: str) -> str:
    """Why a file is left out that has no place by its layout, and none of its own."""
    if NO_GPS in (missing, own):
        return own if missing == NO_GPS else missing
    return f"{missing} (in the file: {own.removeprefix('no location: ')})"


def _views(image: SourceImage, data: bytes, size: int) -> list[tuple[Image.Image, bytes]]:
    """The pictures of a file as they are stored, and their bytes: one, or those of a strip."""
    with decoded(data, at_least=None if image.strip else 2 * size) as picture:
        if image.strip:
            return [to_store(view, size) for view in cut_strip(picture)]
        return [to_store(picture, size, data)]


def _encoded(views: list[tuple[Image.Image, bytes]], file_id: str, common: dict[str, Any]) -> list[Encoded]:
    """Pictures of one file with their records; several are views all around, the first to the north."""
    encoded = []
    for number, (view, content) in enumerate(views):
        own: dict[str, Any] = {"image_id": file_id[:32]}
        if len(views) > 1:
            own = {
                "image_id": digest(f"{file_id}:{number}".encode())[:32],
                "heading": 360.0 * number / len(views),
            }
        own |= {"width": view.width, "height": view.height, "phash": perceptual_hash(view)}
        encoded.append(Encoded(dict.fromkeys(SCHEMA.names) | common | own, content))
    return encoded
