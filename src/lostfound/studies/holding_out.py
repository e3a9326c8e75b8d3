"""Holding out whole collections: what a model is worth on photos of an origin that it never saw.

Photos of one collection share cameras, seasons and habits, and a model learns those too. So a place that it
has not seen says little about a photo from elsewhere; a collection that it has not seen says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lostfound.data.dataset import Dataset
from lostfound.data.records import counts
from lostfound.errors import UsageError

MOST_ALONE = 10
"""So many collections are each held out alone where nothing else is asked for."""

DEALT = 5
"""Into so many folds are more than that dealt."""


@dataclass(frozen=True)
class Fold:
    """Collections that are held out together.

    Attributes:
        number: From 1.
        of: How many folds there are.
        sources: The collections: values of the records' column `source`.
    """

    number: int
    of: int
    sources: tuple[str, ...]

    @property
    def label(self) -> str:
        """What it is called."""
        named = self.sources[0] if len(self.sources) == 1 else f"{len(self.sources)} collections"
        return f"fold {self.number} of {self.of}, without {named}"

    def others(self, dataset: Dataset) -> Dataset:
        """The images of all other collections."""
        return dataset.with_records(dataset.records.filter(pc.invert(self._mine(dataset))))

    def held_out(self, dataset: Dataset) -> Dataset:
        """The images that are held out, of all splits."""
        return dataset.with_records(dataset.records.filter(self._mine(dataset)))

    def _mine(self, dataset: Dataset) -> pa.ChunkedArray:
        return pc.is_in(dataset.records["source"], pa.array(self.sources, pa.string()))


def deal_folds(dataset: Dataset, count: int | None = None) -> Sequence[Fold]:
    """Deal a data set's collections to folds of about as many images each, always in the same way.

    Args:
        dataset: Its records' `source` says which collection an image is of.
        count: How many folds; by default each of up to ten collections alone, and five folds of more.

    Raises:
        UsageError: There are fewer collections than folds, or fewer than two.
    """
    sizes = counts(dataset.records, "source")
    if len(sizes) < 2:
        raise UsageError(
            f"{dataset.folder} is of one collection, none of which can be held out: import several sources "
            "into it, or a table with a column `collection`"
        )
    count = count or (len(sizes) if len(sizes) <= MOST_ALONE else DEALT)
    if not 2 <= count <= len(sizes):
        raise UsageError(
            f"{dataset.folder} has {len(sizes)} collections: choose 2 to {len(sizes)} folds, not {count}"
        )
    dealt: list[list[str]] = [[] for _ in range(count)]
    totals = [0] * count
    for source, size in sorted(sizes.items(), key=lambda each: (-each[1], each[0])):
        least = totals.index(min(totals))
        dealt[least].append(source)
        totals[least] += size
    return [Fold(number, count, tuple(sorted(each))) for number, each in enumerate(dealt, start=1)]
