"""Which images make a sample: one view, the views of a place, or a pair; and their order in each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from lostfound.data.records import numbers
from lostfound.errors import RecipeError
from lostfound.training.settings import Data
from lostfound.training.tasks import Objective

RowNumbers = NDArray[np.int64]
SampleKey = tuple[int, int, RowNumbers]
"""Epoch, position in it, and the sample's row numbers (views,)."""


@dataclass(frozen=True)
class ViewsByPlace:
    """Images by place, of the places that have views enough.

    Attributes:
        rows: Image numbers, those of a place together.
        starts: Where each place's begin, (p,).
        sizes: How many it has, (p,).
        too_few: How many places were left out because they have fewer views.
    """

    rows: RowNumbers
    starts: RowNumbers
    sizes: RowNumbers
    too_few: int

    @classmethod
    def of(cls, places: NDArray[np.object_], views: int) -> ViewsByPlace:
        """Group images by place.

        Raises:
            RecipeError: No place has so many views.
        """
        names, index = np.unique(places.astype(str), return_inverse=True)
        order = np.argsort(index, kind="stable")
        sizes = np.bincount(index, minlength=len(names))
        starts = np.cumsum(sizes) - sizes
        enough = sizes >= views
        if not enough.any():
            raise RecipeError(
                f"model.views={views}, but no place has more than {sizes.max(initial=0)} views: lower it, or "
                "use a data set with several views of each place"
            )
        return cls(order, starts[enough], sizes[enough], int((~enough).sum()))

    def evenly_spread(self, views: int) -> RowNumbers:
        """The same views of each place each time, (p, views), spread evenly over those it has."""
        step = self.sizes[:, None] * np.arange(views) // views
        return np.asarray(self.rows[self.starts[:, None] + step])

    def drawn(self, views: int, generator: np.random.Generator) -> RowNumbers:
        """Random views of each place, (p, views), none twice."""
        keys = generator.random((len(self.starts), int(self.sizes.max())))
        keys[np.arange(keys.shape[1]) >= self.sizes[:, None]] = np.inf
        return np.asarray(self.rows[self.starts[:, None] + np.argsort(keys, axis=1)[:, :views]])


Draw = Callable[[np.random.Generator], RowNumbers]


def training_draw(objective: Objective, views: int, data: Data) -> tuple[Draw, int, int]:
    """How the samples of an epoch are drawn.

    Args:
        objective: Has the images and their classes.
        views: How many of a place make a sample.
        data: How often classes, and collections, are drawn.

    Returns:
        The draw, which gives rows (samples, views) in the epoch's order; how many samples; and how many
        places were left out because they have too few views.

    Raises:
        RecipeError: No place has views enough.
    """
    images = objective.images
    if objective.pairs(np.random.default_rng(0)) is not None:
        return partial(_draw_pairs, objective), len(images), 0
    places = ViewsByPlace.of(images.places, views) if views > 1 else None
    fixed = np.arange(len(images))[:, None] if places is None else places.evenly_spread(views)
    collections = numbers(images.dataset.records, "source")[0] if data.source_power < 1 else None
    groups = [
        (each[fixed[:, 0]], power)
        for each, power in ((objective.classes, data.sampling_power), (collections, data.source_power))
        if each is not None and power < 1
    ]
    chances = _chances(groups) if groups else None
    return partial(_draw_views, places, fixed, chances), len(fixed), places.too_few if places else 0


def validation_rows(places: NDArray[np.object_], views: int) -> RowNumbers:
    """The validation samples, (samples, views), by their first row: each image, or each place's views.

    Args:
        places: The place of each image, (n,).
        views: How many of a place make a sample.

    Raises:
        RecipeError: No place has views enough.
    """
    if views == 1:
        return np.arange(len(places))[:, None]
    rows = ViewsByPlace.of(places, views).evenly_spread(views)
    return rows[np.argsort(rows[:, 0])]  # in which order outputs are put


# Not closures: what draws goes to other processes, where several train together.
def _draw_pairs(objective: Objective, generator: np.random.Generator) -> RowNumbers:
    pairs = objective.pairs(generator)
    assert pairs is not None
    return pairs


def _draw_views(
    places: ViewsByPlace | None,
    fixed: RowNumbers,
    chances: NDArray[np.float64] | None,
    generator: np.random.Generator,
) -> RowNumbers:
    samples = fixed if places is None else places.drawn(fixed.shape[1], generator)
    if chances is None:
        return samples[generator.permutation(len(samples))]
    return samples[generator.choice(len(samples), size=len(samples), p=chances)]


def _chances(groups: Sequence[tuple[NDArray[np.int64], float]]) -> NDArray[np.float64]:
    """The chance of each sample: of a group of n, all together are drawn in proportion to n to a power."""
    weights = np.ones(len(groups[0][0]))
    for group, power in groups:
        weights *= np.bincount(group).astype(np.float64)[group] ** (power - 1)
    return np.asarray(weights / weights.sum())


class EpochSampler(Sampler[SampleKey]):
    """The samples of each epoch, drawn from (seed, epoch) alone.

    Several processes take turns, so that their batches together are the one that a single process would have;
    each has as many, and what is over is left out.

    Args:
        draw: The samples of an epoch, in order.
        length: How many it draws.
        seed: Of the order.
        processes: How many train together.
    """

    def __init__(self, draw: Draw, length: int, seed: int, processes: int = 1) -> None:
        self.draw = draw
        self.length = length
        self.seed = seed
        self.processes = processes
        self.epoch = 0

    def __len__(self) -> int:
        return self.length // self.processes

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[SampleKey]:
        rows = self.draw(np.random.default_rng((self.seed, self.epoch)))
        positions = range(_rank(), len(self) * self.processes, self.processes)
        return ((self.epoch, position, rows[position]) for position in positions)


class FixedOrderSampler(Sampler[SampleKey]):
    """The same samples in the same order at each pass.

    Several processes take turns; each has as many, for which the first samples may come twice.
    """

    def __init__(self, rows: RowNumbers, processes: int = 1) -> None:
        self.rows = rows
        self.processes = processes

    def __len__(self) -> int:
        return -(-len(self.rows) // self.processes)

    def __iter__(self) -> Iterator[SampleKey]:
        positions = range(_rank(), len(self) * self.processes, self.processes)
        return ((0, position, self.rows[position % len(self.rows)]) for position in positions)


def _rank() -> int:
    """This process's number among those that train together."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
