"""Long lists in little memory: of the small objects that a run holds for every one of its images."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, overload

Item = TypeVar("Item")
BLOCK = 1024


class Packed(Sequence[Item]):
    """A list to append to; all but the last block of its items are held compressed.

    Read in order, each block is unpacked once; none ever leaves the process.

    Args:
        items: What it begins with.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._packed: list[bytes] = []
        self._last: list[Item] = []
        self._unpacked: tuple[int, list[Item]] = (-1, [])  # the block that was read last, and its number
        self.extend(items)

    def append(self, item: Item) -> None:
        """Add an item at the end."""
        if len(self._last) == BLOCK:
            self._packed.append(zlib.compress(pickle.dumps(self._last), 1))
            self._last = []
        self._last.append(item)

    def extend(self, items: Iterable[Item]) -> None:
        """Add items at the end."""
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return BLOCK * len(self._packed) + len(self._last)

    def __iter__(self) -> Iterator[Item]:
        for number in range(len(self._packed) + 1):
            yield from self._block(number)

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        rows = range(len(self))[index]
        if isinstance(rows, range):
            return [self._block(row // BLOCK)[row % BLOCK] for row in rows]
        return self._block(rows // BLOCK)[rows % BLOCK]

    def _block(self, number: int) -> list[Item]:
        if number == len(self._packed):
            return self._last
        if self._unpacked[0] != number:
            self._unpacked = (number, pickle.loads(zlib.decompress(self._packed[number])))  # noqa: S301
        return self._unpacked[1]
