"""Which country holds a point, and the countries' shapes.

The packed shapes are Natural Earth's at 1:50m, with the islands and enclaves that it lacks, border towns in
their own country, and ISO 3166-1 codes: see ``data/NOTICE.md`` for what was changed, and
``scripts/build_boundaries.py`` for how.
"""

import math
import warnings
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from lostfound.errors import CountryNameError, DatasetError
from lostfound.geo.countries import country_name
from lostfound.geo.index import Pieces, ShapeIndex
from lostfound.geo.nearest import Segments
from lostfound.geo.packed import read_packed
from lostfound.geo.shapes import (
    COUNTRY_FIELDS,
    clean_polygons,
    feature_country,
    feature_ids,
    joined,
    read_features,
)
from lostfound.geo.sphere import as_points, from_unit_vectors, haversine_km, unit_vectors, wrap_longitude

DEFAULT_MAX_DISTANCE_KM = 50.0
"""How far off a country a point may lie and still belong to it: coasts are drawn coarsely, ships go far."""

# Points are taken in turns of this size, which bounds the memory that they need.
_TURN = 32_768

# Steps past a border, when a centroid outside its country is moved in: 10 m to 5 km.
_STEPS_INWARD_KM = tuple(0.01 * 2**k for k in range(10))


class Boundaries:
    """Shapes of countries, and the search for the one that holds a point.

    Attributes:
        codes: The countries' codes, in the order they were given.
    """

    def __init__(
        self, codes: list[str], geometries: list[BaseGeometry], pieces: Pieces | None = None
    ) -> None:
        """Take shapes as they are.

        Args:
            codes: One code for each shape.
            geometries: Valid polygons or multipolygons, x the longitude in [-180, 180] and y the latitude,
                shells counter-clockwise and holes clockwise, cut at the date line.
            pieces: What `lostfound.geo.index.cut_small` makes of them, if it was kept.

        Raises:
            ValueError: The lists differ in length, or a code comes twice.
        """
        if len(codes) != len(geometries) or len(set(codes)) != len(codes):
            raise ValueError("boundaries need one shape for each code, and each code once")
        self.codes = tuple(codes)
        self._geometries = np.array(geometries, dtype=object)
        self._pieces = pieces

    @classmethod
    def read(cls, path: Path, field: str | None = None) -> "Boundaries":
        """Read any GeoJSON or GeoParquet file of polygons in degrees.

        Invalid polygons are mended; what crosses the date line is cut there.

        Args:
            path: The file.
            field: Which property or column is the code, unique in the file. By default ``code``; without one,
                the features are taken as countries and given the ISO 3166-1 code that Natural Earth, GADM or
                geoBoundaries write beside them. Features of one country become one; those that no code covers
                (reefs, the Siachen Glacier) are left out, with a warning that names them.

        Raises:
            DatasetError: The file is missing or not such a file, has no such field, or its values repeat; or
                a geometry is no polygon, or encloses nothing.
        """
        properties, geometries = read_features(path)
        if field is None and not any("code" in own for own in properties):
            codes, shapes = _as_countries(path, properties, geometries)
        else:
            codes, shapes = feature_ids(path, properties, field or "code"), geometries
        return cls(codes, list(clean_polygons(path, codes, shapes)))

    @classmethod
    def packed(cls, *, keep: bool = True) -> "Boundaries":
        """The countries of the world at 1:50m.

        Args:
            keep: Hold them (50 MB) for all who ask in this process from then on; else they are read for one.
        """
        return _packed() if keep or _packed.cache_info().currsize else _read_countries()

    def country_at(
        self, points: ArrayLike, max_distance_km: float | None = DEFAULT_MAX_DISTANCE_KM
    ) -> NDArray[np.object_]:
        """The country of each point: the one whose polygon holds it, else the nearest.

        A point on a border belongs to the country that comes first in `codes`.

        Args:
            points: Shape (n, 2), degrees; a longitude of 180 is -180.
            max_distance_km: The farthest off a country may be that does not hold the point, by great circle;
                None for no limit.

        Returns:
            Codes, shape (n,); None for rows with NaN, and where no country is near enough.

        Raises:
            ValueError: Not of shape (n, 2), or a value out of range; the message names the row.
        """
        # The last name stands for -1.
        answer: NDArray[np.object_] = np.array([*self.codes, None], dtype=object)[
            self.index_at(points, max_distance_km)
        ]
        return answer

    def index_at(
        self, points: ArrayLike, max_distance_km: float | None = DEFAULT_MAX_DISTANCE_KM
    ) -> NDArray[np.intp]:
        """The same as numbers: indices into `codes`, -1 for None."""
        array = as_points(points, unknown=True)
        turns = [
            self._index_in_turn(array[begin : begin + _TURN], max_distance_km)
            for begin in range(0, len(array), _TURN)
        ]
        return np.concatenate([np.empty(0, dtype=np.intp), *turns])

    def _index_in_turn(self, array: NDArray[np.float64], max_distance_km: float | None) -> NDArray[np.intp]:
        known = np.flatnonzero(~np.isnan(array).any(axis=1))
        places = np.column_stack([array[known, 0], wrap_longitude(array[known, 1])])
        owner = self._index.holding(places)
        outside = np.flatnonzero(owner < 0)
        if len(outside) and (max_distance_km is None or max_distance_km > 0):
            limit = math.inf if max_distance_km is None else max_distance_km
            owner[outside] = self._borders.nearest(places[outside], limit)[1]
        answer = np.full(len(array), -1, dtype=np.intp)
        answer[known] = owner
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

    @cached_property
    def _index(self) -> ShapeIndex:
        return ShapeIndex(self._geometries, self._pieces)

    @cached_property
    def _borders(self) -> Segments:
        return Segments.of(self._geometries)


