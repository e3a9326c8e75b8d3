"""A results folder: what many photos were located as, in Parquet parts that are written as they come.

`results.json` says which model answered, and how; `parts/NUMBER.parquet` hold a row a photo, in the order in
which they were answered. A photo that changed has a later row, and the last one counts.
"""

from __future__ import annotations

import hashlib
import io
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.claims import claim_folder, holding, refuse_other_settings
from lostfound.errors import DatasetError, UsageError, refused_as
from lostfound.files import digest, remove_partials, write_atomic
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.levels import Area
from lostfound.predict.locator import Locator
from lostfound.predict.outputs import LocatedPhoto, written_name

FORMAT = 1
ABOUT, PARTS = "results.json", "parts"
ROWS = 256
"""Photos of a part: so many are asked again at most after a kill."""

SCHEMA = pa.schema(
    [
        ("photo", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("radius_50_km", pa.float64()),
        ("radius_90_km", pa.float64()),
        ("country", pa.string()),
        ("probability", pa.float64()),
        ("abstained", pa.bool_()),
        ("warning", pa.string()),
        ("guess", pa.string()),
        ("error", pa.string()),
    ]
)
"""A row: whose name, hash, size and time tell the photo; the answer as of `Guess.as_dict`; the whole guess as
JSON; and why a photo that could be read has none."""


@dataclass(frozen=True)
class Stamp:
    """What tells a photo's bytes.

    Attributes:
        sha256: Their hash.
        size: How many there are.
        modified_ns: When its file was last changed, nanoseconds since 1970.
    """

    sha256: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Row:
    """A photo, and what came of it."""

    located: LocatedPhoto
    stamp: Stamp


class Results:
    """A results folder.

    Attributes:
        folder: Where it is.
        about: What `results.json` says.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about
        self._read = lru_cache(maxsize=8)(self._table)
        self._parts = sorted((folder / PARTS).glob("*.parquet"))
        with refused_as(DatasetError, f"{folder} holds a damaged part: remove it and run again"):
            sizes = [pq.read_metadata(each).num_rows for each in self._parts]
        self._starts = [0, *accumulate(sizes)]

    @classmethod
    def open(cls, folder: Path) -> Results:
        """Open a folder to read.

        Raises:
            UsageError: It is no results folder, or of a newer version.
        """
        file = folder / ABOUT
        if not file.is_file():
            raise UsageError(
                f"{folder} is no results folder (no {ABOUT}): make one with `lostfound locate PHOTOS --to`"
            )
        with refused_as(DatasetError, f"{file} can't be read"):
            about = json.loads(file.read_bytes())
            if int(about["format"]) > FORMAT:
                raise UsageError(f"{folder} is of a newer format than this lostfound reads: update")
            if not isinstance(about["model"]["name"], str):
                raise ValueError("a model without a name")
        return cls(folder, about)

    @classmethod
    def claim(cls, folder: Path, locator: Locator, settings: dict[str, Any]) -> dict[str, Any]:
        """Take a folder, or find that the same model answers in it in the same way.

        Returns:
            What `results.json` says.

        Raises:
            UsageError: It is something else's, another model's, or was begun with other settings.
        """
        about: dict[str, Any] = {"format": FORMAT, "model": model_identity(locator), "settings": settings}
        if (folder / ABOUT).is_file():
            before = cls.open(folder).about
            if before["model"]["sha256"] != about["model"]["sha256"]:
                raise UsageError(
                    f"{folder} holds the answers of another model ({before['model']['name']}, "
                    f"{before['model']['sha256'][:12]}): choose another folder with --to"
                )
            remedy = "give the same ones, or choose another folder with --to"
            refuse_other_settings(before["settings"], settings, f"what is in {folder}", remedy)
            return before
        text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
        claim_folder(folder, ABOUT, text, made_by="a results folder", other="holds other results")
        return about

    @classmethod
    def go_on(cls, folder: Path, about: dict[str, Any]) -> Results:
        """Open a folder that this process holds, to add to."""
        remove_partials(folder)
        remove_partials(folder / PARTS)
        return cls(folder, about)

    @property
    def parts(self) -> list[Path]:
        """The parts, in the order in which they were written."""
        return self._parts

    def add(self, rows: Sequence[Row]) -> None:
        """Write a part: whole or not at all."""
        columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        for row in rows:
            for name, value in _values(row).items():
                columns[name].append(value)
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns, schema=SCHEMA), buffer, compression="zstd")
        last = self.parts[-1:]
        number = int(last[0].stem) + 1 if last else 0
        file = self.folder / PARTS / f"{number:06}.parquet"
        write_atomic(file, buffer.getvalue())
        self._parts.append(file)
        self._starts.append(self._starts[-1] + len(rows))

    def __len__(self) -> int:
        """How many photos there are, each counted once."""
        return len(self._last())

    def __iter__(self) -> Iterator[LocatedPhoto]:
        """The photos and what came of each, in the order in which they were answered, in flat memory."""
        for _, row in self.rows():
            yield row.located

    def rows(self) -> Iterator[tuple[int, Row]]:
        """The same with what tells the photos, and the number of each row."""
        counted, last = 0, set(self._last().tolist())
        for part in tuple(self.parts):
            table = self._table(part)
            for offset, values in enumerate(table.to_pylist()):
                if counted + offset in last:
                    yield counted + offset, _row(values)
            counted += len(table)

    def known(self) -> Known:
        """What is answered already."""
        return Known(self)

    def at(self, number: int) -> Row:
        """A row by its number."""
        part = bisect_right(self._starts, number) - 1
        return _row(self._read(self.parts[part]).slice(number - self._starts[part], 1).to_pylist()[0])

    def errors(self) -> Iterator[tuple[str, str]]:
        """The photos that could be read and have no answer, and why, in order."""
        for _, row in self.rows():
            if row.located.error is not None:
                yield row.located.photo, row.located.error

    def _last(self) -> NDArray[np.int64]:
        """The numbers of the rows that count, one a photo."""
        return np.sort(_last_of_each(self.column("photo", key))[1])

    def column(self, name: str, number: Any) -> NDArray[np.int64]:
        """A column of all rows as whole numbers.

        Args:
            name: Of the column.
            number: Makes a number of a value.
        """
        found = [np.empty(0, dtype=np.int64)]
        for part in self.parts:
            values = self._table(part, [name])[name].to_pylist()
            found.append(np.fromiter((number(each) for each in values), dtype=np.int64, count=len(values)))
        return np.concatenate(found)

    def _table(self, part: Path, columns: list[str] | None = None) -> pa.Table:
        with refused_as(DatasetError, f"{part} is damaged: remove it and run again"):
            table = pq.ParquetFile(part).read(columns)
            return table.cast(SCHEMA) if columns is None else table


class Known:
    """Which photos are answered already, by a few numbers each."""

    def __init__(self, results: Results) -> None:
        self._results = results
        names, hashes = results.column("photo", key), results.column("sha256", key)
        sizes, times = results.column("bytes", int), results.column("modified_ns", int)
        stamps = map(hash, zip(sizes.tolist(), times.tolist(), strict=True))
        stamped = np.fromiter(stamps, dtype=np.int64, count=len(names))
        self._count = len(names)
        self._names, last = _last_of_each(names)  # of a photo that changed
        self._stamps, self._hashes = stamped[last], hashes[last]
        self._contents, self._rows = _last_of_each(hashes)
        self._added: dict[int, int] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Take note of a part that was written, of photos that are met once in a run."""
        for row in rows:
            content = key(row.stamp.sha256)
            if _place_of(content, self._contents) is None:
                self._added.setdefault(content, self._count)
            self._count += 1

    def holds(self, photo: str, size: int, modified_ns: int) -> bool:
        """Is a file answered, as its name, size and time tell without reading it?"""
        place = _place_of(key(photo), self._names)
        return place is not None and int(self._stamps[place]) == hash((size, modified_ns))

    def holds_content(self, photo: str, sha256: str) -> bool:
        """Is a file answered, as its name and hash tell?"""
        place = _place_of(key(photo), self._names)
        return place is not None and int(self._hashes[place]) == key(sha256)

    def answer(self, sha256: str) -> LocatedPhoto | None:
        """What the same bytes were answered under another name."""
        place = _place_of(key(sha256), self._contents)
        number = self._added.get(key(sha256)) if place is None else int(self._rows[place])
        if number is None:
            return None
        row = self._results.at(number)
        return row.located if row.stamp.sha256 == sha256 else None


def _last_of_each(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different numbers, sorted, and the row of the last of each."""
    different, first = np.unique(numbers[::-1], return_index=True)
    return different, len(numbers) - 1 - first


def _place_of(number: int, within: NDArray[np.int64]) -> int | None:
    """Where a number stands among sorted ones; None if it doesn't."""
    place = int(np.searchsorted(within, number))
    return place if place < len(within) and int(within[place]) == number else None


def key(text: str) -> int:
    """A number of 63 bits that tells a text from others."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest()) >> 1


def model_identity(locator: Locator) -> dict[str, str]:
    """The name, version and hash of a model: its graph, cells and calibration, whatever lies beside them."""
    config = locator.model.config
    files = {name: sha for name, sha in config["files"].items() if not name.endswith(".safetensors")}
    told = json.dumps([files, config["preprocessing"], config["answer"]], sort_keys=True)
    return {
        "name": locator.model.name,
        "version": str(config.get("lostfound", "")),
        "sha256": digest(told.encode()),
    }


def hold(folder: Path) -> AbstractContextManager[None]:
    """Hold a results folder; another run on it is refused.

    Raises:
        UsageError: Another process holds it.
    """
    return holding(folder, UsageError(f"{folder} is in use by another run: wait for it, or choose another"))


def _values(row: Row) -> dict[str, Any]:
    located, stamp = row.located, row.stamp
    place: dict[str, Any] = {}
    if located.guess is not None:
        place = located.guess.as_dict()
        own = {} if located.gps is None else {"gps": located.gps}
        place["guess"] = json.dumps({**asdict(located.guess), **own}, ensure_ascii=False, allow_nan=False)
    return {
        "photo": written_name(located.photo),
        "sha256": stamp.sha256,
        "bytes": stamp.size,
        "modified_ns": stamp.modified_ns,
        **{name: place.get(name) for name in SCHEMA.names[4:13]},
        "error": None if located.error is None else written_name(located.error),
    }


def _row(values: dict[str, Any]) -> Row:
    kept = {} if values["guess"] is None else json.loads(values["guess"])
    own = kept.pop("gps", None)
    guess = _guess(kept) if kept else None
    stamp = Stamp(values["sha256"], values["bytes"], values["modified_ns"])
    gps = None if own is None else (own[0], own[1])
    return Row(LocatedPhoto(values["photo"], guess, values["error"], gps=gps), stamp)


def _guess(values: dict[str, Any]) -> Guess:
    """The inverse of `dataclasses.asdict`."""
    point = values.pop("point")
    return Guess(
        candidates=tuple(Candidate(**each) for each in values.pop("candidates")),
        point=None if point is None else (point[0], point[1]),
        areas={level: tuple(Area(**each) for each in of) for level, of in values.pop("areas").items()},
        **values,
    )
