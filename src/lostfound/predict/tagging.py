"""Writing estimates back beside photos or into them, with a journal that undoes every byte."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lostfound.data.images import read_file
from lostfound.data.importers import exif
from lostfound.data.importers.own_place import own_place
from lostfound.data.importers.sidecars import Sidecars
from lostfound.errors import DatasetError, ImageError
from lostfound.files import digest, write_atomic
from lostfound.predict.guess import Guess
from lostfound.predict.results import Results, Row, hold
from lostfound.predict.tags import head_length, with_exif, xmp_sidecar
from lostfound.progress import progress

JOURNAL = "tags.jsonl"


@dataclass
class Tagged:
    """What was written, or would be.

    Attributes:
        written: The files.
        kept: How many photos bear the estimate already.
        skipped: Photos that were left alone, and why.
    """

    written: list[str] = field(default_factory=list)
    kept: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Worthwhile:
    """Which answers are good enough to be written.

    Attributes:
        min_probability: Of the best candidate.
        max_radius_km: Within which the truth is nine times in ten; None: however far it may be off.
    """

    min_probability: float = 0.0
    max_radius_km: float | None = None

    def check(self, guess: Guess) -> None:
        """See whether an answer is."""
        if guess.abstained:
            raise _Left("the model doesn't know")
        if self.min_probability and (guess.probability or 0.0) < self.min_probability:
            raise _Left(f"its answer is less probable than {100 * self.min_probability:g} %")
        if self.max_radius_km is not None:
            if guess.radius_90_km is None:
                raise _Left("its answer has no radius (lostfound calibrate gives the model one)")
            if guess.radius_90_km > self.max_radius_km:
                raise _Left("its answer's radius is too large")


def tag(
    folder: Path,
    *,
    min_probability: float = 0.0,
    max_radius_km: float | None = None,
    into_exif: bool = False,
    dry_run: bool = False,
) -> Tagged:
    """Write the answers of a results folder back.

    Left alone are: photos that state a place or an estimate already, that changed since, that have a sidecar,
    that the model doesn't know, or that lie in archives.

    Args:
        folder: The results folder.
        min_probability: Of the best candidate; less probable answers are not written.
        max_radius_km: Answers that may be farther off (`Guess.radius_90_km`) are not written; all if None.
        into_exif: Into the photos' EXIF, by ExifTool, instead of sidecars.
        dry_run: Write nothing.

    Raises:
        UsageError: It is no results folder, or is in use.
        MissingExtraError: ExifTool is needed and not installed.
    """
    found = Tagged()
    worthwhile = Worthwhile(min_probability, max_radius_km)
    results = Results.open(folder)
    with hold(folder):
        journal = Journal(folder / JOURNAL)
        beside = Sidecars()
        with progress("Tagging", len(results)) as advance:
            for _, row in results.rows():
                try:
                    file = _tag_one(
                        row, results.about["model"], journal, beside, worthwhile, into_exif, dry_run
                    )
                    if file is None:
                        found.kept += 1
                    else:
                        found.written.append(file)
                except _Left as reason:
                    found.skipped.append((row.located.photo, str(reason)))
                advance(1)
    return found


def undo(folder: Path) -> Tagged:
    """Take back what was written: each file is again as it was, to the last byte.

    A file that somebody changed since is left alone.

    Raises:
        UsageError: It is no results folder, or is in use.
    """
    done = Tagged()
    Results.open(folder)
    with hold(folder):
        journal = Journal(folder / JOURNAL)
        left = []
        for entry in journal.entries.values():
            try:
                if _undo_one(entry):
                    done.written.append(entry["file"])
            except _Left as reason:
                done.skipped.append((entry["file"], str(reason)))
                left.append(entry)
        journal.replace(left)
    return done


class _Left(Exception):  # noqa: N818
    """A photo is left alone; says why."""


class Journal:
    """What was written where, and what was there before: a line a file, written before the file is.

    Args:
        path: The journal's file.

    Raises:
        DatasetError: It is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: dict[str, dict[str, Any]] = {}
        data = path.read_bytes() if path.is_file() else b""
        whole = data[: data.rfind(b"\n") + 1]  # a kill may have left half a line, whose file was not written
        try:
            for line in whole.splitlines():
                entry = json.loads(line)
                self.entries[entry["photo"]] = entry
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path} is damaged ({error}): undoing needs it; mend it by a copy") from None
        if len(whole) < len(data):
            os.truncate(path, len(whole))

    def add(self, entry: dict[str, Any]) -> None:
        """Note what is about to be written, safe from a power cut too."""
        with self._path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries[entry["photo"]] = entry

    def replace(self, entries: list[dict[str, Any]]) -> None:
        """Keep these alone; no file where there are none."""
        if entries:
            write_atomic(self._path, b"".join(json.dumps(each).encode() + b"\n" for each in entries))
        else:
            self._path.unlink(missing_ok=True)


