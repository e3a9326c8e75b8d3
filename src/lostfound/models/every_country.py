"""Naming every country of the world: what a network says of those without images, from their neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_name
from lostfound.geo.sphere import pairwise_km
from lostfound.models.network import Network
from lostfound.partitions import Partition
from lostfound.partitions.kinds.named import country_shapes

REACH_KM = 2000.0
"""Over so many kilometres the likeness of two countries falls by 1/e."""
NOISE = 0.3
"""The variance of what is learnt of a country from one image, where that among countries is 1; of n images
it is an n-th of that."""


@torch.no_grad()
def name_every_country(network: Network, cells: Partition) -> Partition:
    """Let a network that tells countries apart name all of them, also those that none of its images is of.

    A country's logit is linear in the features, and near countries look alike: the rows of that last layer
    are taken for a Gaussian process over the Earth, with an exponential covariance, observed the better the
    more images a country has. Each row becomes the best linear unbiased estimate (ordinary kriging, Cressie
    1993, "Statistics for Spatial Data", chapter 3): of a country with many images as good as what it was,
    of one with few drawn towards its neighbours, of one without any the neighbours' alone.

    Args:
        network: Its last layer is changed in place.
        cells: The countries that it tells apart.

    Returns:
        All countries; those that were added have no training images, and decode to the middle of the country.

    Raises:
        UsageError: It tells something else apart, or all of them already.
    """
    if cells.kind != "countries":
        raise UsageError(f"the model tells {cells.kind} apart: only of countries is it known which all are")
    every = _every_country(cells)
    if len(every) == len(cells):
        raise UsageError("the model names every country already")
    known = [every.numbers[each] for each in cells.cell_ids]
    mixed = kriging_weights(every.centroids, known, np.maximum(cells.counts, 1))
    head = network.head
    assert isinstance(head, nn.Sequential)
    learnt = head[-1]
    assert isinstance(learnt, nn.Linear)
    wider = nn.Linear(learnt.in_features, len(every))
    weights = torch.from_numpy(mixed).to(learnt.weight)
    wider.weight.copy_(weights @ learnt.weight)
    wider.bias.copy_(weights @ learnt.bias)
    head[-1] = wider
    return every


def kriging_weights(
    points: NDArray[np.float64], known: list[int], images: NDArray[np.int64], *, reach_km: float = REACH_KM
) -> NDArray[np.float64]:
    """How much of each known place's values goes into each place's.

    Args:
        points: Of all places, (n, 2), degrees.
        known: Which of them have values, m numbers.
        images: How many images each of these was learnt from, (m,), 1 or more.
        reach_km: Over so many kilometres likeness falls by 1/e.

    Returns:
        Weights, (n, m); those of a place sum to 1.
    """
    likeness = np.exp(-pairwise_km(points, points[known]) / reach_km)
    inverse = np.linalg.inv(likeness[known] + np.diag(NOISE / images))
    simple = likeness @ inverse
    mean = inverse.sum(axis=0) / inverse.sum()
    return np.asarray(simple + (1 - simple.sum(axis=1, keepdims=True)) * mean)


def _every_country(cells: Partition) -> Partition:
    boundaries = Boundaries.packed()
    codes = sorted({*boundaries.codes, *cells.cell_ids})
    own = [cells.numbers.get(code) for code in codes]
    points = [
        boundaries.centroid(code) if number is None else cells.centroids[number]
        for code, number in zip(codes, own, strict=True)
    ]
    return replace(
        cells,
        cell_ids=tuple(codes),
        names=tuple(country_name(code) for code in codes),
        centroids=np.array(points, dtype=np.float64),
        counts=np.array([0 if number is None else cells.counts[number] for number in own]),
        countries=tuple(codes),
        parents=(None,) * len(codes),
        polygons=country_shapes(codes),
    )
