"""From an image file, or a stored image, to what a shard holds: the work of an import's processes.

Apart from the rest of importing, so that those processes load little and start quickly.
"""

from __future__ import annotations

from PIL import Image

from lostfound.data.chunks import Encoded, Skipped
from lostfound.data.images import cut_strip, open_image, read_exif, shrink
from lostfound.data.importers import exif
from lostfound.data.importers.source import SourceImage
from lostfound.data.jpeg import encode_jpeg, is_plain_jpeg
from lostfound.data.phash import perceptual_hash
from lostfound.data.records import SCHEMA
from lostfound.errors import ImageError
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
    try:
        data = image.path.read_bytes()
        latitude, longitude, heading, captured_at = image.latitude, image.longitude, image.heading, None
        if image.exif:
            fields = read_exif(data)
            place = exif.location(fields)
            if isinstance(place, str):
                open_image(data, at_least=64)  # a damaged file is damaged, with or without a place
                return [], [(label, place)]
            latitude, longitude = place
            heading, captured_at = exif.heading(fields), exif.captured_at(fields)
        picture = open_image(data, at_least=None if image.strip else 2 * size)
        views = (
            [to_store(view, size) for view in cut_strip(picture)]
            if image.strip
            else [to_store(picture, size, data)]
        )
    except ImageError as error:
        return [], [(label, f"unreadable ({error})")]
    except OSError as error:
        return [], [(label, f"unreadable ({error.strerror})")]
    source_id = digest(data)
    longitude = None if longitude is None else float(wrap_longitude(longitude))
    encoded = []
    for number, (view, content) in enumerate(views):
        record = dict.fromkeys(SCHEMA.names) | {
            "image_id": source_id[:32] if len(views) == 1 else digest(f"{source_id}:{number}".encode())[:32],
            "place_id": f"{source}/{image.place or image.original}",
            "heading": 360.0 * number / len(views) if len(views) > 1 else heading,
            "latitude": latitude,
            "longitude": longitude,
            "country": image.country,
            "captured_at": captured_at,
            "source": source,
            "license": license,
            "original": image.original,
            "width": view.width,
            "height": view.height,
            "phash": perceptual_hash(view),
        }
        encoded.append(Encoded(record, content))
    return encoded, []
