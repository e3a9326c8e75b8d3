"""One stored image at a smaller size. What workers import: nothing heavy."""

from __future__ import annotations

from lostfound.data.chunks import Encoded, Skipped
from lostfound.data.dataset import StoredImage
from lostfound.data.images import decoded, shrink, unreadable
from lostfound.data.importers.encoding import JPEG_QUALITY
from lostfound.data.jpeg import encode_jpeg


def resize_image(image: StoredImage, *, size: int) -> tuple[list[Encoded], list[Skipped]]:
    """Read an image and make it smaller; one that is small enough keeps its bytes.

    Args:
        image: One image of a data set.
        size: The shorter side in pixels.

    Returns:
        The image, or why it is left out, under "image_id/original".
    """
    data, record = image.read(), dict(image.record)
    if min(record["width"], record["height"]) > size:
        try:
            with decoded(data, at_least=2 * size) as picture:
                small = shrink(picture, size)
                data = encode_jpeg(small, JPEG_QUALITY)
        except Exception as error:  # of whatever kind: one image must not stop the others
            return [], [(f"{record['image_id']}/{record['original']}", unreadable(error))]
        record["width"], record["height"] = small.size
    return [Encoded(record, data)], []
