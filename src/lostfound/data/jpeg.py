"""JPEG as images are stored."""

from __future__ import annotations

import io

from PIL import Image

from lostfound.errors import ImageError

_MAX_JPEG_SIDE = 65500
# Markers of JPEG segments (ITU T.81, table B.1), and the length of a JFIF segment without a thumbnail.
_START_OF_SCAN, _BASELINE, _APP0, _APP1, _FILL, _JFIF_LENGTH = 0xDA, 0xC0, 0xE0, 0xE1, 0xFF, 16
_TABLES = frozenset({0xC4, 0xDB, 0xDD})  # Huffman, quantisation, restart interval


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """The image as a JPEG without any metadata.

    Raises:
        ImageError: A side is longer than the format allows.
    """
    if max(image.size) > _MAX_JPEG_SIDE:
        raise ImageError(f"{image.width}x{image.height} pixels are too long a picture for a JPEG")
    if image.info:  # Pillow writes what it finds there
        image = image.copy()
        image.info = {}
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def may_hold_metadata(data: bytes) -> bool:
    """May these bytes of a JPEG hold EXIF or XMP? Both are in APP1 segments, before the picture."""
    at = 2
    while data[at : at + 1] == b"\xff":
        marker = data[at + 1] if at + 1 < len(data) else _START_OF_SCAN
        if marker in (_APP1, _START_OF_SCAN):
            return marker == _APP1
        at += 1 if marker == _FILL else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return True  # odd: a reader is to say


def is_plain_jpeg(data: bytes) -> bool:
    """Is this a baseline colour JPEG that holds its picture and nothing else: no metadata, no thumbnail?

    True for none that has anything unusual about it, so that what is true may be stored as it is.
    """
    # The first end-of-image marker is the file's last bytes: no other picture is hidden behind it.
    if data[:2] != b"\xff\xd8" or data.find(b"\xff\xd9") != len(data) - 2:
        return False
    at = 2
    while data[at : at + 1] == b"\xff":
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _START_OF_SCAN:
            return True
        if marker == _APP0:
            if length != _JFIF_LENGTH or data[at + 4 : at + 9] != b"JFIF\0":
                return False
        elif marker == _BASELINE:
            if data[at + 9 : at + 10] != b"\3":  # components
                return False
        elif marker not in _TABLES:
            return False
        at += 2 + length
    return False
