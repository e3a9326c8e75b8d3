"""Locating photos and folders of them, one bad photo never stopping the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers.source import image_files
from lostfound.errors import ImageError, UsageError
from lostfound.locate.locator import Locator
from lostfound.locate.outputs import Located
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


def locate_photos(paths: Sequence[Path], model: Path, *, top: int = 5) -> list[Located]:
    """Locate all photos that paths mean, in order.

    Raises:
        UsageError: A path does not exist or holds no images.
        ModelError: The model can't be used.
    """
    locator = Locator.load(model)
    photos = find_photos(paths)
    results = []
    with progress("Locating", len(photos)) as advance:
        for photo, answer in zip(photos, locator.guesses(photos, top=top), strict=True):
            if isinstance(answer, ImageError):
                results.append(Located(str(photo), None, str(answer)))
            else:
                results.append(Located(str(photo), answer))
            advance(1)
    return results
