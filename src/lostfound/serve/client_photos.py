"""Files and folders of photos, located by a server: `predict.photos.locate_photos` for a `Client`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lostfound.errors import ImageError
from lostfound.predict.guess import Guess
from lostfound.predict.outputs import LocatedPhoto
from lostfound.predict.photos import PassedOver, find_photos
from lostfound.progress import progress
from lostfound.serve.client import Client


def locate_photos_by(
    client: Client, paths: Sequence[Path], *, top: int = 5, same_place: bool = False
) -> list[LocatedPhoto]:
    """Let a server locate all photos that paths mean, in order.

    Args:
        client: The server.
        paths: Files and folders.
        top: How many candidates to give.
        same_place: Whether they all show one place: all get the same guess, but for those that can't be read.

    Raises:
        UsageError: A path does not exist or holds no images; or an option is wrong.
        ServerError: The server does not answer, or refuses to.
    """
    passed = PassedOver()
    photos = find_photos(paths, passed)
    if same_place:
        located = _place(client, photos, top)
    else:
        located = []
        with progress("Locating", len(photos)) as advance:
            for photo, answer in zip(photos, client.guesses(photos, top=top), strict=True):
                located.append(_located(photo, answer))
                advance(1)
    return located + passed.failed()


def _place(client: Client, photos: Sequence[Path], top: int) -> list[LocatedPhoto]:
    together, alone = client.place(photos, top=top)
    return [_located(photo, alone.get(row, together)) for row, photo in enumerate(photos)]


def _located(photo: Path, answer: Guess | ImageError) -> LocatedPhoto:
    if isinstance(answer, Guess):
        return LocatedPhoto(str(photo), answer)
    return LocatedPhoto(str(photo), None, str(answer))
