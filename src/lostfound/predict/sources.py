"""Photos of any number, one by one: files of folders, and of archives and videos, which are read in place."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePath, PurePosixPath

from lostfound.data.images import read_file
from lostfound.data.importers.finding import find_images, may_be_photo
from lostfound.data.pixels import max_pixels
from lostfound.errors import ImageError, UsageError
from lostfound.predict.photos import PassedOver, missing
from lostfound.predict.videos import VIDEO_SUFFIXES, Video, is_video

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_AHEAD = 16


@dataclass(frozen=True)
class UnreadPhoto:
    """A photo that is not read yet.

    Attributes:
        name: Its path; of one in an archive that of the archive, and its own in it.
        size: Bytes.
        modified_ns: When it was last changed, nanoseconds since 1970; of one in an archive, when that was.
        read: Reads it.
    """

    name: str
    size: int
    modified_ns: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Selection:
    """Which photos below folders are taken.

    Attributes:
        recursive: Those of folders within folders too.
        include: Patterns as of a shell, of which a path below the folder, or a name, must match one; all
            where there is none.
        exclude: Patterns of which it must match none.
        every_s: Seconds between the frames that are taken of videos; None: videos are no photos.
    """

    recursive: bool = True
    include: Sequence[str] = field(default_factory=tuple)
    exclude: Sequence[str] = field(default_factory=tuple)
    every_s: float | None = None

    def takes(self, path: str) -> bool:
        """Is a photo taken, by its path below the folder?"""
        if not self.recursive and "/" in path:
            return False
        return (not self.include or _matches(path, self.include)) and not _matches(path, self.exclude)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(path, each) or fnmatch(PurePosixPath(path).name, each) for each in patterns)


def list_sources(
    paths: Sequence[Path], selection: Selection, passed: PassedOver | None = None, *, reading: bool = True
) -> Iterator[UnreadPhoto]:
    """The photos that paths mean, in a stable order.

    Args:
        paths: Files, folders that are searched through, and archives.
        selection: What of folders and archives is taken.
        passed: Is told what of the folders was not taken, and why.
        reading: Whether what archives hold is to be read; to be counted, it need not.

    Raises:
        UsageError: A path does not exist.
    """
    passed = passed or PassedOver()
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100  # links stay as people know them
        if path.is_dir():
            passed.folder = path
            start = len(os.path.join(path, ""))  # noqa: PTH118
            for file in find_images(path, passed, also=VIDEO_SUFFIXES if selection.every_s else ()):
                if selection.takes(file[start:].replace(os.sep, "/")):
                    yield from _video(file, selection) if is_video(file) else _file(file)
        elif not path.exists():
            raise UsageError(missing(given, "a photo, a folder of photos or an archive"))
        elif path.name.lower().endswith(ARCHIVES):
            yield from _archive(path, selection, reading)
        elif is_video(path.name):
            yield from _video(str(path), selection)
        else:
            yield from _file(str(path))


def read_ahead(sources: Iterable[UnreadPhoto]) -> Iterator[tuple[UnreadPhoto, bytes | ImageError]]:
    """The photos with their bytes, read in threads, in order, few ahead of what is asked for."""
    with ThreadPoolExecutor(4) as pool:
        waiting: deque[tuple[UnreadPhoto, Future[bytes | ImageError]]] = deque()
        for source in sources:
            waiting.append((source, pool.submit(_bytes, source)))
            if len(waiting) >= _AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def _bytes(source: UnreadPhoto) -> bytes | ImageError:
    try:
        return source.read()
    except ImageError as error:
        return error
    except Exception as error:  # of damaged archives their readers raise nearly anything
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return ImageError(
            f"{PurePosixPath(source.name).name}: can't be read ({reason or type(error).__name__})"
        )


def _file(file: str) -> Iterator[UnreadPhoto]:
    try:
        about = os.stat(file)  # noqa: PTH116
        size, modified = about.st_size, about.st_mtime_ns
    except OSError:  # reading it will say so
        size, modified = 0, 0
    yield UnreadPhoto(file, size, modified, lambda: read_file(Path(file)))


def _video(file: str, selection: Selection) -> Iterator[UnreadPhoto]:
    """The frames of a video; of one that can't be read, the video itself, which says why."""
    (whole,) = _file(file)
    if selection.every_s is None:
        yield replace(whole, read=_given(ImageError(f"{Path(file).name}: a video: add --every 2s")))
        return
    video = Video(Path(file), selection.every_s)
    try:
        count = video.count()
    except ImageError as error:
        yield replace(whole, read=_given(error))
        return
    for number in range(count):
        yield replace(whole, name=file + video.name(number), read=partial(video.read, number))


