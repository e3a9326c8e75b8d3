"""Which region (admin-1: state, province, county) and which city a point belongs to.

Two methods that give different answers near borders, and so carry names:

* ``nearest-place``: the region of the nearest populated place (GeoNames, 170 000 places of more than 1000
  people). OSV-5M labels its images so. Works offline, from the packed tables.
* ``natural-earth``: Natural Earth's admin-1 regions from a file: of label points, the region whose label is
  nearest, as Lost & Found did; of polygons, the region that holds the point.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from lostfound.errors import DatasetError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.index import BORDER, PER_DEGREE, look_up
from lostfound.geo.nearest import NearestSearch
from lostfound.geo.packed import read_packed
from lostfound.geo.shapes import clean_polygons, feature_country, joined, read_features
from lostfound.geo.sphere import as_points

_ID_FIELD = "adm1_code"
# For fewer points the search among the places takes less time than reading the raster.
_WORTH_A_RASTER = 50_000


@dataclass(frozen=True)
class Regions:
    """Regions of the world, and the search for a point's own.

    Attributes:
        method: "nearest-place" or "natural-earth".
        ids: An id for each region, unique: "FR.11" by the first method, "FRA-5376" by the second.
        names: Their names, which may repeat, also within a country.
        countries: Their countries, ISO 3166-1 alpha-2; None where Natural Earth gives none.
    """

    method: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    countries: tuple[str | None, ...]
    _search: Callable[[ArrayLike, float | None], NDArray[np.intp]] = field(repr=False)

    @classmethod
    def nearest_place(cls) -> "Regions":
        """Regions by the nearest populated place, from the packed tables; read once in a process."""
        return _nearest_place()

    @classmethod
    def natural_earth(cls, path: Path) -> "Regions":
        """Regions by Natural Earth's admin-1.

        Args:
            path: GeoJSON or GeoParquet: ``ne_10m_admin_1_label_points``, or the polygons of
                ``ne_10m_admin_1_states_provinces``.

        Raises:
            DatasetError: The file is missing, of another kind, or lacks ``adm1_code``.
        """
        properties, geometries = read_features(path)
        parts: dict[str, list[int]] = {}
        for row, own in enumerate(properties):
            if own.get(_ID_FIELD) is None:
                raise DatasetError(
                    f'{path}: feature {row} has no "{_ID_FIELD}"; Natural Earth\'s admin-1 files have it'
                )
            parts.setdefault(str(own[_ID_FIELD]), []).append(row)
        ids = tuple(parts)
        first = [properties[rows[0]] for rows in parts.values()]
        owner = np.empty(len(geometries), dtype=np.intp)
        for number, rows in enumerate(parts.values()):
            owner[rows] = number
        if all(geometry.geom_type == "Point" for geometry in geometries):
            search = _by_label(geometries, owner)
        else:
            shapes = [joined([geometries[row] for row in rows]) for rows in parts.values()]
            search = _by_polygon(path, ids, shapes)
        return cls(
            "natural-earth",
            ids,
            tuple(
                str(own.get("name") or own.get("admin") or id_) for id_, own in zip(ids, first, strict=True)
            ),
            tuple(feature_country(own) for own in first),
            search,
        )

    def region_at(self, points: ArrayLike, max_distance_km: float | None = None) -> NDArray[np.object_]:
        """The region of each point.

        Args:
            points: Shape (n, 2), degrees; NaN where unknown.
            max_distance_km: The farthest off the place, label or polygon that decides may be; None for no
                limit.

        Returns:
            Ids, shape (n,); None for rows with NaN, and where nothing is near enough.

        Raises:
            ValueError: Not of shape (n, 2), or a value out of range; the message names the row.
        """
        # The last id stands for -1.
        answer: NDArray[np.object_] = np.array([*self.ids, None], dtype=object)[
            self.index_at(points, max_distance_km)
        ]
        return answer

    def index_at(self, points: ArrayLike, max_distance_km: float | None = None) -> NDArray[np.intp]:
        """The same as numbers: indices into `ids`, -1 for None."""
        return self._search(points, max_distance_km)


@dataclass(frozen=True)
class NearestPlaces:
    """The populated place nearest to each point.

    Attributes:
        names: Its name, (n,); None for points that are NaN.
        regions: The id of its region, as in `Regions.nearest_place`.
        areas: The name of its area within the region (admin-2: county, district), None where it has none.
        countries: Its country, ISO 3166-1 alpha-2. Near borders it is not always the country that holds the
            point: see `lostfound.geo.boundaries.Boundaries.country_at`.
        distance_km: How far it is, (n,); NaN for points that are NaN.
    """

    names: NDArray[np.object_]
    regions: NDArray[np.object_]
    areas: NDArray[np.object_]
    countries: NDArray[np.object_]
    distance_km: NDArray[np.float64]


def nearest_places(points: ArrayLike) -> NearestPlaces:
    """The city, town or village of more than 1000 people nearest to each point (GeoNames).

    Args:
        points: Shape (n, 2), degrees; NaN where unknown.

    Raises:
        ValueError: Not of shape (n, 2), or a value out of range; the message names the row.
    """
    table = _places()
    rows = table.search.rows(points)
    region = np.where(rows < 0, -1, table.region[rows])
    regions = _nearest_place()
    return NearestPlaces(
        np.where(rows < 0, np.array(None), table.names[rows]),
        np.array([*regions.ids, None], dtype=object)[region],
        np.where(rows < 0, np.array(None), _areas()[rows]),
        np.array([*regions.countries, None], dtype=object)[region],
        table.search.distances_km(points, rows),
    )


@dataclass(frozen=True)
class _Places:
    """The packed places, sorted by region."""

    names: NDArray[np.object_]
    region: NDArray[np.intp]
    search: NearestSearch


@cache
def _places() -> _Places:
    table = read_packed("places.parquet", ["name", "latitude", "longitude", "region"])
    ids = read_packed("regions.parquet", ["region"])["region"].to_pylist()
    number = {id_: index for index, id_ in enumerate(ids)}
    column = table["region"].combine_chunks().dictionary_encode()
    own = np.array([number[id_] for id_ in column.dictionary.to_pylist()], dtype=np.intp)
    return _Places(
        table["name"].to_numpy(),
        own[column.indices.to_numpy()],
        NearestSearch(np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])),
    )


@cache
def _areas() -> NDArray[np.object_]:
    areas: NDArray[np.object_] = read_packed("places.parquet", ["area"])["area"].to_numpy()
    return areas


@cache
def _nearest_place() -> Regions:
    table = read_packed("regions.parquet").to_pydict()
    places = _places()

    def search(points: ArrayLike, max_distance_km: float | None) -> NDArray[np.intp]:
        array = as_points(points, unknown=True)
        region = np.full(len(array), -1, dtype=np.intp)
        unsure = np.flatnonzero(~np.isnan(array).any(axis=1))
        if max_distance_km is None and len(array) >= _WORTH_A_RASTER:
            region[unsure] = look_up(_squares(), array[unsure])
            unsure = unsure[region[unsure] == BORDER]
        rows = places.search.rows(array[unsure], max_distance_km)
        region[unsure] = np.where(rows < 0, -1, places.region[rows])
        return region

    return Regions(
        "nearest-place", tuple(table["region"]), tuple(table["name"]), tuple(table["country"]), search
    )


@cache
def _squares() -> NDArray[np.int32]:
    """The region of every square whose points all have the same one by the nearest place; else `BORDER`."""
    column = read_packed("region_squares.parquet")["region"]
    squares: NDArray[np.int32] = column.to_numpy().reshape(180 * PER_DEGREE, 360 * PER_DEGREE)
    return squares


def _by_label(
    geometries: list[BaseGeometry], owner: NDArray[np.intp]
) -> Callable[[ArrayLike, float | None], NDArray[np.intp]]:
    labels = NearestSearch(shapely.get_coordinates(geometries)[:, ::-1])

    def search(points: ArrayLike, max_distance_km: float | None) -> NDArray[np.intp]:
        rows = labels.rows(points, max_distance_km)
        return np.where(rows < 0, -1, owner[rows])

    return search


def _by_polygon(
    path: Path, ids: tuple[str, ...], shapes: list[BaseGeometry]
) -> Callable[[ArrayLike, float | None], NDArray[np.intp]]:
    boundaries = Boundaries(list(ids), list(clean_polygons(path, ids, shapes)))
    return boundaries.index_at
