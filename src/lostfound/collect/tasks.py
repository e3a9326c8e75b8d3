"""What a collection consists of: tasks, what came of them, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MICRO = 1_000_000
"""Money is kept as whole millionths of a dollar, which add up exactly."""


@dataclass(frozen=True)
class NewTask:
    """Something to ask for.

    Attributes:
        kind: What it is, such as "place".
        key: Unique to the question; a task whose key is known already is not added again.
        payload: Plain values that the collector needs to ask.
        area: The quota it counts towards.
        rank: Tasks of a lower rank go first.
    """

    kind: str
    key: str
    payload: Mapping[str, Any]
    area: str = ""
    rank: int = 1


@dataclass(frozen=True)
class Task(NewTask):
    """A task in the ledger."""

    id: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        outcome: hit, miss, duplicate or error.
        tasks: What is to be asked next because of it.
        record: The fields of the image record, if an image came of it.
        detail: What an error was; never holds a key.
        again: The task is to be asked again with this payload; it is not done.
    """

    outcome: str
    tasks: Sequence[NewTask] = ()
    record: Mapping[str, Any] | None = None
    detail: str | None = None
    again: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Totals:
    """Counts of a whole collection, all runs of it.

    Attributes:
        tasks: How many tasks ended how, by (kind, outcome).
        requests: Requests sent.
        cost: Dollars spent at most: what was sent and never answered counts in full.
        images: Images collected.
        stored: Those of them that are in the data set.
    """

    tasks: Counter[tuple[str, str]] = field(default_factory=Counter)
    requests: int = 0
    cost: float = 0.0
    images: int = 0
    stored: int = 0
