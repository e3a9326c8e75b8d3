"""Every kind of partition, and the functions that build it and assign points to its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lostfound.geo.partitions import cities, named, polygons, quadtree, s2, square, voronoi
from lostfound.geo.partitions.gather import Training
from lostfound.geo.partitions.partition import Find, Partition
from lostfound.geo.partitions.tree import Probes


@dataclass(frozen=True)
class Rule:
    """What a kind of partition must be able to do.

    Attributes:
        build: From the training images and the kind's settings to a partition.
        finder: Prepare the search for the cells of points.
        probes: Places just outside each cell, one for each side and corner, for kinds whose cells are
            nested squares; None for kinds whose polygons tell the neighbours.
    """

    build: Callable[[Training, Any], Partition]
    finder: Callable[[Partition], Find]
    probes: Callable[[Partition], Probes] | None = None


RULES = {
    "countries": Rule(named.build_countries, named.country_finder),
    "regions": Rule(named.build_regions, named.region_finder),
    "cities": Rule(cities.build, cities.finder),
    "square": Rule(square.build, square.finder, square.probes),
    "voronoi": Rule(voronoi.build, voronoi.finder),
    "s2": Rule(s2.build, s2.finder, s2.probes),
    "quadtree": Rule(quadtree.build, quadtree.finder, quadtree.probes),
    "polygons": Rule(polygons.build, polygons.finder),
}
