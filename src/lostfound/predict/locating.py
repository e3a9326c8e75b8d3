"""Locating any number of photos into a results folder: what is done stays done, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from lostfound.data.importers.sidecars import Sidecars
from lostfound.errors import ImageError, UsageError
from lostfound.files import digest, write_atomic
from lostfound.parallel.cluster import RayEngine
from lostfound.predict.answerer import AnswerSettings
from lostfound.predict.engine import BATCH_SIZE, Seen, Unanswered
from lostfound.predict.locator import Locator
from lostfound.predict.outputs import LocatedPhoto, written_name
from lostfound.predict.photos import PassedOver, located_each, stated_position
from lostfound.predict.results import ROWS, Known, Results, Row, Stamp, hold, model_identity
from lostfound.predict.sources import Selection, UnreadPhoto, list_sources, read_ahead
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
    engine: RayEngine | None = None,
) -> Run:
    """Locate photos into a results folder, new ones alone.

    A photo is known by its path, size and time, else by its hash. One that changed is asked again.

    Args:
        paths: Files, folders and archives.
        to: The results folder; it goes on where it was stopped.
        locator: What answers.
        top: How many candidates to keep.
        selection: What of folders and archives is taken.
        engine: Where photos are decoded and looked at: in this process if None. They are read in this one, so
            others need not see the folders, only the model under the same path.

    Raises:
        UsageError: A path does not exist; the folder is another model's, was begun with other settings, or is
            in use.
    """
    selection = selection or Selection()
    total = sum(1 for _ in list_sources(paths, selection, reading=False))
    about = Results.claim(to, locator, settings_of(locator, top))
    with hold(to):
        results = Results.go_on(to, about)
        work = _Work(results, locator, top, engine)
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
    least = {} if settings.min_probability is None else {"min_probability": settings.min_probability}
    return {
        "top": top,
        "point": settings.point,
        "prior": None if settings.prior is None else str(settings.prior),
        "within": None if settings.within is None else str(settings.within),
        "always_answer": settings.always_answer,
        **least,  # folders of former versions don't have it
    }


Block = Sequence[tuple[UnreadPhoto, Stamp, bytes]]


class _Work:
    """Asks what is not known, and writes a part whenever there is enough for one."""

    def __init__(self, results: Results, locator: Locator, top: int, engine: RayEngine | None) -> None:
        self.asked = self.copied = self.known_ones = 0
        self.unreadable: list[tuple[str, str]] = []
        self._results, self._locator, self._top, self._engine = results, locator, top, engine
        self._known: Known = results.known()
        self._rows: list[Row] = []
        self._waiting: dict[int, Block] = {}  # what is asked, by number, in order
        self._asking: set[str] = set()  # by hash
        self._failed: dict[str, LocatedPhoto] = {}  # by hash, of this run
        self._passed = 0  # known or unreadable ones that are not told of yet
        self._sidecars = Sidecars()

    def do(self, sources: Iterator[UnreadPhoto]) -> Iterator[int]:
        """Locate photos; gives how many were done, now and then."""
        done: dict[int, list[LocatedPhoto]] = {}
        for number, answers in self._spread(self._questions(sources)):
            done[number] = answers
            while self._waiting and (first := next(iter(self._waiting))) in done:
                block = self._waiting.pop(first)
                self._answer(block, done.pop(first))
                yield len(block)
            yield self._take_passed()
        self._write(len(self._rows))
        yield self._take_passed()

    def _take_passed(self) -> int:
        passed, self._passed = self._passed, 0
        return passed

    def _spread(self, questions: Iterator[_Question]) -> Iterator[tuple[int, list[LocatedPhoto]]]:
        if self._engine is None:
            for number, photos in questions:
                yield number, _ask(self._locator, photos, self._top)
            return
        about = json.dumps(
            [model_identity(self._locator), settings_of(self._locator, self._top)], default=str
        )
        work = partial(_ask_elsewhere, opened=_Opened(self._locator, about), top=self._top)
        yield from self._engine.spread(work, questions)

    def _questions(self, sources: Iterator[UnreadPhoto]) -> Iterator[_Question]:
        """What of each block is to be asked, with the block's number."""
        for number, block in enumerate(self._blocks(sources)):
            new = {stamp.sha256: data for _, stamp, data in block if not self._is_answered(stamp.sha256)}
            self.asked += len(new)
            self.copied += sum(stamp.sha256 not in new for _, stamp, _ in block)
            self._waiting[number] = block
            self._asking |= new.keys()
            yield number, list(new.items())

    def _blocks(self, sources: Iterator[UnreadPhoto]) -> Iterator[Block]:
        size = (
            _BLOCK if self._engine is None else BATCH_SIZE
        )  # others' memory is filled by what waits for them
        block: list[tuple[UnreadPhoto, Stamp, bytes]] = []
        for source, data in read_ahead(self._new(sources)):
            if not block and self._passed >= _BLOCK:
                yield block  # to be told of
            if isinstance(data, ImageError):
                self.unreadable.append((source.name, str(data)))
                self._passed += 1
                continue
            stamp = Stamp(digest(data), source.size, source.modified_ns)
            if self._known.holds_content(source.name, stamp.sha256):
                self.known_ones += 1
                self._passed += 1
                continue
            block.append((source, stamp, data))
            if len(block) == size:
                yield block
                block = []
        if block:
            yield block

    def _new(self, sources: Iterator[UnreadPhoto]) -> Iterator[UnreadPhoto]:
        for source in sources:
            if source.modified_ns and self._known.holds(source.name, source.size, source.modified_ns):
                self.known_ones += 1
                self._passed += 1
            else:
                yield source

    def _is_answered(self, sha256: str) -> bool:
        return sha256 in self._asking or self._answered(sha256) is not None

    def _answer(self, block: Block, found: Sequence[LocatedPhoto]) -> None:
        """Take the answers to a block; those that it needs of others were taken before."""
        answers = {each.photo: each for each in found}
        self._failed |= {name: each for name, each in answers.items() if each.error is not None}
        for source, stamp, data in block:
            answer = answers.get(stamp.sha256) or self._answered(stamp.sha256) or self._failed[stamp.sha256]
            located = replace(answer, photo=source.name)
            if located.guess is not None:
                located = replace(located, gps=stated_position(data, self._sidecars.of(source.name)))
            if located.error is not None:
                name = source.name.rpartition("/")[2]
                located = replace(located, error=f"{name}: {located.error.removeprefix('image: ')}")
            self._rows.append(Row(located, stamp))
        while len(self._rows) >= ROWS:
            self._write(ROWS)
        self._asking -= answers.keys()

    def _answered(self, sha256: str) -> LocatedPhoto | None:
        for row in self._rows:
            if row.stamp.sha256 == sha256 and row.located.error is None:
                return row.located
        found = self._known.answer(sha256)
        return None if found is None or found.error is not None else found

    def _write(self, count: int) -> None:
        rows, self._rows = self._rows[:count], self._rows[count:]
        if rows:
            self._results.add(rows)
            self._known.add(rows)


