"""Locating photos and folders of them, one bad photo never stopping the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import repeat
from pathlib import Path

from lostfound.data.images import read_exif
from lostfound.data.importers.exif import captured_at
from lostfound.data.importers.finding import HIDDEN, RAW, find_images, is_raw, may_be_photo
from lostfound.data.importers.source import no_images
from lostfound.data.pixels import max_pixels
from lostfound.errors import UsageError
from lostfound.geo.countries import country_name
from lostfound.predict.engine import BATCH_SIZE, Seen, Unanswered
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator
from lostfound.predict.outputs import LocatedPhoto
from lostfound.progress import note, progress


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
                raise UsageError(no_images(path))
            photos += found
        elif is_raw(path.name) and path.is_file():
            passed.skip("", RAW)
        elif path.exists():
            photos.append(path)
        else:
            raise UsageError(f"{path} does not exist: give a photo or a folder of photos")
    return photos


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
    together: Iterator[Guess | None] = iter(())
    if same_place and readable:
        together = repeat(locator.guess_place(readable, top=top))
    elif same_trip and readable:
        files = [photo for photo, each in zip(photos, looked, strict=True) if isinstance(each, Seen)]
        together = iter(_trip(locator, files, readable, top))
    else:
        together = _in_batches(locator, readable, top)
    located = [
        _located(locator, str(photo), each, together, top) for photo, each in zip(photos, looked, strict=True)
    ]
    return located + passed.failed()


def taken_at(photo: Path) -> float | None:
    """When a photo was taken by its EXIF, local time in hours since 1970; None if it does not say."""
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


def _in_batches(locator: Locator, seen: Sequence[Seen], top: int) -> Iterator[Guess | None]:
    """The guesses about photos, many at once; None for those of a batch that one of them broke."""
    for start in range(0, len(seen), BATCH_SIZE):
        batch = seen[start : start + BATCH_SIZE]
        try:
            yield from locator.guess_each(batch, top=top)
        except Exception:  # one by one it will be said of which
            yield from [None] * len(batch)


def _located(
    locator: Locator, photo: str, seen: Seen | Unanswered, together: Iterator[Guess | None], top: int
) -> LocatedPhoto:
    if not isinstance(seen, Seen):
        return LocatedPhoto(photo, None, str(seen))
    try:
        return LocatedPhoto(photo, next(together, None) or locator.guess(seen, top=top))
    except Exception as error:  # of whatever kind: it must not cost the answers of other photos
        return LocatedPhoto(photo, None, f"unexpected {type(error).__name__}: {error} (please report it)")


def _shares(prior: object) -> str:
    """The largest shares of an estimated prior, in words."""
    assert isinstance(prior, Mapping)
    largest = sorted(prior.items(), key=lambda each: -each[1])[:5]
    return ", ".join(f"{country_name(code) if code else 'none'} {share:.0%}" for code, share in largest)
