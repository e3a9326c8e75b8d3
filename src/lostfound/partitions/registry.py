"""Every kind of partition, and the functions that build it and assign points to its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lostfound.partitions.base import Find, Partition
from lostfound.partitions.build_cells import TrainingPlaces
from lostfound.partitions.kinds import cities, named, polygons, quadtree, s2, square, voronoi
from lostfound.partitions.kinds.tree import Probes


@dataclass(frozen=True)
class Kind:
    """What a kind of partition must be able to do.

    Attributes:
        build: From the training images and the kind's settings to a partition.
        finder: Prepare the search for the cells of points.
        probes: Places just outside each cell, one for each side and corner, for kinds whose cells are
            nested squares; None for kinds whose polygons tell the neighbours.
    """

    build: Callable[[TrainingPlaces, Any], Partition]
    finder: Callable[[Partition], Find]
    probes: Callable[[Partition], Probes] | None = None


KINDS = {
    "countries": Kind(named.build_countries, named.country_finder),
    "regions": Kind(named.build_regions, named.region_finder),
    "cities": Kind(cities.build, cities.finder),
    "square": Kind(square.build, square.finder, square.probes),
    "voronoi": Kind(voronoi.build, voronoi.finder),
    "s2": Kind(s2.build, s2.finder, s2.probes),
    "quadtree": Kind(quadtree.build, quadtree.finder, quadtree.probes),
    "polygons": Kind(polygons.build, polygons.finder),
}
