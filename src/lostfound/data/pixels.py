"""Pixels of whatever kind, as 8 bits of red, green and blue; and how many of them are too many."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lostfound.errors import ImageError, UsageError

MAX_PIXELS = 89_478_485
"""How many an image may have decoded: where Pillow begins to warn. JPEGs are decoded at a reduced scale."""
VARIABLE = "LOSTFOUND_MAX_PIXELS"
BYTES = 10
"""Most bytes that decoding takes for a pixel, copies included (benchmarks/results/hostile_files.md)."""

_SIGNED = 2  # of TIFF's SampleFormat
_SAMPLE_FORMAT = 339
_DEPTHS = (8, 10, 12, 14, 16)  # bits of a sensor
_DARK = 8  # levels of 255 that a picture has at least, unless it is stretched


def max_pixels() -> int:
    """How many pixels an image may have: `MAX_PIXELS`, or what the variable LOSTFOUND_MAX_PIXELS says.

    Raises:
        UsageError: It says no positive number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        return MAX_PIXELS
    with suppress(ValueError):
        if (limit := int(float(text))) > 0:
            return limit
    raise UsageError(f"{VARIABLE} is {text!r}: give a number of pixels, such as {MAX_PIXELS}")


def decoded_pixels(image: Image.Image, full: tuple[int, int]) -> int:
    """How many pixels the memory must hold to decode an opened image at its present scale.

    Args:
        image: The image.
        full: Its size in the file.

    Raises:
        ImageError: They are none, or too many.
    """
    # The coefficients of a progressive JPEG are held at its full scale.
    width, height = full if image.info.get("progressive") else image.size
    pixels = int(width) * int(height)
    if pixels < 1:
        raise ImageError(f"an image of {width}x{height} pixels holds nothing")
    if pixels > max_pixels():
        raise too_many(width, height)
    return pixels


def too_many(width: int, height: int) -> ImageError:
    """The error for an image that takes more memory than it may."""
    return ImageError(
        f"{width}x{height} pixels are more than the {max_pixels():,} that are decoded at most: make it "
        f"smaller, or raise the limit with {VARIABLE}"
    )


def signed(image: Image.Image) -> bool:
    """Are the 32-bit whole numbers of an image signed? Pillow reads all as if they were."""
    tags: Any = getattr(image, "tag_v2", {})
    return image.format != "TIFF" or _SIGNED in np.ravel(tags.get(_SAMPLE_FORMAT, 1))


def to_rgb(image: Image.Image, *, signed: bool = True) -> Image.Image:
    """An image of any kind in 8 bits of red, green and blue.

    Whole numbers are taken on the smallest scale of a sensor that holds them (8 to 16 bits), others by the
    range that they have. Transparency is left out; what is all transparent is black.

    Args:
        image: Of any of Pillow's modes.
        signed: Whether the numbers of the mode "I" are.

    Raises:
        ImageError: It holds no numbers.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_levels(np.asarray(image), signed=signed)).convert("RGB")
    if image.mode == "LAB":
        return _lab_to_srgb().apply(image)  # type: ignore[no-any-return]
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.mode == "PA":
        image = image.convert("RGBA")
    if image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() == (0, 0):
        return Image.new("RGB", image.size)
    return image if image.mode == "RGB" else image.convert("RGB")


def _levels(values: NDArray[Any], *, signed: bool) -> NDArray[np.uint8]:
    """Numbers of any range as 0 to 255."""
    if values.dtype == np.int32 and not signed:
        values = values.view(np.uint32)
    if values.dtype.kind in "iu":
        lowest, highest = int(values.min()), int(values.max())
        if lowest >= 0:
            for bits in _DEPTHS:
                if highest < 1 << bits:
                    return np.asarray(values >> (bits - 8), dtype=np.uint8)
        return _stretched(values)
    finite = np.isfinite(values)
    if not finite.all():
        if not finite.any():
            raise ImageError("an image whose pixels are no numbers holds nothing")
        values = np.where(finite, values, values[finite].min())
    lowest, highest = values.min(), values.max()
    if lowest >= 0 and highest <= 1 and (highest - lowest) * 255 >= _DARK:
        return np.asarray(np.rint(values * 255), dtype=np.uint8)
    return _stretched(values)


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Black and white where all but a thousandth of the values lie between."""
    low, high = np.percentile(values, (0.1, 99.9)).astype(np.float64)
    if low == high:
        low, high = float(values.min()), float(values.max())
    if not low < high:
        return np.zeros(values.shape, dtype=np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        shares = (np.clip(values, low, high).astype(np.float64) / 2 - low / 2) / (high / 2 - low / 2)
    return np.asarray(np.rint(np.nan_to_num(shares) * 255), dtype=np.uint8)


@cache
def _lab_to_srgb() -> Any:
    from PIL import ImageCms  # here, since few photos need it

    own, srgb = (ImageCms.createProfile(name) for name in ("LAB", "sRGB"))
    return ImageCms.buildTransform(own, srgb, "LAB", "RGB")


@cache
def quiet_libtiff() -> None:
    """Keep libtiff, which reads TIFF files for Pillow, from printing what it finds wrong with them."""
    import ctypes
    from importlib import import_module

    with suppress(AttributeError, OSError):  # another library, or none
        library = ctypes.CDLL(import_module("PIL._imaging").__file__)  # its own libraries are searched too
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            handler = getattr(library, name)
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)
