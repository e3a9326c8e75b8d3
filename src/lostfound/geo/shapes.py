"""Polygons: read from users' files, made valid and cut at the date line, and their surface on the sphere."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import GeometryCollection, MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from lostfound.errors import DatasetError
from lostfound.geo.countries import find_country
from lostfound.geo.sphere import EARTH_RADIUS_KM

# Names by which a file that gives longitude and latitude says so.
_DEGREES = ("CRS84", "4326", "CRS:84")
# Where boundary files keep the country's code, best first: ISO_A2 of Natural Earth is -99 for France.
COUNTRY_FIELDS = (
    "iso_a2_eh",
    "iso_a3_eh",
    "iso_a2",
    "iso_a3",
    "adm0_a3",
    "gid_0",
    "shapegroup",
    "sr_adm0_a3",
)
# Natural Earth's own codes.
_NATURAL_EARTH_CODES = {"KOS": "XK", "PSX": "PS", "SAH": "EH", "SDS": "SS", "SOL": "SO", "CYN": "CY"}
_POLYGONS = ("Polygon", "MultiPolygon")


def read_features(path: Path) -> tuple[list[dict[str, Any]], list[BaseGeometry]]:
    """Read the features of a GeoJSON or GeoParquet file, which is told by its content.

    Returns:
        The properties of each feature, and its geometry as the file has it, x the longitude.

    Raises:
        DatasetError: The file is missing, is neither, or its coordinates are not degrees.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is not there: give a GeoJSON or GeoParquet file")
    with path.open("rb") as file:
        parquet = file.read(4) == b"PAR1"
    properties, geometries = _read_geoparquet(path) if parquet else _read_geojson(path)
    if not geometries:
        raise DatasetError(f"{path} holds no feature")
    for row, geometry in enumerate(geometries):
        if geometry is None or geometry.is_empty:
            raise DatasetError(f"{path}: feature {row} has no geometry")
        west, south, east, north = geometry.bounds
        if not (-540 <= west <= east <= 540 and -90 <= south <= north <= 90):
            raise DatasetError(
                f"{path}: feature {row} reaches from ({west:.6g}, {south:.6g}) to ({east:.6g}, {north:.6g}), "
                "which are no degrees of longitude and latitude. Convert the file to EPSG:4326."
            )
    return properties, geometries


def feature_ids(path: Path, properties: Sequence[dict[str, Any]], field: str) -> list[str]:
    """The values of a field that names each feature.

    Raises:
        DatasetError: A feature lacks the field, or a value comes twice.
    """
    rows: dict[str, int] = {}
    for row, own in enumerate(properties):
        value = own.get(field)
        if value is None:
            listed = ", ".join(own) or "none"
            raise DatasetError(f'{path}: feature {row} has no "{field}"; its fields are {listed}')
        if str(value) in rows:
            raise DatasetError(
                f'{path}: features {rows[str(value)]} and {row} both have {field} "{value}": choose a field '
                "that is each one's own"
            )
        rows[str(value)] = row
    return list(rows)


def feature_country(properties: dict[str, Any]) -> str | None:
    """The ISO 3166-1 code that boundary files write beside a feature; None if there is none."""
    lower = {name.lower(): value for name, value in properties.items()}
    for field in COUNTRY_FIELDS:
        match = find_country(str(lower.get(field, "")))
        if match.method == "code":
            return match.code
    return _NATURAL_EARTH_CODES.get(str(lower.get("adm0_a3") or lower.get("sr_adm0_a3")))


def joined(geometries: Sequence[BaseGeometry]) -> BaseGeometry:
    """Several geometries of one thing as one, for `clean_polygons`."""
    if len(geometries) == 1:
        return geometries[0]
    return GeometryCollection(shapely.get_parts(list(geometries)).tolist())


def clean_polygons(
    path: Path, names: Sequence[str], geometries: Sequence[BaseGeometry]
) -> list[MultiPolygon]:
    """Make polygons valid, bring them into [-180, 180] and cut them at the date line.

    A line that steps over more than 180° of longitude crosses the date line the short way.

    Args:
        path: Where they come from, for the message.
        names: What each is called, for the message.
        geometries: Polygons and multipolygons, x the longitude within [-540, 540].

    Returns:
        Shells counter-clockwise, holes clockwise.

    Raises:
        DatasetError: A geometry is no polygon, or encloses nothing.
    """
    cleaned = []
    for name, geometry in zip(names, geometries, strict=True):
        parts = shapely.get_parts(geometry)
        others = {part.geom_type for part in parts} - {"Polygon"}
        if others:
            raise DatasetError(f'{path}: "{name}" is a {", ".join(sorted(others))}; boundaries are polygons')
        usual = geometry.geom_type in _POLYGONS and not _is_unusual(geometry)
        whole = geometry if usual else shapely.union_all([_flat(part) for part in parts])
        polygons = [orient(part) for part in _polygons(whole)]
        if not polygons:
            raise DatasetError(f'{path}: "{name}" encloses nothing: mend or remove it')
        cleaned.append(MultiPolygon(polygons))
    return cleaned


