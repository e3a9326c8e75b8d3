"""The files beside an image that may say where it was taken: XMP, and JSON as Google Takeout names it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from unicodedata import normalize

_SUPPLEMENTAL = ".supplemental-metadata"
_LONGEST = 46
"""Takeout cuts a JSON file's name, its `.json` left out, to so many characters."""
_LEAST = _LONGEST - 3
"""A name so long may have been cut: it counts letters of more than one byte in its own way."""
_NUMBERED = re.compile(r"(.+)(\(\d+\))")
_EDITED = (
    *("-edited", "-effects", "-smile", "-mix", "-bearbeitet", "-bewerkt", "-modifié", "-modificato"),
    *("-editado", "-ha editado", "-editat", "-edytowane", "-編集済み"),
)
"""What Takeout adds to the name of a changed copy, which shares the original's JSON."""


class Sidecars:
    """Finds the files beside images; holds the names of one folder at a time."""

    def __init__(self) -> None:
        self._folder: str | None = None
        self._names: dict[str, str] = {}

    def of(self, file: str) -> tuple[str, ...]:
        """The files beside an image that are about it, the most telling first: XMP, then JSON."""
        folder, name = os.path.split(file)
        if folder != self._folder:
            self._folder, self._names = folder, _names_in(folder)
        if not self._names:
            return ()
        found = (self._names.get(_key(each)) for each in _candidates(name))
        names = dict.fromkeys(filter(None, (*found, self._cut(name))))
        return tuple(os.path.join(folder, each) for each in names)  # noqa: PTH118  # as os.walk joins it

    def _cut(self, image: str) -> str | None:
        """The JSON file whose name was cut before the end of a long name of an image."""
        for name, number in _spellings(image):
            whole = _key(name + _SUPPLEMENTAL)
            for length in range(min(len(whole) - 1, _LONGEST), _LEAST - 1, -1):
                if found := self._names.get(f"{whole[:length]}{number}.json"):
                    return found
        return None


def _names_in(folder: str) -> dict[str, str]:
    """The names that a sidecar may have, by their key."""
    with suppress(OSError), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.lower().endswith((".json", ".xmp"))]
        return {_key(name): name for name in sorted(names, reverse=True)}
    return {}


def _key(name: str) -> str:
    """Equal for names that some file system holds for one."""
    return normalize("NFC", name).casefold()


def _spellings(image: str) -> Iterator[tuple[str, str]]:
    """An image's name as its JSON has it, and the number that follows: `a(1).jpg` has `a.jpg`, `(1)`."""
    stem, ending = os.path.splitext(image)  # noqa: PTH122  # a name, not a path
    yield image, ""
    number = ""
    if match := _NUMBERED.fullmatch(stem):
        stem, number = match[1], match[2]
        yield stem + ending, number
    for edited in _EDITED:
        if _key(stem).endswith(edited):
            yield normalize("NFC", stem)[: -len(edited)] + ending, number


def _candidates(image: str) -> Iterator[str]:
    stem = os.path.splitext(image)[0]  # noqa: PTH122
    yield from (f"{image}.xmp", f"{stem}.xmp")
    for name, number in _spellings(image):
        for length in range(len(_SUPPLEMENTAL), -1, -1):
            yield f"{name}{_SUPPLEMENTAL[:length]}{number}.json"
    yield f"{stem}.json"
