"""What is in a data set: counts (`lostfound.data.stats_plot` draws them)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, count_sources, counts, numbers


@dataclass(frozen=True)
class Stats:
    """Counts of images, most frequent first.

    Attributes:
        images: All images.
        places: All places.
        located: Images with coordinates.
        countries: Images by country code.
        splits: Images by split.
        sources: Images by source.
        places_by_split: Places by split.
        views: How many places have how many views.
    """

    images: int
    places: int
    located: int
    countries: dict[str, int]
    splits: dict[str, int]
    sources: dict[str, int]
    places_by_split: dict[str, int]
    views: dict[int, int]


def dataset_stats(dataset: Dataset) -> Stats:
    """Count what a data set holds."""
    records = dataset.stored.select(["place_id", "latitude", "longitude", "country", "split", "source"])
    _, first, views = np.unique(numbers(records, "place_id")[0], return_index=True, return_counts=True)
    views_of_a_place, having = np.unique(views, return_counts=True)
    return Stats(
        images=len(dataset),
        places=len(first),
        located=int(np.isfinite(coordinates(records)).all(axis=1).sum()),
        countries=counts(records, "country"),
        splits=counts(records, "split"),
        sources=count_sources(records),
        places_by_split=counts(records.select(["split"]).take(first), "split"),
        views=dict(zip(views_of_a_place.tolist(), having.tolist(), strict=True)),
    )
