"""Small pictures within pages."""

from __future__ import annotations

import base64
from contextlib import suppress

from lostfound.data.images import ImageSource, open_image, shrink
from lostfound.data.jpeg import encode_jpeg


def thumbnail(photo: ImageSource, side: int) -> bytes | None:
    """A photo as a small JPEG, its shorter side so many pixels; None where it can't be read any more."""
    with suppress(Exception):  # of whatever kind: it must not cost the page
        return encode_jpeg(shrink(open_image(photo, at_least=side), side), quality=80)
    return None


def data_uri(jpeg: bytes) -> str:
    """A JPEG as the address of an image in a page."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