def label_countries(
    points: ArrayLike,
    countries: Sequence[str | None] | NDArray[np.object_] | None,
    boundaries: Boundaries | None = None,
) -> NDArray[np.object_]:
    """The country of each image: the stated one, else the one at its point, else None.

    Args:
        points: Shape (n, 2), degrees; NaN where unknown.
        countries: ISO 3166-1 alpha-2, (n,), None where unknown; or None, where no country is stated.
        boundaries: Where the countries lie; the packed ones by default, read only if a point needs them.

    Returns:
        Codes, a new array of shape (n,); None where neither is known, and for points farther than
        `DEFAULT_MAX_DISTANCE_KM` from every country.

    Raises:
        ValueError: The lengths differ, or a point that is looked up is no coordinate.
    """
    places = np.asarray(points, dtype=np.float64)
    labels = np.full(len(places), None, dtype=object)
    if countries is not None:
        if len(countries) != len(places):
            raise ValueError(f"{len(countries)} countries for {len(places)} points: give one for each")
        labels[:] = countries
    unstated = np.isfinite(places).all(axis=1) & np.array([code is None for code in labels], dtype=bool)
    if unstated.any():
        labels[unstated] = (boundaries or Boundaries.packed()).country_at(places[unstated])
    return labels


def outlines(*, fine: bool = False) -> dict[str, Any]:
    """Shapes of countries, for drawing.

    Args:
        fine: All countries at 1:50m, with corners a kilometre apart; else at 1:110m those large enough to be
            seen on a world map.

    Returns:
        A GeoJSON FeatureCollection; properties are ``code`` and ``name``, coordinates have two decimals.
    """
    shapes = _with_shapes(read_packed("countries.parquet" if fine else "outlines.parquet"))
    drawn = {code: shapes.geometry(code) for code in shapes.codes}
    if fine:
        drawn = {code: _without_details(shape) for code, shape in drawn.items()}
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": country_name(code)},
            "geometry": {"type": "MultiPolygon", "coordinates": _rounded(shape)},
        }
        for code, shape in drawn.items()
    ]
    return {"type": "FeatureCollection", "features": features}


@cache
def _packed() -> Boundaries:
    return _read_countries()


def _read_countries() -> Boundaries:
    cut = read_packed("country_pieces.parquet")
    pieces = shapely.from_wkb(cut["geometry"].to_numpy()), cut["country"].to_numpy()
    return _with_shapes(read_packed("countries.parquet"), pieces)


def _with_shapes(table: pa.Table, pieces: Pieces | None = None) -> Boundaries:
    """The package's own shapes, which need no cleaning."""
    return Boundaries(
        table["code"].to_pylist(), shapely.from_wkb(table["geometry"].to_numpy()).tolist(), pieces
    )


def _as_countries(
    path: Path, properties: list[dict[str, Any]], geometries: list[BaseGeometry]
) -> tuple[list[str], list[BaseGeometry]]:
    """Features as countries: the code of each country, and its parts as one geometry."""
    parts: dict[str, list[BaseGeometry]] = {}
    unknown = []
    for row, (own, geometry) in enumerate(zip(properties, geometries, strict=True)):
        code = feature_country(own)
        if code is None:
            unknown.append(str(own.get("NAME") or own.get("name") or row))
        else:
            parts.setdefault(code, []).append(geometry)
    if not parts:
        raise DatasetError(
            f"{path}: no feature has an ISO 3166-1 code in any of {', '.join(COUNTRY_FIELDS)}. Say which "
            f"field is the code; there are {', '.join(properties[0]) if properties else 'none'}."
        )
    if unknown:
        warnings.warn(f"{path}: left out, having no ISO 3166-1 code: {', '.join(unknown)}", stacklevel=3)
    return list(parts), [joined(own) for own in parts.values()]


def _moved_inside(
    centre: NDArray[np.float64], border: NDArray[np.float64], shape: BaseGeometry
) -> NDArray[np.float64]:
    """Step from a point outside over the nearest border, by as little as lands inside.

    Where the way only grazes the shape at a corner, the middle of the part there.
    """
    start, edge = unit_vectors(centre), unit_vectors(border)
    onward = (edge - start) / haversine_km(centre, border)
    for step_km in _STEPS_INWARD_KM:
        place = from_unit_vectors(edge + step_km * onward)
        if shapely.intersects_xy(shape, place[1], place[0]):
            return place
    parts = shapely.get_parts(shape)
    part = parts[np.argmin(shapely.distance(parts, shapely.points(border[1], border[0])))]
    inside = shapely.point_on_surface(part)
    return np.array([inside.y, inside.x])


def _without_details(shape: BaseGeometry) -> BaseGeometry:
    """A shape without the corners that nobody sees where coordinates have two decimals."""
    simple: BaseGeometry = shapely.multipolygons(shapely.get_parts(shapely.simplify(shape, 0.01)))
    return simple


def _rounded(shape: BaseGeometry) -> list[list[list[list[float]]]]:
    return [
        [
            [[round(x, 2), round(y, 2)] for x, y in shapely.get_coordinates(ring).tolist()]
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        for polygon in shape.geoms
    ]
