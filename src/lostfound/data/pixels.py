"""Pixels of whatever kind, as 8 bits of red, green and blue; and how many of them are too many."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
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
_SOME = 2**20  # numbers that are looked at, or worked on, at a time
_DARK = 8  # levels of 255 that a picture has at least, unless it is stretched


def max_pixels() -> int:
    """How many pixels an image may have: `MAX_PIXELS`, or what the variable LOSTFOUND_MAX_PIXELS says.

    Raises:
        UsageError: It says no positive number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text.strip():
        return MAX_PIXELS
    with suppress(ValueError, OverflowError):
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
        with np.errstate(all="ignore"):  # numbers that are none are seen to
            levels = _levels(np.asarray(image), signed=signed)
        return Image.fromarray(levels).convert("RGB")
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
        bits = next((bits for bits in _DEPTHS if lowest >= 0 and highest < 1 << bits), None)
        return _stretched(values) if bits is None else _by_rows(values, lambda rows: rows >> (bits - 8))
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ImageError("an image whose pixels are no numbers holds nothing")
    darkest, brightest = float(finite.min()), float(finite.max())
    del finite
    if darkest >= 0 and brightest <= 1 and (brightest - darkest) * 255 >= _DARK:
        return _by_rows(values, lambda rows: np.rint(np.clip(np.nan_to_num(rows, nan=darkest), 0, 1) * 255))
    return _stretched(values)


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Black and white where all but a thousandth of the values lie between."""
    some = values.reshape(-1)[:: max(1, values.size // _SOME)].astype(np.float64)
    some = some[np.isfinite(some)]
    low, high = np.percentile(some, (0.1, 99.9)) if some.size else (0.0, 0.0)
    if low == high:
        finite = values[np.isfinite(values)]
        low, high = float(finite.min()), float(finite.max())
    if not low < high:
        return np.zeros(values.shape, dtype=np.uint8)
    half = high / 2 - low / 2  # the whole may be more than there are numbers for

    def levels(rows: NDArray[Any]) -> NDArray[np.float64]:
        numbers = np.nan_to_num(np.clip(rows.astype(np.float64), low, high), nan=low)
        return np.rint((numbers / 2 - low / 2) / half * 255)

    return _by_rows(values, levels)


def _by_rows(values: NDArray[Any], levels: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.uint8]:
    """The levels of numbers, a few rows at a time: whole copies would take much memory."""
    found = np.empty(values.shape, dtype=np.uint8)
    step = max(1, _SOME // max(1, values.shape[1]))
    for start in range(0, len(values), step):
        found[start : start + step] = levels(values[start : start + step])
    return found


@cache
def _lab_to_srgb() -> Any:
    from PIL import ImageCms  # here, since few photos need it

    own, srgb = (ImageCms.createProfile(name) for name in ("LAB", "sRGB"))
    return ImageCms.buildTransform(own, srgb, "LAB", "RGB")


def give_memory_back() -> None:
    """Let Pillow ask for memory in pieces so large that the C library gives each back when it is free.

    Smaller ones stay with the thread that had them: each would keep as much as its largest image took.
    """
    with suppress(AttributeError, ValueError):
        import_module("PIL._imaging").set_block_size(64 * 2**20)  # glibc keeps pieces of up to 32 MiB


@cache
def quiet_libtiff() -> None:
    """Keep libtiff, which reads TIFF files for Pillow, from printing what it finds wrong with them."""
    import ctypes

    with suppress(AttributeError, OSError):  # another library, or none
        library = ctypes.CDLL(import_module("PIL._imaging").__file__)  # its own libraries are searched too
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            handler = getattr(library, name)
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)