def area_km2(shapes: ArrayLike) -> NDArray[np.float64]:
    """Surface of polygons whose edges are straight on the map of longitude and latitude.

    Exact for such edges: the surface between an edge and the equator is the integral of sin(latitude) over
    longitude, and sin's mean along the edge has a closed form (Archimedes' map keeps areas).

    Args:
        shapes: Polygons or multipolygons, shape (n,), valid, x the longitude and y the latitude in degrees;
            one that crosses the date line may be cut there or run on past 180.

    Returns:
        Square kilometres, shape (n,); 0 for an empty shape.
    """
    geometries = np.atleast_1d(np.asarray(shapes, dtype=object))
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    degrees, corner_ring = shapely.get_coordinates(rings, return_index=True)
    xy = np.radians(degrees)
    step, middle = np.diff(xy, axis=0), (xy[1:] + xy[:-1]) / 2
    # The mean of sin over [a, b] is sin((a + b) / 2) * sinc((b - a) / 2); NumPy's sinc takes halves of pi.
    under = step[:, 0] * np.sin(middle[:, 1]) * np.sinc(step[:, 1] / (2 * np.pi))
    same = corner_ring[1:] == corner_ring[:-1]
    ring_area = np.abs(np.bincount(corner_ring[:-1][same], under[same], minlength=len(rings)))
    # The first ring of each part is its shell, the others are holes.
    shell = np.diff(ring_part, prepend=-1) != 0
    signed = np.where(shell, ring_area, -ring_area)
    total = np.bincount(part_owner[ring_part], signed, minlength=len(geometries))
    return np.asarray(total * EARTH_RADIUS_KM**2, dtype=np.float64)


def flat_ring(ring: NDArray[np.float64]) -> BaseGeometry:
    """The area within one ring on a flat map from -180 to 180.

    A ring may jump from 180 to -180, reach beyond the map, or go once around a pole. It is unrolled, closed
    over the pole if it goes around it, and what sticks out is moved back.

    Args:
        ring: Longitude and latitude, (n, 2), the last the same as the first.
    """
    steps = np.diff(ring[:, 0])
    turns = np.concatenate([[0.0], np.cumsum(-360.0 * np.sign(steps) * (np.abs(steps) > 180))])
    unrolled = np.column_stack([ring[:, 0] + turns, ring[:, 1]])
    if np.ptp(unrolled[:, 0]) == 0:
        # Nothing is left of a band around the whole globe.
        unrolled = ring
    elif turns[-1] != 0:
        pole = np.copysign(90.0, ring[:, 1].mean())
        unrolled = np.vstack([unrolled, [unrolled[-1, 0], pole], [unrolled[0, 0], pole]])
    if len(unrolled) < 4:
        return Polygon()
    area = shapely.make_valid(Polygon(unrolled))
    sheets = []
    for shift in range(-720, 721, 360):
        sheet = shapely.intersection(area, box(-180.0 - shift, -90.0, 180.0 - shift, 90.0))
        sheets.append(shapely.transform(sheet, lambda xy, by=shift: xy + np.array([by, 0.0])))
    return shapely.union_all(sheets)


def _is_unusual(geometry: BaseGeometry) -> bool:
    """Whether a geometry is invalid, reaches beyond the map, or steps over half of it."""
    west, _, east, _ = geometry.bounds
    if west < -180 or east > 180 or not geometry.is_valid:
        return True
    rings = shapely.get_rings(shapely.get_parts(geometry))
    xy, line = shapely.get_coordinates(rings, return_index=True)
    far = np.abs(np.diff(xy[:, 0])) > 180
    return bool((far & (line[1:] == line[:-1])).any())


def _flat(polygon: Polygon) -> BaseGeometry:
    rings = [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
    area = flat_ring(rings[0])
    for ring in rings[1:]:
        area = shapely.difference(area, flat_ring(ring))
    return area


def _polygons(geometry: BaseGeometry) -> Iterator[Polygon]:
    """The polygons of a geometry; lines and points left over from mending are dropped."""
    for part in shapely.get_parts(shapely.get_parts(geometry)):
        if part.geom_type == "Polygon" and part.area > 0:
            yield part


def _read_geojson(path: Path) -> tuple[list[dict[str, Any]], list[BaseGeometry]]:
    try:
        collection = json.loads(path.read_text(encoding="utf-8-sig"))
        features = collection["features"]
        crs = collection.get("crs") or {}
        if crs and not any(name in str(crs) for name in _DEGREES):
            raise DatasetError(f"{path} has the coordinates {crs}: convert it to EPSG:4326")
        found = [feature["geometry"] for feature in features]
        texts = [None if geometry is None else json.dumps(geometry) for geometry in found]
        properties = [dict(feature.get("properties") or {}) for feature in features]
        return properties, shapely.from_geojson(texts).tolist()
    except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.GEOSException) as error:
        raise DatasetError(
            f"{path} is neither GeoParquet nor a GeoJSON FeatureCollection ({error!r})"
        ) from None


def _read_geoparquet(path: Path) -> tuple[list[dict[str, Any]], list[BaseGeometry]]:
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {}).get(b"geo", b"{}"))
        column = about.get("primary_column", "geometry")
        if column not in table.column_names:
            raise DatasetError(f'{path} has no column "{column}": write the shapes there, as WKB')
        crs = about.get("columns", {}).get(column, {}).get("crs")
        # Without one, GeoParquet means longitude and latitude.
        if crs and not any(name in str(crs.get("id", crs)) for name in _DEGREES):
            raise DatasetError(f"{path} has other coordinates than degrees: convert it to EPSG:4326")
        geometries = shapely.from_wkb(table[column].to_pylist()).tolist()
        return table.drop_columns([column]).to_pylist(), geometries
    except (ValueError, TypeError, pa.ArrowException, shapely.errors.GEOSException) as error:
        raise DatasetError(f"{path} is no readable GeoParquet file ({error!r})") from None
