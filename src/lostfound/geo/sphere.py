"""Distances and moves on the Earth taken as a sphere, and what a distance scores in GeoGuessr.

Points are (latitude, longitude) in decimal degrees, arrays of shape (..., 2); longitudes that are returned
lie in [-180, 180).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG). Peers use 6371 and 6378.137 km: up to 0.11 % apart."""

KM_PER_DEGREE = 111.0
"""Where a source counts distances in degrees: GeoTrainr has 10 degrees for 1110 km."""

SCORE_SCALE_KM = 1492.7
"""The score on the world map falls to 1/e at this distance."""

_NULL_ISLAND_DEG = 1e-4
"""So near to (0, 0), a buoy in the Gulf of Guinea, no photo is taken: it stands for no place."""


def as_points(points: ArrayLike, *, unknown: bool = False) -> NDArray[np.float64]:
    """Take coordinates as an array, if they are ones.

    Args:
        points: Shape (n, 2), (latitude, longitude) in degrees.
        unknown: Whether rows with NaN, of places that are not known, are let through.

    Returns:
        The points, float64 (n, 2).

    Raises:
        ValueError: The shape is another, a latitude lies outside [-90, 90] or a longitude outside
            [-180, 180], or a value is NaN (unless ``unknown``) or infinite; the message names the first row.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"points must have shape (n, 2) as (latitude, longitude), got {array.shape}")
    # NaN is never out of range.
    wrong = (np.abs(array[:, 0]) > 90.0) | (np.abs(array[:, 1]) > 180.0)
    missing = np.isnan(array).any(axis=1)
    bad = wrong if unknown else wrong | missing
    if bad.any():
        row = int(np.argmax(bad))
        count = int(bad.sum())
        others = f" (and {count - 1} more rows)" if count > 1 else ""
        raise ValueError(f"row {row} is no coordinate: {_what_is_wrong(*array[row].tolist())}{others}")
    return array


def haversine_km(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Great-circle distance by the haversine formula, one to one.

    Right to 1e-9 of itself at any distance: near antipodes, where the arcsine of the square root loses half
    the digits, the same angle is taken from its tangent.

    Args:
        a: Points (..., 2), degrees.
        b: Points (..., 2), degrees; broadcast against ``a``.

    Returns:
        Kilometres, shape (...); NaN where a coordinate is NaN.

    Raises:
        ValueError: The last axis of an argument is not 2.
    """
    first, second = np.broadcast_arrays(_degrees(a), _degrees(b))
    return _haversine(first[..., 0], first[..., 1], second[..., 0], second[..., 1])


