"""Which country holds a point, and the countries' shapes.

The packed shapes are Natural Earth's at 1:50m, with ISO 3166-1 codes: see ``data/NOTICE.md`` for what was
changed, and ``scripts/build_boundaries.py`` for how.
"""

import math
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from lostfound.errors import CountryNameError, DatasetError
from lostfound.geo.countries import country_name
from lostfound.geo.segments import Segments
from lostfound.geo.sphere import from_unit_vectors, haversine_km, unit_vectors, wrap_longitude

DEFAULT_MAX_DISTANCE_KM = 50.0
"""How far off a country a point may lie and still belong to it: coasts are drawn coarsely, ships go far."""

# Large polygons are halved until a piece has no more corners than this: a test takes time by corners.
_PIECE_CORNERS = 48
_POLYGON = 3  # shapely's type id
# Steps past a border, when a centroid outside its country is moved in: 10 m to 5 km.
_STEPS_INWARD_KM = tuple(0.01 * 2**k for k in range(10))


class Boundaries:
    """Shapes of countries, and the search for the one that holds a point.

    Attributes:
        codes: The countries' codes, in the order they were given.
    """

    def __init__(self, codes: list[str], geometries: list[BaseGeometry]) -> None:
        """Take shapes as they are.

        Args:
            codes: One code for each shape.
            geometries: Valid polygons or multipolygons, x the longitude in [-180, 180] and y the latitude,
                shells counter-clockwise and holes clockwise, cut at the date line.

        Raises:
            ValueError: The lists differ in length, or a code comes twice.
        """
        if len(codes) != len(geometries) or len(set(codes)) != len(codes):
            raise ValueError("boundaries need one shape for each code, and each code once")
        self.codes = tuple(codes)
        self._geometries = np.array(geometries, dtype=object)

    @classmethod
    def read(cls, path: Path) -> "Boundaries":
        """Read GeoParquet: a text column ``code``, and a column ``geometry`` of WKB as `Boundaries` needs it.

        Raises:
            DatasetError: A column is missing.
        """
        table = pq.read_table(path)
        if not {"code", "geometry"} <= set(table.column_names):
            raise DatasetError(
                f"{path} holds {', '.join(table.column_names)}; boundaries need the columns code and geometry"
            )
        return cls(table["code"].to_pylist(), shapely.from_wkb(table["geometry"].to_pylist()).tolist())

    @classmethod
    def packed(cls) -> "Boundaries":
        """The countries of the world at 1:50m, read once in a process."""
        return _packed()

    def country_at(
        self, points: ArrayLike, max_distance_km: float | None = DEFAULT_MAX_DISTANCE_KM
    ) -> NDArray[np.object_]:
        """The country of each point: the one whose polygon holds it, else the nearest.

        A point on a border belongs to the country that comes first in `codes`.

        Args:
            points: Shape (n, 2), degrees; longitudes beyond [-180, 180) are brought into it.
            max_distance_km: The farthest off a country may be that does not hold the point, by great circle;
                None for no limit.

        Returns:
            Codes, shape (n,); None for rows with NaN, and where no country is near enough.

        Raises:
            ValueError: Not of shape (n, 2), a latitude outside [-90, 90], or an infinite value.
        """
        array = np.asarray(points, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != 2:
            raise ValueError(f"points must have shape (n, 2) as (latitude, longitude), got {array.shape}")
        known = ~np.isnan(array).any(axis=1)
        wrong = known & ~((np.abs(array[:, 0]) <= 90.0) & np.isfinite(array[:, 1]))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"row {row} is no coordinate: latitude {array[row, 0]}, longitude {array[row, 1]}"
            )
        places = np.column_stack([array[known, 0], wrap_longitude(array[known, 1])])
        owner = self._holding(places)
        outside = np.flatnonzero(owner < 0)
        if outside.size:
            borders, nearest = self._borders.nearest(places[outside])
            limit = math.inf if max_distance_km is None else max_distance_km
            near = haversine_km(places[outside], borders) <= limit
            owner[outside[near]] = nearest[near]
        answer = np.full(len(array), None, dtype=object)
        # The last name stands for -1.
        answer[known] = np.array([*self.codes, None], dtype=object)[owner]
        return answer

    def geometry(self, code: str) -> BaseGeometry:
        """The shape of a country: x is the longitude, y the latitude, in degrees.

        Raises:
            CountryNameError: No country has this code.
        """
        if code not in self.codes:
            raise CountryNameError(
                f'No boundary has the code "{code}". Codes are ISO 3166-1 alpha-2, such as FR.'
            )
        shape: BaseGeometry = self._geometries[self.codes.index(code)]
        return shape

    def centroid(self, code: str) -> tuple[float, float]:
        """Middle of a country: the mean of its surface on the sphere.

        Where that falls outside (Croatia, Kiribati), the nearest place inside.

        Returns:
            Latitude and longitude, degrees.

        Raises:
            CountryNameError: No country has this code.
        """
        shape = self.geometry(code)
        borders = Segments.of(np.array([shape], dtype=object))
        centre = from_unit_vectors(borders.mean_vector())
        if not shapely.intersects_xy(shape, centre[1], centre[0]):
            centre = _moved_inside(centre, borders.nearest(centre[None])[0][0], shape)
        return float(centre[0]), float(centre[1])

    def _holding(self, places: NDArray[np.float64]) -> NDArray[np.intp]:
        """Index of the country whose polygon holds each place, -1 where none does."""
        pieces, piece_owner, tree = self._pieces
        longitude, latitude = places[:, 1], places[:, 0]
        row, piece = tree.query(shapely.points(longitude, latitude))
        inside = shapely.intersects_xy(pieces[piece], longitude[row], latitude[row])
        owner = np.full(len(places), len(self.codes), dtype=np.intp)
        np.minimum.at(owner, row[inside], piece_owner[piece[inside]])
        owner[owner == len(self.codes)] = -1
        return owner

    @cached_property
    def _pieces(self) -> tuple[NDArray[np.object_], NDArray[np.intp], shapely.STRtree]:
        """Small polygons, the country of each, and their search tree."""
        pieces, owner = _cut(self._geometries)
        shapely.prepare(pieces)
        return pieces, owner, shapely.STRtree(pieces)

    @cached_property
    def _borders(self) -> Segments:
        return Segments.of(self._geometries)


