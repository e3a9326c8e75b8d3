"""Every error the package raises on purpose. Each message says what is wrong, where, and what to do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class LostFoundError(Exception):
    """Base of all errors that are the user's to mend; the command line prints it without a traceback."""


class UsageError(LostFoundError):
    """The request itself is wrong (an unknown option value, recipe key or layout): exit code 2."""


class CountryNameError(LostFoundError):
    """A country name that can't be resolved, or could be several countries."""


class ImageError(LostFoundError):
    """An image that can't be read: truncated, not an image, or too large to be safe."""


class DatasetError(LostFoundError):
    """A data set that is missing, incomplete, or not what its records say."""


class RecipeError(UsageError):
    """A recipe with an unknown key, a wrong value, or one that the data can't satisfy."""


class ModelError(LostFoundError):
    """A model folder that is missing, incomplete, or holds files that are not its own."""


class ServerError(LostFoundError):
    """A server that does not answer, or refuses to: out of reach, too busy, a wrong token or address."""


class MissingExtraError(LostFoundError):
    """A part of the package whose extra is not installed; the message holds the install command."""


class DiskFullError(LostFoundError):
    """The disk has no room for what is to be written."""


class CollectError(LostFoundError):
    """A collection that can't go on: a refused key, a spent quota, no network, a full disk, no coverage."""


@contextmanager
def refused_as(error: type[LostFoundError], what: str) -> Iterator[None]:
    """Turn whatever a damaged or forged file makes its reader raise into an error of ours.

    Args:
        error: Of which kind.
        what: What it says first: which file, and as what it can't be read.

    Raises:
        LostFoundError: Something was raised.
    """
    try:
        yield
    except LostFoundError:
        raise
    except Exception as found:  # readers of forged bytes raise nearly anything
        said = str(found) if isinstance(found, ValueError | OSError) else f"{type(found).__name__}: {found}"
        raise error(f"{what}: {said}") from found


def nearest_name(name: str, known: Iterable[str], *, least: float = 0.6) -> str | None:
    """The known name that a misspelt one most likely means, for a message that asks "did you mean?".

    Args:
        name: What was written.
        known: What could have been meant.
        least: How alike the two must be, 0 to 1 (difflib's ratio).

    Returns:
        One of the known names; None if none is that like it.
    """
    return next(iter(nearest_names(name, known, most=1, least=least)), None)


def nearest_names(name: str, known: Iterable[str], *, most: int = 3, least: float = 0.6) -> list[str]:
    """The known names that are most like a misspelt one, best first, at most so many (see `nearest_name`)."""
    import difflib  # only errors need it

    return difflib.get_close_matches(name, list(known), n=most, cutoff=least)
