"""From fine cells to larger units: adding probabilities up, and judging guesses by country."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.partitions.base import OUTSIDE, Partition, kinds


@dataclass(frozen=True)
class Hierarchy:
    """The units that hold a partition's cells.

    Attributes:
        ids: The units, in order.
        parents: The number of each cell's unit, (cells,); `OUTSIDE` for a cell that no one unit holds.
    """

    ids: tuple[str, ...]
    parents: NDArray[np.int64]

    def sum(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Add the cells' probabilities up.

        Args:
            probabilities: Shape (..., cells).

        Returns:
            Shape (..., units). They sum to less than the cells' by what lies in cells without a unit.
        """
        values = np.asarray(probabilities, dtype=np.float64)
        held = np.flatnonzero(self.parents != OUTSIDE)
        order = held[np.argsort(self.parents[held], kind="stable")]
        starts = np.searchsorted(self.parents[order], np.arange(len(self.ids)))
        return np.add.reduceat(values[..., order], starts, axis=-1)

    def labels(self, cells: NDArray[np.int64]) -> NDArray[np.object_]:
        """The units of guessed or true cells, (...); None for `OUTSIDE` and for cells without a unit."""
        numbers = np.asarray(cells)
        parents = np.where(numbers == OUTSIDE, OUTSIDE, self.parents[numbers])
        # The last id stands for OUTSIDE.
        found: NDArray[np.object_] = np.array([*self.ids, None], dtype=object)[parents]
        return found


def hierarchy(partition: Partition, by: str | int = "parent") -> Hierarchy:
    """What holds a partition's cells.

    Args:
        partition: The fine cells.
        by: "country", "parent" (a region's country, an S2 or quadtree cell's ancestor), or for S2 and
            quadtree cells the level of the ancestors; a cell that is larger is its own.

    Raises:
        UsageError: No cell has such a unit, or the kind has no levels.
    """
    units: tuple[str | None, ...]
    if isinstance(by, int):
        ancestors = kinds()[partition.kind].ancestors
        if ancestors is None:
            raise UsageError(f"a partition of {partition.kind} has no levels: use by='country' or 'parent'")
        units = ancestors(partition, by)
    elif by in ("country", "parent"):
        units = partition.countries if by == "country" else partition.parents
    else:
        raise UsageError(f"no hierarchy by {by!r}: choose country, parent, or a level")
    ids = sorted({unit for unit in units if unit is not None})
    if not ids:
        raise UsageError(
            f"no cell of this partition of {partition.kind} has a {by}: choose another hierarchy"
        )
    number: dict[str | None, int] = {unit: index for index, unit in enumerate(ids)}
    return Hierarchy(tuple(ids), np.array([number.get(unit, OUTSIDE) for unit in units], dtype=np.int64))
