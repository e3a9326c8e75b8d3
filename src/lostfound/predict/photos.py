"""Locating photos and folders of them, one bad photo never stopping the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers.source import image_files
from lostfound.errors import ImageError, UsageError
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import STARTER
from lostfound.predict.outputs import LocatedPhoto
from lostfound.progress import progress


def find_photos(paths: Sequence[Path]) -> list[Path]:
    """The photos that paths mean: files themselves, folders searched through.

    Raises:
        UsageError: A path does not exist, or a folder holds no images.
    """
    photos: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = list(image_files(path))
            if not found:
                raise UsageError(f"{path} holds no images (looked for .jpg, .png, .webp, .heic and the like)")
            photos += found
        elif path.exists():
            photos.append(path)
        else:
            raise UsageError(f"{path} does not exist: give a photo or a folder of photos")
    return photos


def locate_photos(
    paths: Sequence[Path], model: Path = STARTER, *, top: int = 5, same_place: bool = False
) -> list[LocatedPhoto]:
    """Locate all photos that paths mean, in order.

    With `same_place`, their outputs are averaged: all get the same guess, but for those that can't be read.

    Raises:
        UsageError: A path does not exist or holds no images.
        ModelError: The model can't be used.
    """
    locator = Locator.load(model)
    photos = find_photos(paths)
    outputs = []
    with progress("Locating", len(photos)) as advance:
        for answer in locator.outputs(photos):
            outputs.append(answer)
            advance(1)
    readable = [each for each in outputs if not isinstance(each, ImageError)]
    together = locator.guess_place(readable, top=top) if same_place and readable else None
    return [
        LocatedPhoto(str(photo), None, str(each))
        if isinstance(each, ImageError)
        else LocatedPhoto(str(photo), together or locator.guess(each, top=top))
        for photo, each in zip(photos, outputs, strict=True)
    ]