def _archive(path: Path, selection: Selection, reading: bool) -> Iterator[UnreadPhoto]:
    """The photos in an archive, which is never unpacked: no path in it can lead anywhere."""
    try:
        modified = path.stat().st_mtime_ns
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as opened:
                for one in sorted(opened.infolist(), key=lambda each: each.filename):
                    if not one.is_dir() and _taken(one.filename, selection):
                        data = _member(one.file_size, lambda one=one: opened.read(one), reading)  # type: ignore[misc]
                        yield UnreadPhoto(f"{path}/{one.filename}", one.file_size, modified, _given(data))
        else:
            with tarfile.open(path, "r:*") as tar:
                for member in tar:
                    if member.isfile() and _taken(member.name, selection):
                        file = tar.extractfile(member)
                        assert file is not None
                        data = _member(member.size, file.read, reading)
                        yield UnreadPhoto(f"{path}/{member.name}", member.size, modified, _given(data))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, tarfile.TarError, RuntimeError) as error:
        raise UsageError(
            f"{path} can't be read as an archive ({error}): is it whole, and not encrypted?"
        ) from None


def _taken(name: str, selection: Selection) -> bool:
    parts = [part for part in PurePosixPath(name).parts if part not in (".", "..")]
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return may_be_photo(name) and not hidden and selection.takes(name)


def _member(size: int, read: Callable[[], bytes], reading: bool) -> bytes | ImageError:
    """The bytes of a file in an archive, read at once: an archive is read in one thread."""
    try:
        return _limited(size, read if reading else bytes)
    except ImageError as error:
        return error


def _limited(size: int, read: Callable[[], bytes]) -> bytes:
    if size > 8 * max_pixels():
        raise ImageError(f"{size:,} bytes are more than an image has")
    return read()


def _given(data: bytes | ImageError) -> Callable[[], bytes]:
    def read() -> bytes:
        if isinstance(data, ImageError):
            raise data
        return data

    return read


def read_again(names: Iterable[str]) -> Iterator[Path | bytes | None]:
    """The photos that results name, in order: paths, or the bytes of what lies in archives and videos.

    Names of one archive or video should follow each other, as they do in results: it is opened once then.

    Args:
        names: As `Source.name` is.

    Returns:
        None for those that can't be read any more.
    """
    holder: str | None = None
    read: Callable[[str], bytes] = _nothing
    for name in names:
        within = _holder(name)
        if within is None:
            yield Path(name)
            continue
        data = None
        with suppress(Exception):  # of damaged archives and videos their readers raise nearly anything
            if within != holder:
                holder, read = within, _nothing
                read = _reader(within)
            data = read(name[len(within) + 1 :])
        yield data


def _holder(name: str) -> str | None:
    """The archive or video that a photo lies in; None if it is a file of its own."""
    if os.path.lexists(name):
        return None
    video, _, _ = name.rpartition("#t=")
    if is_video(video):
        return video
    within = (str(each) for each in PurePath(name).parents if each.name.lower().endswith(ARCHIVES))
    return next((each for each in within if os.path.isfile(each)), None)  # noqa: PTH113


def _reader(holder: str) -> Callable[[str], bytes]:
    if is_video(holder):
        video = Video(Path(holder), 0.001)  # of a thousandth second each, as times are written
        return lambda fragment: video.read(round(1000 * float(fragment.removeprefix("t="))))
    if zipfile.is_zipfile(holder):
        archive = zipfile.ZipFile(holder)
        return lambda name: _limited(archive.getinfo(name).file_size, lambda: archive.read(name))
    tar = tarfile.open(holder, "r:*")  # noqa: SIM115  # open as long as its photos are read

    def from_tar(name: str) -> bytes:
        member = tar.getmember(name)
        file = tar.extractfile(member)
        assert file is not None
        return _limited(member.size, file.read)

    return from_tar


def _nothing(name: str) -> bytes:
    raise FileNotFoundError(name)
