"""Long work in numbered blocks, each done once: what was stopped goes on with the blocks that are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, overload

from lostfound.parallel.processes import Processes, WorkEngine
from lostfound.progress import progress

Block = TypeVar("Block")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Blocks:
    """Items in a row, cut into blocks, which are numbered from 0.

    What each block leaves on the disk, and by what it is known to be done, is its user's.

    Attributes:
        items: How many items there are.
        size: Items of each block; the last one may have fewer.
    """

    items: int
    size: int

    def __len__(self) -> int:
        return -(-self.items // self.size)

    def rows(self, number: int) -> slice:
        """Which of the items a block has; the last block's may end beyond them."""
        return slice(number * self.size, (number + 1) * self.size)

    def count(self, number: int) -> int:
        """How many items a block has."""
        return min(self.size, self.items - number * self.size)

    def do(
        self,
        missing: Sequence[int],
        make: Callable[[int], Block],
        work: Callable[[Block], Result],
        *,
        title: str,
        jobs: int | None = None,
        engine: WorkEngine | None = None,
        finished: Callable[[int, Result], None] | None = None,
    ) -> None:
        """Do the blocks that are missing, and show the progress of all.

        Args:
            missing: The numbers of the blocks to do, in this order.
            make: What a block's work needs to know, of its number; made when it is needed.
            work: Does one block, in another process: a module-level function, or a partial of one.
            title: What the progress says.
            jobs: Processes; all cores if None.
            engine: Where the work is done; in so many processes of this machine if None.
            finished: Called in this process with the number and the result of each block that is done.

        Raises:
            LostFoundError: A process was killed.
        """
        done = self.items - sum(map(self.count, missing))
        numbered: Sequence[tuple[int, Block]] = Lazy(lambda number: (number, make(number)), missing)
        local: Any = nullcontext(engine) if engine else Processes(jobs)
        with local as where, progress(title, self.items, done=done) as advance:
            for number, result in where.spread(partial(_do, work=work), numbered):
                if finished is not None:
                    finished(number, result)
                advance(self.count(number))


def _do(block: tuple[int, Block], *, work: Callable[[Block], Result]) -> tuple[int, Result]:
    number, given = block
    return number, work(given)


class Lazy(Sequence[Block], Generic[Block]):
    """Items that are made when they are asked for, so that those still to come take no memory.

    Args:
        make: Makes an item of its number.
        numbers: The items' numbers.
    """

    def __init__(self, make: Callable[[int], Block], numbers: Sequence[int]) -> None:
        self._make = make
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Block: ...

    @overload
    def __getitem__(self, index: slice) -> Lazy[Block]: ...

    def __getitem__(self, index: int | slice) -> Block | Lazy[Block]:
        if isinstance(index, slice):
            return Lazy(self._make, self._numbers[index])
        return self._make(self._numbers[index])
