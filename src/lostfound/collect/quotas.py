"""How many places of each area are still to be asked for, from those that were found and missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.collect.places import PlacePlan
from lostfound.collect.tasks import NewTask

_BATCH = 8  # so many more than the stated misses may be asked


@dataclass
class Quotas:
    """Hands out places until each area has its number, or shows no coverage.

    Attributes:
        plan: Which places.
        max_misses: So many misses in a row in one country, and no more is asked there.
        hits: Places with an image, by area.
        misses: Misses in a row, by country.
    """

    plan: PlacePlan
    max_misses: int
    hits: Counter[str] = field(default_factory=Counter)
    misses: Counter[str] = field(default_factory=Counter)
    _open: Counter[str] = field(default_factory=Counter)
    _next: Counter[str] = field(default_factory=Counter)
    _drawn: dict[str, tuple[NDArray[np.float64], list[str]]] = field(default_factory=dict)

    def restore(self, outcomes: Sequence[tuple[str, str | None, Mapping[str, Any]]]) -> None:
        """Take up what earlier runs asked: area, outcome (None: still open) and payload of each place."""
        for area, outcome, payload in outcomes:
            self._next[area] = max(self._next[area], payload["index"] + 1)
            self._open[area] += 1
            if outcome is not None:
                self.note(area, outcome, payload)

    def note(self, area: str, outcome: str, payload: Mapping[str, Any]) -> int:
        """Count what came of a place; gives 1 for a hit that is wanted, else 0."""
        self._open[area] -= 1
        if outcome == "hit":
            self.hits[area] += 1
            self.misses[payload["where"]] = 0
            return int(self.hits[area] <= self.plan.targets.get(area, 0))
        if outcome == "miss":
            self.misses[payload["where"]] += 1
        return 0

    def next_places(self) -> list[NewTask]:
        """The next places to ask for; none when all areas have their number or no coverage."""
        tasks: list[NewTask] = []
        for area, target in self.plan.targets.items():
            wanted = min(target - self.hits[area] - self._open[area], _BATCH)
            while wanted > 0 and (task := self._draw(area)) is not None:
                tasks.append(task)
                wanted -= 1
            if tasks:
                break
        self._open.update(task.area for task in tasks)
        return tasks

    def uncovered(self) -> dict[str, int]:
        """Where the search was given up, and after how many misses in a row."""
        return {where: count for where, count in self.misses.items() if count >= self.max_misses}

    def wanted(self) -> int:
        """How many places the whole plan wants."""
        return sum(self.plan.targets.values())

    def found(self) -> int:
        """How many of them were found."""
        return sum(min(self.hits[area], target) for area, target in self.plan.targets.items())

    def _draw(self, area: str) -> NewTask | None:
        """The area's next place that lies where there may be coverage."""
        while True:
            index = self._next[area]
            points, where = self._drawn.get(area, (np.empty((0, 2)), []))
            if index >= len(points):
                if points.size and all(self.misses[each] >= self.max_misses for each in set(where)):
                    return None
                points, where = self._drawn[area] = self.plan.draw(area, max(64, 2 * index))
            self._next[area] += 1
            if self.misses[where[index]] < self.max_misses:
                payload = {
                    "index": index,
                    "latitude": float(points[index, 0]),
                    "longitude": float(points[index, 1]),
                    "where": where[index],
                }
                return NewTask("place", f"place:{area}:{index}", payload, area)
