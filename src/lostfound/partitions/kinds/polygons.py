"""Cells from the user's own polygons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from lostfound.errors import DatasetError
from lostfound.geo.index import LocalShapeIndex
from lostfound.geo.shapes import feature_ids, read_features
from lostfound.partitions.base import OUTSIDE, Find, Partition, TrainingPlaces
from lostfound.partitions.build import CandidateCells, build_cells

if TYPE_CHECKING:
    from lostfound.partitions.settings import PolygonsSettings


def build(training: TrainingPlaces, settings: PolygonsSettings) -> Partition:
    """One cell for each feature of the files; where two overlap, the first holds the point.

    Raises:
        DatasetError: A file can't be read, a polygon is invalid or crosses the date line, or two files give
            the same name.
    """
    named: dict[str, BaseGeometry] = {}
    origin: dict[str, str] = {}
    for file in settings.files:
        properties, geometries = read_features(Path(file))
        names = feature_ids(Path(file), properties, settings.name)
        for name, geometry in zip(names, geometries, strict=True):
            if name in origin:
                raise DatasetError(
                    f'both {origin[name]} and {file} name a cell "{name}": rename one, or choose another '
                    "property with the setting name"
                )
            named[name], origin[name] = checked_polygon(geometry, f'{file}: "{name}"'), file
    ids = list(named)
    shapes = np.empty(len(ids), dtype=object)
    shapes[:] = list(named.values())
    numbers = np.full(len(training.places), OUTSIDE, dtype=np.int64)
    numbers[training.known] = LocalShapeIndex(shapes).find(training.located[:, ::-1])
    candidates = CandidateCells(ids, numbers, shapes=lambda kept: shapes[kept], names=ids)
    return build_cells("polygons", training, candidates, settings, {})


def finder(partition: Partition) -> Find:
    """Search by the polygons themselves."""
    index = LocalShapeIndex(partition.polygons)
    return lambda places: index.find(places[:, ::-1])


def checked_polygon(geometry: BaseGeometry, where: str) -> BaseGeometry:
    """Take a polygon if it is a valid one on the map from -180 to 180.

    Raises:
        DatasetError: It is something else, invalid, or crosses the date line.
    """
    if geometry.geom_type not in ("Polygon", "MultiPolygon"):
        raise DatasetError(f"{where} is a {geometry.geom_type}: cells and boundaries are polygons")
    west, _, east, _ = geometry.bounds
    xy, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(geometry)), return_index=True)
    jumps = (np.abs(np.diff(xy[:, 0])) > 180.0) & (ring[1:] == ring[:-1])
    # The edge of a polygon around a pole runs along the map's own edge.
    along_pole = (np.abs(xy[1:, 1]) == 90.0) & (np.abs(xy[:-1, 1]) == 90.0)
    if west < -180.0 or east > 180.0 or ((jumps & ~along_pole).any() and not _fills_the_map(west, east)):
        raise DatasetError(
            f"{where} crosses the date line: cut it there into two polygons, as RFC 7946 (3.1.9) asks"
        )
    if not geometry.is_valid:
        raise DatasetError(
            f"{where} is invalid ({shapely.is_valid_reason(geometry)}): mend it, such as with "
            "shapely.make_valid or a GIS"
        )
    return geometry


def _fills_the_map(west: float, east: float) -> bool:
    return west == -180.0 and east == 180.0
