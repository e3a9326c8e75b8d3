"""Locating photos and folders of them, one bad photo never stopping the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice, repeat
from pathlib import Path

from lostfound.data.images import read_exif, read_file
from lostfound.data.importers.finding import HIDDEN, RAW, find_images, is_raw, may_be_photo
from lostfound.data.pixels import max_pixels
from lostfound.errors import ImageError, LostFoundError, UsageError
from lostfound.geo.countries import country_name
from lostfound.predict.engine import Seen, Unanswered
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator, batched
from lostfound.predict.outputs import LocatedPhoto
from lostfound.progress import note, progress

_ADDRESS = re.compile(r"(https?|ftp|s3|gs|hf|file):/+", re.IGNORECASE)


class PassedOver:
    """What of some folders was not taken.

    Attributes:
        folder: The one that is searched.
        skipped: What could have been a photo, or more of them: (path, reason).
        kinds: How many files are no photos, by their ending.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self.skipped: list[tuple[Path, str]] = []
        self.kinds: Counter[str] = Counter()

    def skip(self, original: str, reason: str) -> None:
        """A file or folder, by its path below the searched one."""
        self.skipped.append((self.folder / original, reason))

    def pass_over(self, kind: str) -> None:
        """A file that is no photo, by its ending."""
        self.kinds[kind] += 1

    def failed(self) -> list[LocatedPhoto]:
        """The photos among them: they count as those do that can't be read; the user is told of the rest."""
        photos = []
        for path, reason in self.skipped:
            if may_be_photo(path.name) and reason != HIDDEN:
                photos.append(LocatedPhoto(str(path), None, f"{path.name}: {reason}"))
            else:
                note(f"Passed over: {path}: {reason}")
        if self.kinds:
            counted = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
            note(f"Other files, passed over: {counted}")
        return photos


def find_photos(paths: Sequence[Path], passed: PassedOver | None = None) -> list[Path]:
    """The photos that paths mean: files themselves, folders searched through as an import does.

    Args:
        paths: Files and folders.
        passed: Is told what of the folders was not taken, and why.

    Raises:
        UsageError: A path does not exist, or a folder holds no images.
    """
    photos: list[Path] = []
    passed = passed or PassedOver()
    for path in paths:
        passed.folder = path
        if path.is_dir():
            found = [Path(each) for each in find_images(path, passed)]
            if not found:
                from lostfound.data.importers.source import no_images  # here, for it brings tables

                raise UsageError(no_images(path))
            photos += found
        elif is_raw(path.name) and path.is_file():
            passed.skip("", RAW)
        elif path.exists():
            photos.append(path)
        else:
            raise UsageError(missing(path, "a photo or a folder of photos"))
    return photos


def missing(path: Path, wanted: str) -> str:
    """What to say of a path that does not exist: an address, a pattern that no shell filled in, or a slip.

    Args:
        path: As it was given.
        wanted: What could be given in its place.
    """
    text = str(path)
    if address := _ADDRESS.match(text):  # a path holds no two slashes in a row
        whole = f"{address[1]}://{text[address.end() :].lstrip('/')}"
        return f"{whole} is an address, and photos are read from disk: download it first, then give {wanted}"
    if set(text) & set("*?["):
        start, pattern = Path(path.anchor), str(path.relative_to(path.anchor))
        with suppress(ValueError, OSError, NotImplementedError):
            if next(start.glob(pattern), None) is not None:
                return (
                    f"{text} is a pattern, which the shell fills in: leave the quotes out, or give {wanted}"
                )
        return f"no file matches {text}: look at the pattern, or give {wanted}"
    return f"{text} does not exist: give {wanted}"


def locate_photos(
    paths: Sequence[Path],
    locator: Locator | None = None,
    *,
    top: int = 5,
    same_place: bool = False,
    same_trip: bool = False,
) -> list[LocatedPhoto]:
    """Locate all photos that paths mean, in order.

    With `same_place`, what they say is pooled: all get the same guess, but for those that can't be read. With
    `same_trip` those near in time pull each other's answers together.

    Args:
        paths: Files and folders.
        locator: What answers; the starter if None.
        top: How many candidates to give.
        same_place: Whether they all show one place.
        same_trip: Whether they are of one trip: by the times in the files if all have one, else in order.

    Raises:
        UsageError: A path does not exist or holds no images; or they are to be of one place and a trip.
    """
    if same_place and same_trip:
        raise UsageError("photos show one place, or a trip through several: ask for one of the two")
    locator = locator or Locator.load()
    max_pixels()  # a wrong limit is the user's error, not each photo's
    passed = PassedOver()
    photos = find_photos(paths, passed)
    looked = []
    with progress("Locating", len(photos)) as advance:
        for seen in locator.look(photos):
            looked.append(seen)
            advance(1)
    readable = [each for each in looked if isinstance(each, Seen)]
    if locator.settings.prior == "estimate" and readable:
        locator = locator.for_album(readable)
        note(f"Countries of these photos, estimated: {_shares(locator.settings.prior)}")
    together: Iterator[Guess] = iter(())
    if same_place and readable:
        together = repeat(locator.guess_place(readable, top=top))
    elif same_trip and readable:
        files = [photo for photo, each in zip(photos, looked, strict=True) if isinstance(each, Seen)]
        together = iter(_trip(locator, files, readable, top))
    located: list[LocatedPhoto] = []
    for some in batched(zip(photos, looked, strict=True)):
        located += located_each(locator, some, top, together)
    return located + passed.failed()


