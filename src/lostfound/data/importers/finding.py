"""Files below a folder: which are photos, and which a name that people write means."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from unicodedata import normalize


def _endings(names: str) -> tuple[str, ...]:
    return tuple(f".{name}" for name in names.split())


IMAGE_SUFFIXES = _endings("jpg jpeg jpe jfif jif mpo png webp bmp tif tiff gif heic heif hif avif")
"""Endings of photos that are read; of any other file the content decides."""
_RAW_SUFFIXES = frozenset(
    _endings(
        "3fr arw cr2 cr3 crw dcr dng erf gpr iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 "
        "srf srw x3f"
    )
)
_OTHER_SUFFIXES = frozenset(
    _endings(
        "aae avi css csv db doc docx geojson gpx gz htm html ico ini js json kml log m4a m4v md mkv "
        "mov mp3 mp4 npy npz onnx parquet pdf py pyc safetensors sh sqlite svg tar thm toml tsv txt "
        "wav webm xls xlsx xml xmp yaml yml zip"
    )
)
"""Endings of what is no photo: such files are many, and are not opened to look."""
_PICTURES = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  \r\n", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL \r\n", b"\xff\x0a", b"8BPS"),
    *(b"P5\n", b"P6\n"),
)
"""How picture files begin, those of kinds that can't be read too: reading them says so."""
_HEAD = 16

_HELD = 64
"""Folders whose names are held at a time."""

RAW = "a raw photo (save it as JPEG or TIFF first)"
HIDDEN = "hidden (its name begins with a dot)"


class Passed(Protocol):
    """Takes note of what a search does not take."""

    def skip(self, original: str, reason: str) -> None:
        """A file or folder, by its path below the searched one."""

    def pass_over(self, kind: str) -> None:
        """A file that is no photo, by its ending."""


class _Unheard:
    def skip(self, original: str, reason: str) -> None:
        pass

    def pass_over(self, kind: str) -> None:
        pass


def find_images(folder: Path, passed: Passed | None = None, *, also: Collection[str] = ()) -> Iterator[str]:
    """The paths of all image files below a folder, in a stable order, hidden ones left out.

    Each folder is searched once: links to others are followed after all else, those that lead back are not.
    Pipes, sockets and devices are never opened.

    Args:
        folder: Where to search.
        passed: Is told what was not taken, and why.
        also: Endings of other files to give, such as ".mp4".
    """
    heard = passed or _Unheard()
    start = len(os.path.join(folder, ""))  # noqa: PTH118  # texts: a Path for each of a million takes long
    seen: set[tuple[int, int]] = set()
    above = {_identity(str(each)) for each in Path(os.path.realpath(folder)).parents}
    todo: list[str] = [str(folder)]
    links: list[str] = []
    while todo or links:
        path = todo.pop() if todo else links.pop(0)
        identity = _identity(path)
        if identity in seen or identity in above:
            heard.skip(path[start:], "a folder that is searched already, by another name")
            continue
        seen.add(identity)
        try:
            with os.scandir(path) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            heard.skip(path[start:] or ".", f"a folder that can't be read ({error.strerror})")
            continue
        below: list[str] = []
        for entry in entries:
            kind = _kind(entry)
            hidden = entry.name.startswith(".")
            if kind == "folder":
                if hidden:
                    heard.skip(entry.path[start:], HIDDEN)
                else:
                    (links if entry.is_symlink() else below).append(entry.path)
            elif hidden and _suffix(entry.name) not in IMAGE_SUFFIXES:
                heard.pass_over("hidden")
            elif kind != "file" or hidden:
                heard.skip(entry.path[start:], HIDDEN if hidden else kind)
            elif (suffix := _suffix(entry.name)) in also or (refused := _refused(entry.path, suffix)) is None:
                yield entry.path
            elif refused:
                heard.skip(entry.path[start:], refused)
            else:
                heard.pass_over(_suffix(entry.name) or "without ending")
        todo += reversed(below)


def may_be_photo(name: str) -> bool:
    """Does a file's ending say that it is a photo, be it one that can't be read?"""
    return _suffix(name) in IMAGE_SUFFIXES or is_raw(name)


def is_raw(name: str) -> bool:
    """Is it a raw photo, by its ending? Read as the TIFF file that many are, it shows its thumbnail."""
    return _suffix(name) in _RAW_SUFFIXES


def _special(mode: int) -> str:
    """What to say of a file that is no regular one, by its mode; opened, it might be waited for for ever."""
    for test, name in ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket")):
        if test(mode):
            return f"no regular file (a {name})"
    return "no regular file (a device)"


def _kind(entry: os.DirEntry[str]) -> str:
    """`file`, `folder`, or why it is neither."""
    try:
        if entry.is_file():
            return "file"
        return "folder" if entry.is_dir() else _special(entry.stat().st_mode)
    except OSError as error:
        return _link_problem(error)


def _link_problem(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a link that leads to itself"
    return "a link to nothing" if error.errno == errno.ENOENT else f"can't be read ({error.strerror})"


def _refused(file: str, suffix: str) -> str | None:
    """None of a photo, why it is not taken of what could be one, an empty text of anything else."""
    if suffix in IMAGE_SUFFIXES:
        return None
    if suffix in _RAW_SUFFIXES:
        return RAW
    if suffix in _OTHER_SUFFIXES:
        return ""
    try:
        with open(file, "rb", buffering=0) as opened:  # noqa: PTH123
            return None if _is_picture(opened.read(_HEAD)) else ""
    except OSError as error:
        return f"can't be read ({error.strerror})"


def _is_picture(head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"avif", b"avis", b"mif1", b"msf1") or head[8:10] == b"he"
    boxed = (head[:4], head[8:12]) == (b"RIFF", b"WEBP") or (head[:2], head[6:10]) == (b"BM", bytes(4))
    return boxed or head.startswith(_PICTURES)


def _identity(path: str) -> tuple[int, int]:
    with suppress(OSError):
        found = os.stat(path)  # noqa: PTH116
        return found.st_dev, found.st_ino
    return 0, hash(path)


def _suffix(name: str) -> str:
    """As `Path.suffix`, in lower case."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if stem and dot else ""


def name_key(name: str) -> str:
    """Equal for names that some file system holds for one: in any Unicode form, in large or small letters."""
    return normalize("NFC", normalize("NFC", name).casefold())


class FileNames:
    """Finds files by the names that people write, where no file bears that very one."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, list[str]]] = {}

    def find(self, path: str | Path, endings: tuple[str, ...] = ()) -> str | None:
        """The path of the file that is meant.

        Args:
            path: As it is written; if it exists, it is meant.
            endings: What may be missing at its end, such as ".jpg".

        Returns:
            None if there is none; or if there are several that differ in large and small letters alone.
        """
        path = str(path)
        if os.path.lexists(path):
            return path
        parent, name = os.path.split(path)
        folder = self.find(parent) if parent and name else None
        if folder is None:
            return None
        names = self._names(folder)
        for each in (name, *(name + ending for ending in endings)):
            found = names.get(name_key(each), [])
            same = [one for one in found if normalize("NFC", one) == normalize("NFC", each)] or found
            if len(same) == 1:
                return os.path.join(folder, same[0])  # noqa: PTH118
        return None

    def _names(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._folders:
            if len(self._folders) >= _HELD:
                self._folders.clear()
            names: dict[str, list[str]] = {}
            with suppress(OSError):
                for name in os.listdir(folder):  # noqa: PTH208
                    names.setdefault(name_key(name), []).append(name)
            self._folders[folder] = names
        return self._folders[folder]
