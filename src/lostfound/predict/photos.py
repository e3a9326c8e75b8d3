"""Locating photos and folders of them, one bad photo never stopping the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lostfound.data.importers.source import image_files
from lostfound.data.pixels import max_pixels
from lostfound.errors import UsageError
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator, Seen, Unanswered, common_warning
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
    max_pixels()  # a wrong limit is the user's error, not each photo's
    locator = Locator.load(model)
    photos = find_photos(paths)
    looked = []
    with progress("Locating", len(photos)) as advance:
        for seen in locator.look(photos):
            looked.append(seen)
            advance(1)
    readable = [each for each in looked if isinstance(each, Seen)]
    together = None
    if same_place and readable:
        warning = common_warning(readable)
        together = locator.guess_place([each.outputs for each in readable], top=top, warning=warning)
    return [
        _located(locator, str(photo), each, together, top) for photo, each in zip(photos, looked, strict=True)
    ]


def _located(
    locator: Locator, photo: str, seen: Seen | Unanswered, together: Guess | None, top: int
) -> LocatedPhoto:
    if not isinstance(seen, Seen):
        return LocatedPhoto(photo, None, str(seen))
    try:
        warning = common_warning([seen])
        return LocatedPhoto(photo, together or locator.guess(seen.outputs, top=top, warning=warning))
    except Exception as error:  # of whatever kind: it must not cost the answers of other photos
        return LocatedPhoto(photo, None, f"unexpected {type(error).__name__}: {error} (please report it)")