def _tag_one(
    row: Row,
    model: dict[str, str],
    journal: Journal,
    beside: Sidecars,
    worthwhile: Worthwhile,
    into_exif: bool,
    dry_run: bool,
) -> str | None:
    """Tag a photo; gives the file that was written, None where it was before."""
    guess, photo = row.located.guess, Path(row.located.photo)
    if guess is None:
        raise _Left("it has no answer")
    worthwhile.check(guess)
    known = journal.entries.get(row.located.photo)
    if known is not None and _is(known["file"], known["after"]):
        return None
    try:
        data = read_file(photo)
    except (OSError, ImageError):
        raise _Left("it is no longer there, or lies in an archive") from None
    if digest(data) != row.stamp.sha256:
        raise _Left("it changed since it was located")
    sidecar = photo.with_name(f"{photo.name}.xmp")
    place = own_place(data, beside.of(str(photo)))
    if place.latitude is not None:
        raise _Left("it has a position of its own")
    if place.problem != exif.NO_GPS:
        raise _Left(f"it has GPS data that is left alone ({place.problem})")
    if into_exif:
        try:
            written, file = with_exif(data, guess, model), photo
        except ImageError as error:
            raise _Left(str(error)) from None
        before = {"before": digest(data), "head": base64.b64encode(data[: head_length(data)]).decode()}
        before["head_after"] = head_length(written)  # type: ignore[assignment]
    else:
        if os.path.lexists(sidecar) or os.path.lexists(photo.with_suffix(".xmp")):
            raise _Left("it has a sidecar already, which is left alone")
        written, file, before = xmp_sidecar(guess, model), sidecar, {}
    if dry_run:
        return str(file)
    if not os.access(file if into_exif else file.parent, os.W_OK):
        raise _Left("it is read-only, or its folder is")
    entry = {"photo": row.located.photo, "file": str(file), "after": digest(written), **before}
    if known != entry:
        journal.add(entry)
    try:
        _write(file, written)
    except OSError as error:
        if error.errno is not None and not isinstance(error, PermissionError):
            raise  # a full disk is everybody's, and the same command goes on
        raise _Left(f"it can't be written ({error.strerror})") from None
    return str(file)


def _undo_one(entry: dict[str, Any]) -> bool:
    """Put a file back; gives whether there was anything to undo."""
    file = Path(entry["file"])
    if "head" not in entry:
        if not os.path.lexists(file):
            return False
        if not _is(entry["file"], entry["after"]):
            raise _Left("it was changed since it was written, and is left alone")
        file.unlink()
        return True
    if _is(entry["file"], entry["before"]):
        return False
    if not _is(entry["file"], entry["after"]):
        raise _Left("it was changed since it was written, and is left alone")
    data = base64.b64decode(entry["head"]) + file.read_bytes()[int(entry["head_after"]) :]
    if digest(data) != entry["before"]:
        raise _Left("the journal does not hold what it was; it is left alone")
    _write(file, data)
    return True


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all; one that is replaced keeps its times, by which others sort photos."""
    about = file.stat() if file.exists() else None
    write_atomic(file, data)
    if about is not None:
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def _is(file: str, sha256: str) -> bool:
    try:
        return digest(Path(file).read_bytes()) == sha256
    except OSError:
        return False


def reasons(skipped: list[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    """Why photos were left alone, and how many for each reason, the most frequent first."""
    from collections import Counter

    yield from Counter(reason for _, reason in skipped).most_common()
