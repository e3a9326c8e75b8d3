"""Damaged and forged files from a seed: what strangers may give us, small enough to try many."""

from __future__ import annotations

import copy
import io
import json
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif", "BMP": ".bmp"}
_SIDES = (24, 18)
_ODD_NUMBERS = (0, -1, 1, 2**31 - 1, -(2**31), 2**63, 1e308, -0.5, 91, 181, float("nan"), float("inf"))
_NO_OBJECTS = (b"", b"null", b"[]", b'"x"', b"[" * 100_000, b"{}", b"\xff\xfe", b'{"format": 1e999}')
_ODD_VALUES = (
    None,
    True,
    "",
    "x",
    "..",
    "/etc/passwd",
    "\x1b[31m",
    "\0",
    [],
    {},
    [[]],
    {"a": []},
    *_ODD_NUMBERS,
)


@cache
def seeds() -> tuple[tuple[str, bytes], ...]:
    """Small whole images of every format and many kinds of pixels: (format, bytes)."""
    draw = np.random.default_rng(7)
    rgb = Image.fromarray(draw.integers(0, 256, (*_SIDES, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    exif[0x0112] = 6
    made: list[tuple[str, bytes]] = []

    def add(image: Image.Image, format_: str, **options: Any) -> None:
        buffer = io.BytesIO()
        image.save(buffer, format_, **options)
        made.append((format_, buffer.getvalue()))

    add(rgb, "JPEG", exif=exif)
    add(rgb, "JPEG", progressive=True, quality=50)
    add(rgb.convert("L"), "JPEG")
    add(rgb.convert("CMYK"), "JPEG")
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"):
        add(rgb.convert(mode), "PNG", exif=exif)
    add(rgb, "WEBP", exif=exif)
    add(rgb, "WEBP", lossless=True)
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        add(rgb, "TIFF", **({"compression": compression} if compression else {}), exif=exif)
    for mode in ("I", "F", "LAB", "CMYK", "I;16", "1", "YCbCr"):
        add(rgb.convert(mode) if mode != "LAB" else Image.new("LAB", _SIDES), "TIFF")
    add(rgb.convert("1"), "TIFF", compression="group4")
    add(rgb.convert("P"), "GIF")
    add(rgb, "BMP")
    return tuple(made)


def image_mutants(number: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many damaged images: (a file's name, bytes)."""
    for index in range(number):
        draw = random.Random(f"{seed}/{index}")
        format_, data = draw.choice(seeds())
        yield f"{index:06d}{SUFFIXES[format_]}", _mutated(data, draw)


def _mutated(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        at = draw.randrange(len(changed)) if draw.random() < 0.8 else draw.randrange(min(64, len(changed)))
        kind = draw.randrange(8)
        if kind == 0:
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            changed[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif kind == 2:
            size = draw.choice((2, 4))
            value = draw.choice((0, 1, 0x7FFF, 0xFFFF, 20_000, 50_000, 0x7FFFFFFF, 0xFFFFFFFF)) % 256**size
            changed[at : at + size] = value.to_bytes(size, draw.choice(("little", "big")))
        elif kind == 3:
            del changed[at : at + draw.randrange(1, 40)]
        elif kind == 4:
            changed[at:at] = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 40)))
        elif kind == 5:
            del changed[max(at, 8) :]
        elif kind == 6:
            other = draw.choice(seeds())[1]
            changed[at:] = other[min(at, len(other) - 1) :]
        else:
            changed[at : at + 8] = changed[at // 2 : at // 2 + 8]
        if not changed:
            return b""
    return _with_checksums(bytes(changed)) if draw.random() < 0.7 else bytes(changed)


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the right sums, so that what is in them is looked at."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        chunk = data[at + 4 : at + 8 + size]
        if at + 12 + size > len(data):
            break
        parts += [data[at : at + 4], chunk, struct.pack(">I", zlib.crc32(chunk))]
        at += 12 + size
    return b"".join([*parts, data[at:]])


def png_bomb(width: int, height: int) -> bytes:
    """A small PNG of very many pixels, all of them black."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def json_mutants(text: str, number: int, seed: int) -> Iterator[bytes]:
    """So many forgeries of a JSON file: values of other kinds, keys that are gone, other bytes."""
    values = json.loads(text)
    yield from (*_NO_OBJECTS, text.encode() * 2)
    for index in range(number):
        draw = random.Random(f"{seed}/{index}")
        if draw.random() < 0.15:
            yield _mutated(text.encode(), draw)
            continue
        forged = copy.deepcopy(values)
        for _ in range(draw.choice((1, 1, 2))):
            holder, key = draw.choice(list(_places(forged)))
            if draw.random() < 0.2:
                del holder[key]
                if not forged:
                    break
            else:
                holder[key] = copy.deepcopy(draw.choice(_ODD_VALUES))
        yield json.dumps(forged).encode()


def _places(values: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value within values: what holds it, and under which key or number."""
    for key, value in list(values.items() if isinstance(values, dict) else enumerate(values)):
        yield values, key
        if isinstance(value, dict | list):
            yield from _places(value)
