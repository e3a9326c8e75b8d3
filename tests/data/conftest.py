"""Pictures for the tests of data: each number is another picture, with another perceptual hash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def make_picture(number: int, width: int = 48, height: int = 40) -> Image.Image:
    blobs = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(blobs).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session", autouse=True)
def held_countries() -> None:
    """Held, or each import would read them anew."""
    from lostfound.geo.boundaries import Boundaries

    Boundaries.packed()


@pytest.fixture(scope="session")
def picture() -> Callable[..., Image.Image]:
    """`picture(number, width, height)` draws the picture of that number."""
    return make_picture


@pytest.fixture(scope="session")
def write_picture() -> Callable[..., Path]:
    """`write_picture(path, number, width, height, **save)` writes it, with the folders above it."""

    def write(path: Path, number: int = 0, width: int = 48, height: int = 40, **save: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_picture(number, width, height).save(path, **save)
        return path

    return write


@pytest.fixture(scope="session")
def write_strip() -> Callable[..., Path]:
    """`write_strip(path, number, views, side)` writes a row of square views."""

    def write(path: Path, number: int = 0, views: int = 4, side: int = 40) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        strip = Image.new("RGB", (views * side, side))
        for view in range(views):
            strip.paste(make_picture(1000 * number + view, side, side), (view * side, 0))
        strip.save(path, quality=95)
        return path

    return write


@pytest.fixture(scope="session")
def gps() -> Callable[..., Image.Exif]:
    """`gps({tag: value, ...})` is an EXIF block with these GPS fields; 1 to 4 are latitude and longitude."""

    def block(fields: dict[int, Any], **base: Any) -> Image.Exif:
        exif = Image.Exif()
        exif.get_ifd(0x8825).update(fields)
        for tag, value in base.items():
            exif[int(tag.removeprefix("tag"))] = value
        return exif

    return block