_BLOCK = 2 * BATCH_SIZE
_Question = tuple[int, list[tuple[str, bytes]]]
"""The number of a block, and of its photos that are to be asked their hashes and bytes."""


def _ask(locator: Locator, photos: Sequence[tuple[str, bytes]], top: int) -> list[LocatedPhoto]:
    """What comes of photos, by their hashes."""
    looked = locator.look(data for _, data in photos)
    seen: list[tuple[str | Path, Seen | Unanswered]] = list(
        zip((name for name, _ in photos), looked, strict=True)
    )
    return located_each(locator, seen, top)


@dataclass(frozen=True)
class _Opened:
    """A model as it travels to a process that answers, which opens it once.

    Attributes:
        locator: Pickled it is where the model lies and how it answers.
        about: Tells it from others.
    """

    locator: Locator
    about: str

    def __reduce__(self) -> tuple[Any, ...]:
        model, settings = self.locator.model.path, self.locator.settings
        return _opened_once, (model, self.locator.device, settings, self.about)


_HERE: dict[str, _Opened] = {}


def _opened_once(model: Path, device: str, settings: AnswerSettings, about: str) -> _Opened:
    if about not in _HERE:
        locator = Locator.load(model, threads=1, device=device)  # as many processes as cores
        if model_identity(locator)["sha256"] != json.loads(about)[0]["sha256"]:
            raise UsageError(f"{model} is another model on a machine of the cluster: copy the folder there")
        changes = {each.name: getattr(settings, each.name) for each in fields(settings)}
        _HERE.clear()
        _HERE[about] = _Opened(locator.using(**changes), about)
    return _HERE[about]


def _ask_elsewhere(question: _Question, *, opened: _Opened, top: int) -> tuple[int, list[LocatedPhoto]]:
    number, photos = question
    return number, _ask(opened.locator, photos, top)


def _list(unreadable: Sequence[tuple[str, str]], folder: Path) -> None:
    """Write what can't be read beside the results; nothing where all could."""
    file = folder / UNREADABLE
    if unreadable:
        rows = [(written_name(name), written_name(reason)) for name, reason in unreadable]
        write_atomic(file, csv_text([("photo", "reason"), *rows]).encode(errors="backslashreplace"))
    else:
        file.unlink(missing_ok=True)
