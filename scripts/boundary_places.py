"""What a map of the countries at 1:50m lacks, for `build_boundaries`: islands, enclaves, towns on borders.

Islands and enclaves are 1:10m's (`missing_parts`), or discs about a few that it lacks too (`spots`). A border
town that is still drawn in another country is given back by GeoNames' places (`town_parts`): within a town's
reach of it, what is nearest to a place of its country belongs to that country. So no place that was right
becomes wrong.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPoint, Point, Polygon, box

from lostfound.geo.boundaries import Boundaries
from lostfound.geo.nearest import Segments
from lostfound.geo.sphere import haversine_km

DATA = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "geo" / "data"
# A part of 1:10m is missing at 1:50m if its country there covers less than this share of it.
_DRAWN = 0.1
# 0.1 km² at the equator: what is smaller and lies in another country is a sliver between two drawings.
_SLIVER = 8e-6
# Where GeoNames and the packed borders follow different rules (GeoNames' country, theirs), or GeoNames errs:
# parishes of Macao as China's, Kafia Kingi. The borders stay.
DISPUTED = frozenset({("IL", "PS"), ("SY", "IL"), ("MA", "EH"), ("SS", "SD"), ("GB", "CY"), ("CN", "MO")})
# Israel's towns beside the Green Line, which 1:50m draws up to 3 km too far west.
UNDISPUTED = frozenset(
    {
        *("Bat H̱efer", "Baẖan", "Eṭ Ṭaiyiba", "Jatt", "Kafr Barā", "Kafr Qāsim", "Kokhav Ya’ir", "Maggal"),
        *("Matan", "Modi‘in Makkabbim Re‘ut", "Sha‘alvim", "Tsur Itshak", "Yarẖiv", "Zemer"),
    }
)
# Islands that two countries claim: they stay with the one that administers them.
DISPUTED_ISLANDS = frozenset({"Abū Mūsá", "Hoàng Sa"})
# Without a place of GeoNames: (code, latitude, longitude, radius in km).
SPOTS = (
    ("BA", 43.55, 19.43, 1.2),  # Međurječje
    ("BD", 26.30, 88.95, 2.0),  # Dahagram-Angarpota
    ("BE", 51.4413, 4.9302, 0.4),  # Baarle-Hertog's largest piece
    ("KG", 40.665, 72.76, 1.2),  # Barak
    ("RU", 52.48, 31.57, 1.5),  # Sankovo-Medvezhye
    ("AG", 16.938, -62.346, 0.8),  # Redonda
    ("ES", 35.94, -3.035, 0.4),  # Alborán
    ("HR", 42.393, 16.259, 0.8),  # Palagruža
    ("IS", 67.132, -18.684, 0.2),  # Kolbeinsey
    ("JP", 20.423, 136.08, 1.0),  # Okinotorishima
    ("TW", 20.703, 116.73, 2.0),  # Pratas
    ("VN", 20.133, 107.727, 1.2),  # Bạch Long Vĩ
)
# Farther inside another country, a place is an error of GeoNames, or of the rules above.
_FARTHEST_KM = 10.0
# A town's reach: that of so many people to the square kilometre, at least 1 km, and to its own country.
_PEOPLE_PER_KM2 = 2500.0
_LEAST_KM, _BEYOND_KM = 1.0, 0.5
_KM_PER_DEGREE = 111.2

Shapes = dict[str, list[Polygon]]


def missing_parts(shapes: Mapping[str, Sequence[Polygon]], finer: Mapping[str, Sequence[Polygon]]) -> Shapes:
    """The islands and enclaves of a finer drawing that a coarser one lacks."""
    parts = [part for own in shapes.values() for part in own]
    owners = [code for code, own in shapes.items() for _ in own]
    tree = shapely.STRtree(parts)
    missing: Shapes = defaultdict(list)
    for code, own in finer.items():
        for part in own:
            met = tree.query(part, predicate="intersects")
            others = any(owners[each] != code for each in met)
            drawn = sum(part.intersection(parts[each]).area for each in met if owners[each] == code)
            if drawn < _DRAWN * part.area and not (others and part.area < _SLIVER):
                missing[code].append(part)
    return dict(missing)


def spots() -> Shapes:
    """The enclaves and islets of `SPOTS`."""
    parts: Shapes = defaultdict(list)
    for code, latitude, longitude, radius in SPOTS:
        scale = _scale(latitude)
        disc = Point((longitude, latitude) * scale).buffer(radius / _KM_PER_DEGREE, quad_segs=4)
        parts[code].append(shapely.transform(disc, lambda xy, by=scale: xy / by))
    return dict(parts)


def town_parts(codes: list[str], shapes: list[shapely.MultiPolygon]) -> tuple[Shapes, list[str]]:
    """What belongs to countries around places that are drawn in another one, or nowhere.

    Args:
        codes: The countries.
        shapes: As they are drawn.

    Returns:
        The parts of each country, which overlap no other's; and the places that were left, in words.
    """
    table = pq.read_table(DATA / "places.parquet")
    points = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    countries = np.array([region.split(".")[0] for region in table["region"].to_pylist()], dtype=object)
    people, names = table["population"].to_numpy(), table["name"].to_pylist()
    drawn = Boundaries(codes, shapes)
    found, on_land = drawn.country_at(points), drawn.index_at(points, max_distance_km=0) >= 0
    parts: Shapes = defaultdict(list)
    left = []
    for row in np.flatnonzero(found != countries):
        code = countries[row]
        own = Segments.of(np.array([shapes[codes.index(code)]], dtype=object))
        off = float(haversine_km(points[row], own.nearest(points[[row]])[0][0]))
        disputed = (code, found[row]) in DISPUTED and names[row] not in UNDISPUTED
        disputed |= names[row] in DISPUTED_ISLANDS
        if disputed or (on_land[row] and off > _FARTHEST_KM):
            where = f"({points[row, 0]:.4f}, {points[row, 1]:.4f})"
            left.append(f"{names[row]} {where}: {code}, {found[row]}, {off:.1f} km")
            continue
        reach = max(_LEAST_KM, float(np.sqrt(people[row] / _PEOPLE_PER_KM2 / np.pi)))
        if on_land[row]:
            reach = max(reach, off + _BEYOND_KM)
        parts[code] += _nearest_own(points[row], reach, points, countries == code)
    return dict(parts), left


def _nearest_own(
    centre: NDArray[np.float64], reach_km: float, points: NDArray[np.float64], own: NDArray[np.bool_]
) -> list[Polygon]:
    """Where within reach of a place the nearest place is of its own country."""
    scale = _scale(centre[0])
    flat, middle, radius = points[:, ::-1] * scale, centre[::-1] * scale, reach_km / _KM_PER_DEGREE
    disc = Point(middle).buffer(radius, quad_segs=6)
    near = np.flatnonzero(np.hypot(*(flat - middle).T) < 4 * radius)
    spots, first = np.unique(flat[near], axis=0, return_index=True)
    area = disc
    if len(spots) > 1:
        frame = box(*(middle - 9 * radius), *(middle + 9 * radius))
        cells = shapely.get_parts(shapely.voronoi_polygons(MultiPoint(spots), extend_to=frame))
        spot, cell = shapely.STRtree(cells).query(shapely.points(spots), predicate="intersects")
        mine = cells[cell[own[near[first]][spot]]]
        area = shapely.intersection(disc, shapely.union_all(mine))
    back = shapely.transform(area, lambda xy: xy / scale)
    return [part for part in shapely.get_parts(back).tolist() if isinstance(part, Polygon)]


def _scale(latitude: float) -> NDArray[np.float64]:
    """What longitude and latitude are multiplied with, so that a map is true to shape there."""
    return np.array([np.cos(np.radians(latitude)), 1.0])
