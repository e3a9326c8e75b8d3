"""Puts every kind of partition, with what it can do, where `lostfound.partitions.base` looks for it."""

from __future__ import annotations

from lostfound.partitions.base import KINDS, Kind
from lostfound.partitions.kinds import cities, gallery, named, polygons, quadtree, s2, square, voronoi

KINDS.update(
    {
        "countries": Kind(named.build_countries, named.country_finder, labelled=True),
        "regions": Kind(named.build_regions, named.region_finder),
        "cities": Kind(cities.build, cities.finder),
        "square": Kind(square.build, square.finder, square.surrounding),
        "voronoi": Kind(voronoi.build, voronoi.finder),
        "s2": Kind(s2.build, s2.finder, s2.surrounding, s2.ancestors),
        "quadtree": Kind(quadtree.build, quadtree.finder, quadtree.surrounding, quadtree.ancestors),
        "gallery": Kind(gallery.build, gallery.finder, points=True),
        "polygons": Kind(polygons.build, polygons.finder),
    }
)
