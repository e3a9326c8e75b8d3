"""Locating any number of photos into a results folder: what is done stays done, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lostfound.data.importers.sidecars import Sidecars
from lostfound.errors import ImageError
from lostfound.files import digest, write_atomic
from lostfound.predict.engine import Seen, Unanswered
from lostfound.predict.locator import Locator
from lostfound.predict.outputs import LocatedPhoto, written_name
from lostfound.predict.photos import PassedOver, located_each, stated_position
from lostfound.predict.results import ROWS, Known, Results, Row, Stamp, hold
from lostfound.predict.sources import Selection, Source, list_sources, read_ahead
from lostfound.progress import progress
from lostfound.texts import csv_text

UNREADABLE = "unreadable.csv"


@dataclass(frozen=True)
class Run:
    """What a run did.

    Attributes:
        results: The folder.
        asked: Photos that the network was asked.
        copied: Photos whose bytes had been answered under another name.
        known: Photos that were answered before.
        unreadable: Photos that can't be read, and why: (path, reason).
    """

    results: Results
    asked: int
    copied: int
    known: int
    unreadable: list[tuple[str, str]]


def locate_into(
    paths: Sequence[Path],
    to: Path,
    locator: Locator,
    *,
    top: int = 5,
    selection: Selection | None = None,
) -> Run:
    """Locate photos into a results folder, new ones alone.

    A photo is known by its path, size and time, else by its hash. One that changed is asked again.

    Args:
        paths: Files, folders and archives.
        to: The results folder; it goes on where it was stopped.
        locator: What answers.
        top: How many candidates to keep.
        selection: What of folders and archives is taken.

    Raises:
        UsageError: A path does not exist; the folder is another model's, was begun with other settings, or is
            in use.
    """
    selection = selection or Selection()
    total = sum(1 for _ in list_sources(paths, selection, reading=False))
    about = Results.claim(to, locator, settings_of(locator, top))
    with hold(to):
        results = Results.go_on(to, about)
        work = _Work(results, locator, top)
        passed = PassedOver()
        with progress("Locating", total) as advance:
            for done in work.do(list_sources(paths, selection, passed)):
                advance(done)
        unreadable = [*results.errors(), *work.unreadable]
        unreadable += [(each.photo, each.error or "") for each in passed.failed()]
        _list(unreadable, to)
    return Run(results, work.asked, work.copied, work.known_ones, unreadable)


def settings_of(locator: Locator, top: int) -> dict[str, object]:
    """How photos are answered, as plain values."""
    settings = locator.settings
    return {
        "top": top,
        "point": settings.point,
        "prior": None if settings.prior is None else str(settings.prior),
        "within": None if settings.within is None else str(settings.within),
        "always_answer": settings.always_answer,
    }


class _Work:
    """Asks what is not known, and writes a part whenever there is enough for one."""

    def __init__(self, results: Results, locator: Locator, top: int) -> None:
        self.asked = self.copied = self.known_ones = 0
        self.unreadable: list[tuple[str, str]] = []
        self._results, self._locator, self._top = results, locator, top
        self._known: Known = results.known()
        self._rows: list[Row] = []
        self._sidecars = Sidecars()
        self._quickly = 0  # of the known ones, those that were not even read

    def do(self, sources: Iterator[Source]) -> Iterator[int]:
        """Locate photos; gives how many were done, now and then."""
        block: list[tuple[Source, Stamp, bytes]] = []
        for source, data in read_ahead(self._new(sources)):
            if isinstance(data, ImageError):
                self.unreadable.append((source.name, str(data)))
                yield 1
                continue
            stamp = Stamp(digest(data), source.size, source.modified_ns)
            if self._known.holds_content(source.name, stamp.sha256):
                self.known_ones += 1
                yield 1
                continue
            block.append((source, stamp, data))
            if len(block) == _BLOCK:
                yield from self._answer(block)
                block = []
        yield from self._answer(block)
        self._write(len(self._rows))
        yield self._quickly

    def _new(self, sources: Iterator[Source]) -> Iterator[Source]:
        for source in sources:
            if source.modified_ns and self._known.holds(source.name, source.size, source.modified_ns):
                self.known_ones += 1
                self._quickly += 1
            else:
                yield source

    def _answer(self, block: Sequence[tuple[Source, Stamp, bytes]]) -> Iterator[int]:
        answers: dict[str, LocatedPhoto] = {}
        for _, stamp, _ in block:
            if stamp.sha256 not in answers and (found := self._answered(stamp.sha256)) is not None:
                answers[stamp.sha256] = found
        self.copied += sum(stamp.sha256 in answers for _, stamp, _ in block)
        new = {stamp.sha256: data for _, stamp, data in block if stamp.sha256 not in answers}
        self.asked += len(new)
        seen: list[tuple[str | Path, Seen | Unanswered]] = list(
            zip(new, self._locator.look(new.values()), strict=True)
        )
        answers |= {each.photo: each for each in located_each(self._locator, seen, self._top)}
        for source, stamp, data in block:
            located = replace(answers[stamp.sha256], photo=source.name)
            if located.guess is not None:
                located = replace(located, gps=stated_position(data, self._sidecars.of(source.name)))
            if located.error is not None:
                name = source.name.rpartition("/")[2]
                located = replace(located, error=f"{name}: {located.error.removeprefix('image: ')}")
            self._rows.append(Row(located, stamp))
        while len(self._rows) >= ROWS:
            self._write(ROWS)
        yield len(block)

    def _answered(self, sha256: str) -> LocatedPhoto | None:
        for row in self._rows:
            if row.stamp.sha256 == sha256:
                return row.located
        found = self._known.answer(sha256)
        return None if found is None or found.error is not None else found

    def _write(self, count: int) -> None:
        rows, self._rows = self._rows[:count], self._rows[count:]
        if rows:
            self._results.add(rows)
            self._known.add(rows)


_BLOCK = 64


def _list(unreadable: Sequence[tuple[str, str]], folder: Path) -> None:
    """Write what can't be read beside the results; nothing where all could."""
    file = folder / UNREADABLE
    if unreadable:
        rows = [(written_name(name), written_name(reason)) for name, reason in unreadable]
        write_atomic(file, csv_text([("photo", "reason"), *rows]).encode(errors="backslashreplace"))
    else:
        file.unlink(missing_ok=True)
