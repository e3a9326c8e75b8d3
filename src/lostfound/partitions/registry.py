"""Every kind of partition, with what it can do; `lostfound.partitions.base` looks here when it needs that."""

from __future__ import annotations

from lostfound.partitions.base import Kind
from lostfound.partitions.kinds import cities, gallery, named, polygons, quadtree, s2, square, voronoi

KINDS: dict[str, Kind] = {
    "countries": Kind(named.build_countries, named.country_finder, labelled=True),
    "regions": Kind(named.build_regions, named.region_finder),
    "cities": Kind(cities.build, cities.finder),
    "square": Kind(square.build, square.finder, square.surrounding),
    "voronoi": Kind(voronoi.build, voronoi.finder),
    "s2": Kind(s2.build, s2.finder, s2.surrounding, s2.ancestors),
    "quadtree": Kind(quadtree.build, quadtree.finder, quadtree.surrounding, quadtree.ancestors),
    "polygons": Kind(polygons.build, polygons.finder),
    "gallery": Kind(gallery.build, gallery.finder),
}