def with_gps(located: Sequence[LocatedPhoto]) -> list[LocatedPhoto]:
    """The same, with the position that each photo's file states, in it or beside it (XMP, Google Takeout).

    The position plays no part in the guess: that is of the pixels alone.
    """
    from lostfound.data.importers.sidecars import Sidecars

    sidecars = Sidecars()
    found = []
    for each in located:
        if each.guess is not None:
            with suppress(OSError, ImageError):  # it was readable a moment ago
                said = stated_position(read_file(Path(each.photo)), sidecars.of(each.photo))
                each = replace(each, gps=said)
        found.append(each)
    return found


def stated_position(data: bytes, sidecars: tuple[str, ...] = ()) -> tuple[float, float] | None:
    """The (latitude, longitude) that a photo's file states, in it or beside it; None without one."""
    if not sidecars and not read_exif(data):
        return None  # most photos of the web: what reads positions need not be loaded for them
    from lostfound.data.importers.own_place import own_place

    said = own_place(data, sidecars)
    return None if said.latitude is None or said.longitude is None else (said.latitude, said.longitude)


def taken_at(photo: Path) -> float | None:
    """When a photo was taken by its EXIF, local time in hours since 1970; None if it does not say."""
    from lostfound.data.importers.exif import captured_at  # here, for it brings tables

    with suppress(OSError):
        if moment := captured_at(read_exif(photo.read_bytes())):
            return (datetime.fromisoformat(moment) - datetime(1970, 1, 1)).total_seconds() / 3600
    return None


def _trip(locator: Locator, photos: Sequence[Path], seen: list[Seen], top: int) -> list[Guess]:
    """The guesses about the photos of a trip, in their order."""
    times = [taken_at(photo) for photo in photos]
    known = [each for each in times if each is not None]
    if len(known) < len(times):
        note(
            f"{len(times) - len(known)} of {len(times)} photos don't say when they were taken: in their order"
        )
    found, staying = locator.guess_trip(seen, known if len(known) == len(times) else None, top=top)
    if len(seen) > 1:
        note(f"From one photo to the next the country stays with {staying:.0%}, as the photos say")
    return found


def located_each(
    locator: Locator,
    looked: Sequence[tuple[str | Path, Seen | Unanswered]],
    top: int,
    together: Iterator[Guess] | None = None,
) -> list[LocatedPhoto]:
    """What came of photos: their guesses, or the errors that stopped them.

    Args:
        locator: What answers.
        looked: The photos, and what the network said of each.
        top: How many candidates to give.
        together: Guesses about the readable ones of them, if they are known already; as many are taken.
    """
    readable = [each for _, each in looked if isinstance(each, Seen)]
    found: Iterator[Guess | LostFoundError]
    try:
        known = list(islice(together or (), len(readable)))
        found = iter(known or locator.guess_each(readable, top=top))
    except Exception:  # of whatever kind: it must not cost the answers of other photos
        found = (_guess_or_error(locator, each, top) for each in readable)
    located = []
    for photo, each in looked:
        guess = next(found) if isinstance(each, Seen) else each
        if isinstance(guess, Guess):
            located.append(LocatedPhoto(str(photo), guess))
        else:
            located.append(LocatedPhoto(str(photo), None, str(guess)))
    return located


def _guess_or_error(locator: Locator, seen: Seen, top: int) -> Guess | LostFoundError:
    try:
        return locator.guess(seen, top=top)
    except Exception as error:
        return LostFoundError(f"unexpected {type(error).__name__}: {error} (please report it)")


def _shares(prior: object) -> str:
    """The largest shares of an estimated prior, in words."""
    assert isinstance(prior, Mapping)
    largest = sorted(prior.items(), key=lambda each: -each[1])[:5]
    return ", ".join(f"{country_name(code) if code else 'none'} {share:.0%}" for code, share in largest)