def pairwise_km(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Great-circle distances between all pairs of two lists of points.

    Args:
        a: Points (n, 2), degrees.
        b: Points (m, 2), degrees.

    Returns:
        Kilometres, shape (n, m).

    Raises:
        ValueError: An argument is not of shape (n, 2).
    """
    first, second = _degrees_of_list(a), _degrees_of_list(b)
    return _haversine(first[:, None, 0], first[:, None, 1], second[None, :, 0], second[None, :, 1])


def chord(distance_km: float) -> float:
    """A great-circle distance as a straight line through the unit sphere, 0 to 2."""
    return float(2 * np.sin(min(distance_km / EARTH_RADIUS_KM / 2, np.pi / 2)))


def unit_vectors(points: ArrayLike) -> NDArray[np.float64]:
    """Turn points (..., 2) into unit vectors (..., 3): x to (0°, 0°), y to (0°, 90° E), z to the North Pole.

    Raises:
        ValueError: The last axis is not 2.
    """
    radians = np.radians(_degrees(points))
    latitude, longitude = radians[..., 0], radians[..., 1]
    level = np.cos(latitude)
    return np.stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)], axis=-1)


def from_unit_vectors(vectors: ArrayLike) -> NDArray[np.float64]:
    """Turn vectors (..., 3) of any length above zero into points (..., 2).

    Raises:
        ValueError: The last axis is not 3.
    """
    xyz = np.asarray(vectors, dtype=np.float64)
    if xyz.ndim == 0 or xyz.shape[-1] != 3:
        raise ValueError(f"vectors must have shape (..., 3), got {xyz.shape}")
    x, y, z = xyz[..., 0], xyz[..., 1], xyz[..., 2]
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return np.stack([latitude, wrap_longitude(np.degrees(np.arctan2(y, x)))], axis=-1)


def destination(points: ArrayLike, bearing_deg: ArrayLike, distance_km: ArrayLike) -> NDArray[np.float64]:
    """Points reached along a great circle.

    Args:
        points: Starts (..., 2), degrees.
        bearing_deg: Initial bearing, degrees clockwise from north. At a pole, where every way leads the same
            direction, it counts from the meridian of the start's longitude.
        distance_km: Kilometres along the circle.

    Returns:
        Points, the shape of the arguments broadcast, with a last axis of 2.

    Raises:
        ValueError: The last axis of ``points`` is not 2.
    """
    starts = _degrees(points)
    latitude, longitude = np.radians(starts[..., 0]), np.radians(starts[..., 1])
    bearing = np.radians(np.asarray(bearing_deg, dtype=np.float64))
    angle = np.asarray(distance_km, dtype=np.float64) / EARTH_RADIUS_KM
    sin_lat, cos_lat = np.sin(latitude), np.cos(latitude)
    sin_lon, cos_lon = np.sin(longitude), np.cos(longitude)
    north = np.stack([-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat], axis=-1)
    east = np.stack([-sin_lon, cos_lon, np.zeros_like(sin_lon)], axis=-1)
    heading = np.cos(bearing)[..., None] * north + np.sin(bearing)[..., None] * east
    ahead = np.cos(angle)[..., None] * unit_vectors(starts) + np.sin(angle)[..., None] * heading
    return from_unit_vectors(ahead)


def offsets_km(starts: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """How far great circles lead from starts to points, to the north and to the east.

    Undoes `destination`: its length is the distance, its direction the initial bearing.

    Args:
        starts: Shape (..., 2), degrees.
        points: Shape (..., 2), degrees; broadcast against ``starts``.

    Returns:
        Shape (..., 2), kilometres to the north and to the east at the start.
    """
    starts, points = np.broadcast_arrays(_degrees(starts), _degrees(points))
    latitude, longitude = np.radians(starts[..., 0]), np.radians(starts[..., 1])
    sin, cos = np.sin, np.cos
    north = np.stack(
        [-sin(latitude) * cos(longitude), -sin(latitude) * sin(longitude), cos(latitude)], axis=-1
    )
    east = np.stack([-sin(longitude), cos(longitude), np.zeros_like(longitude)], axis=-1)
    vectors = unit_vectors(points)
    along = np.stack([(vectors * north).sum(axis=-1), (vectors * east).sum(axis=-1)], axis=-1)
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    direction = np.divide(along, length, out=np.zeros_like(along), where=length > 0)
    return np.asarray(direction * haversine_km(starts, points)[..., None])


def geoguessr_score(distance_km: ArrayLike) -> NDArray[np.float64]:
    """The GeoGuessr score of each guess on the world map, 0 to 5000, not rounded."""
    return np.asarray(5000 * np.exp(-np.asarray(distance_km, dtype=np.float64) / SCORE_SCALE_KM))


def wrap_longitude(longitude: ArrayLike) -> NDArray[np.float64]:
    """Bring longitudes (degrees, any shape) into [-180, 180); those already there keep every bit."""
    degrees = np.asarray(longitude, dtype=np.float64)
    wrapped = np.mod(degrees + 180.0, 360.0) - 180.0
    # The remainder of a tiny negative number rounds up to 360 itself.
    wrapped = np.where(wrapped >= 180.0, -180.0, wrapped)
    return np.where((degrees >= -180.0) & (degrees < 180.0), degrees, wrapped)


def is_coordinate(latitude: ArrayLike, longitude: ArrayLike) -> NDArray[np.bool_]:
    """Whether each pair is a place: finite, latitude in [-90, 90], longitude in [-180, 180).

    Args:
        latitude: Degrees, any shape.
        longitude: Degrees; broadcast against ``latitude``. Use `wrap_longitude` first where 180 may occur.

    Returns:
        Booleans, the shape of the arguments broadcast.
    """
    lat = np.asarray(latitude, dtype=np.float64)
    lon = np.asarray(longitude, dtype=np.float64)
    # Comparisons with NaN are False, and the infinities fall outside.
    valid: NDArray[np.bool_] = (np.abs(lat) <= 90.0) & (lon >= -180.0) & (lon < 180.0)
    return valid


def location_problem(latitude: float | None, longitude: float | None) -> str | None:
    """Why a pair of coordinates is no place, or None if it is one: the rule for all ways into a data set.

    Args:
        latitude: Degrees; None where it is not given.
        longitude: Degrees, up to 180 itself; None where it is not given.
    """
    if latitude is None and longitude is None:
        return "no location: no coordinates"
    if latitude is None or longitude is None:
        return "no location: only half of the coordinates"
    if latitude != latitude or longitude != longitude:
        return "no location: coordinates are not a number"
    if abs(latitude) > 90 or abs(longitude) > 180:
        return f"no location: coordinates out of range ({latitude}, {longitude})"
    if max(abs(latitude), abs(longitude)) < _NULL_ISLAND_DEG:
        return "no location: both coordinates are zero"
    return None


def _what_is_wrong(latitude: float, longitude: float) -> str:
    if np.isnan(latitude) or np.isnan(longitude):
        return f"latitude {latitude}, longitude {longitude}, where a number is missing"
    if abs(latitude) > 90:
        return f"latitude {latitude} lies outside [-90, 90]"
    return f"longitude {longitude} lies outside [-180, 180]"


def _haversine(
    lat_a: NDArray[np.float64],
    lon_a: NDArray[np.float64],
    lat_b: NDArray[np.float64],
    lon_b: NDArray[np.float64],
) -> NDArray[np.float64]:
    # Differences are taken in degrees, where near points lose nothing.
    half_height = np.radians(lat_b - lat_a) / 2
    half_width = np.radians(lon_b - lon_a) / 2
    middle = np.radians(lat_a + lat_b) / 2
    across = np.sin(half_width) ** 2
    along = np.cos(half_width) ** 2
    inner = np.sin(half_height) ** 2 * along + np.cos(middle) ** 2 * across
    # 1 - inner, from terms that are never negative.
    outer = np.cos(half_height) ** 2 * along + np.sin(middle) ** 2 * across
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arctan2(np.sqrt(inner), np.sqrt(outer))
    return distance


def _degrees_of_list(points: ArrayLike) -> NDArray[np.float64]:
    array = _degrees(points)
    if array.ndim != 2:
        raise ValueError(f"points must have shape (n, 2) as (latitude, longitude), got {array.shape}")
    return array


def _degrees(points: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 2:
        raise ValueError(f"points must have shape (..., 2) as (latitude, longitude), got {array.shape}")
    return array