def outlines() -> dict[str, Any]:
    """Coarse shapes (1:110m) of the countries large enough to be seen on a world map, for drawing.

    Returns:
        A GeoJSON FeatureCollection; properties are ``code`` and ``name``, coordinates have two decimals.
    """
    shapes = Boundaries.read(_data_file("outlines.parquet"))
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": country_name(code)},
            "geometry": {"type": "MultiPolygon", "coordinates": _rounded(shapes.geometry(code))},
        }
        for code in shapes.codes
    ]
    return {"type": "FeatureCollection", "features": features}


@cache
def _packed() -> Boundaries:
    return Boundaries.read(_data_file("countries.parquet"))


def _data_file(name: str) -> Path:
    # The package is always installed as files (hatchling wheel or editable).
    return Path(str(resources.files("lostfound.geo"))) / "data" / name


def _cut(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Cut polygons by halving until each has few corners; also returns the index each came from."""
    todo, owner = shapely.get_parts(geometries, return_index=True)
    done, done_owner = [], []
    while len(todo):
        small = shapely.get_num_coordinates(todo) <= _PIECE_CORNERS
        done.append(todo[small])
        done_owner.append(owner[small])
        todo, owner = _halved(todo[~small], owner[~small])
    return np.concatenate(done), np.concatenate(done_owner)


def _halved(
    polygons: NDArray[np.object_], owner: NDArray[np.intp]
) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Cut each polygon across the middle of its longer side."""
    west, south, east, north = shapely.bounds(polygons).T
    wide = east - west > north - south
    middle_x = np.where(wide, (west + east) / 2, east)
    middle_y = np.where(wide, north, (south + north) / 2)
    low = shapely.box(west, south, middle_x, middle_y)
    high = shapely.box(np.where(wide, middle_x, west), np.where(wide, south, middle_y), east, north)
    halves = shapely.intersection(np.concatenate([polygons, polygons]), np.concatenate([low, high]))
    parts, index = shapely.get_parts(halves, return_index=True)
    # Where the cut only touches, lines and points are left.
    areas = shapely.get_type_id(parts) == _POLYGON
    return parts[areas], np.concatenate([owner, owner])[index[areas]]


def _moved_inside(
    centre: NDArray[np.float64], border: NDArray[np.float64], shape: BaseGeometry
) -> NDArray[np.float64]:
    """Step from a point outside over the nearest border, by as little as lands inside."""
    start, edge = unit_vectors(centre), unit_vectors(border)
    onward = (edge - start) / haversine_km(centre, border)
    for step_km in _STEPS_INWARD_KM:
        place = from_unit_vectors(edge + step_km * onward)
        if shapely.intersects_xy(shape, place[1], place[0]):
            return place
    return border


def _rounded(shape: BaseGeometry) -> list[list[list[list[float]]]]:
    return [
        [
            [[round(x, 2), round(y, 2)] for x, y in shapely.get_coordinates(ring).tolist()]
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        for polygon in shape.geoms
    ]
