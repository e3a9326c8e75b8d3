"""Frames of videos, as photos that are read when they are needed."""

from __future__ import annotations

import io
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from lostfound.errors import ImageError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from PIL import Image

VIDEO_SUFFIXES = frozenset(
    (".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm")
)
"""Endings of videos."""
_SIDE = 1280
"""Pixels of the longer side of a frame that is kept: more than networks look at."""
_HELD = 16
"""Frames that threads may ask for out of their order."""
_FAR_S = 10.0
"""So far ahead a frame is looked up rather than decoded up to."""
_OPTIONS = {
    # A file from a stranger may be a list of addresses: no other protocol, and no playlist.
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,webm,avi,mpegts,mpeg",
}


def is_video(name: str) -> bool:
    """Does a file's ending say that it is a video?"""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122  # a name, not a path


def parse_every(text: str) -> float:
    """The seconds between two frames: 2s, 0.5s, 500ms or 1m; a bare number is seconds.

    Raises:
        UsageError: It is no such time, or none at all.
    """
    units = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0}
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|)", text.strip())
    seconds = float(found[1]) * units[found[2]] if found else 0.0
    if not seconds >= 0.001:
        raise UsageError(f"--every {text}: give a time such as 2s, 500ms or 1m")
    return seconds


def require_video() -> None:
    """Say how to install what reads videos, where it is missing.

    Raises:
        MissingExtraError: It is.
    """
    try:
        import av  # noqa: F401
    except ImportError:
        raise MissingExtraError("videos need an extra: pip install 'lostfound[video]'") from None


class Video:
    """A video's frames, one every so often. Safe to use from several threads.

    Args:
        path: The file.
        every_s: Seconds between two frames.
    """

    def __init__(self, path: Path, every_s: float) -> None:
        self._path = path
        self._every_s = every_s
        self._lock = Lock()
        self._container: Any = None
        self._frames: Iterator[tuple[float, Any]] = iter(())
        self._at_s = 0.0  # of the last frame that was decoded
        self._held: OrderedDict[int, bytes] = OrderedDict()

    def name(self, number: int) -> str:
        """What a frame is called after the video's name: a media fragment (W3C Media Fragments 1.0)."""
        return f"#t={round(number * float(self._every_s), 3)}"

    def count(self) -> int:
        """How many frames there are.

        Raises:
            ImageError: The file is no video that can be read.
        """
        with self._lock, _refused(self._path):
            self._open()
            stream = self._container.streams.video[0]
            if self._container.duration:
                length = self._container.duration / 1e6
            else:  # as of a recording that was cut off
                packets = self._container.demux(stream)
                times = [float(each.pts * each.time_base) for each in packets if each.pts is not None]
                length = max(times, default=0.0)
                self._container = None
            return max(1, int((length - 1e-6) // self._every_s) + 1)

    def read(self, number: int) -> bytes:
        """A frame as a JPEG file: the first one at its time or later.

        Raises:
            ImageError: The file can't be read, or ends before.
        """
        with self._lock, _refused(self._path):
            if number not in self._held:
                self._decode(number)
            return self._held[number]

    def _decode(self, number: int) -> None:
        wanted = number * self._every_s
        if self._container is None or wanted < self._at_s:
            self._open()  # rather than go back, which a file that was cut off can't
        if wanted > self._at_s + _FAR_S:
            self._skip_to(wanted)
        for at, frame in self._frames:
            self._at_s = at
            if at >= wanted - 1e-6:
                self._held[number] = _jpeg(frame)
                while len(self._held) > _HELD:
                    self._held.popitem(last=False)
                return
        self._container = None
        raise ImageError(f"{self._path.name}: the video ends before {wanted:.1f} s")

    def _open(self) -> None:
        import av

        self._container = av.open(f"file:{self._path}", options=_OPTIONS, metadata_errors="replace")
        if not self._container.streams.video:
            raise ImageError(f"{self._path.name}: holds no pictures")
        self._container.streams.video[0].thread_type = "AUTO"
        self._frames, self._at_s = self._decoded(), 0.0

    def _skip_to(self, to_s: float) -> None:
        """Go to the key frame before a time."""
        stream = self._container.streams.video[0]
        to = int(to_s / stream.time_base) + (stream.start_time or 0)
        self._container.seek(to, stream=stream, backward=True)
        self._frames = self._decoded()

    def _decoded(self) -> Iterator[tuple[float, Any]]:
        stream = self._container.streams.video[0]
        start = (stream.start_time or 0) * stream.time_base
        for frame in self._container.decode(stream):
            if frame.pts is not None:
                yield float(frame.pts * frame.time_base - start), frame


class _refused:  # noqa: N801  # used as a function
    """Whatever goes wrong while a video is read is an `ImageError`: FFmpeg raises nearly anything."""

    def __init__(self, path: Path) -> None:
        self._name = path.name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, ImageError | MissingExtraError):
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ImageError(f"{self._name}: can't be read as a video ({reason})") from None


def _jpeg(frame: Any) -> bytes:
    """A frame as it is seen: upright, small enough to be held by the dozen."""
    image: Image.Image = frame.to_image()
    if turned := getattr(frame, "rotation", 0):
        image = image.rotate(turned, expand=True)
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
