"""Builds the packed country boundaries and outlines from world-atlas (Natural Earth as TopoJSON).

Run it again only to take up another version of the source:

    npm pack world-atlas@2.0.2
    python scripts/build_boundaries.py world-atlas-2.0.2.tgz

It writes ``src/lostfound/geo/data/countries.parquet`` (1:50m) and ``outlines.parquet`` (1:110m), both
GeoParquet with one row per country: ``code`` (ISO 3166-1 alpha-2, Kosovo ``XK``) and ``geometry`` (WKB).

What it decides, and why:

* Natural Earth draws some places inside another country that have an ISO 3166-1 code of their own (Réunion
  inside France). They are given that code (``SPLITS``), so that a photo labelled by its coordinates agrees
  with one labelled "Réunion".
* Natural Earth draws control on the ground. Here borders follow ISO 3166, as country codes do, and where ISO
  is silent, who administers the place (``UNNUMBERED``, the last of ``SPLITS``, ``CUTS``).
* What is missing or badly misplaced at 1:50m is taken from 1:10m (``REDRAWN``) or moved (``MOVED``); small
  islands and enclaves too, and border towns are given to their country (``boundary_places``).

Then run `scripts/build_pieces.py`.
"""

import argparse
import hashlib
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pycountry
import shapely
from boundary_places import missing_parts, spots, town_parts
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

SHA256 = "032e7765f2ce00edaeafec23ff22bc3b77e42987c257da944cc585b452c05b97"
DATA = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "geo" / "data"
# 11 m: far below the source's own grid (0.0036° of longitude, 0.0017° of latitude).
DECIMALS = 4

# (country it is drawn in, box that holds the whole part: west, south, east, north, its ISO code)
SPLITS = (
    ("FR", (-55.0, 2.0, -51.0, 6.5), "GF"),
    ("FR", (-61.9, 15.7, -60.9, 16.6), "GP"),
    ("FR", (-61.3, 14.3, -60.7, 15.0), "MQ"),
    ("FR", (55.0, -21.5, 56.0, -20.7), "RE"),
    ("FR", (44.9, -13.1, 45.4, -12.6), "YT"),
    ("NO", (10.0, 74.0, 34.0, 81.0), "SJ"),
    ("NO", (-10.0, 70.5, -7.0, 71.5), "SJ"),
    ("NO", (3.0, -55.0, 4.0, -54.0), "BV"),
    ("NL", (-68.6, 11.9, -68.0, 12.5), "BQ"),
    ("NL", (-63.4, 17.3, -62.8, 17.8), "BQ"),
    ("NZ", (-173.0, -10.0, -171.0, -8.0), "TK"),
    # Christmas Island and the Cocos Islands are one feature without a number.
    ("CX", (96.0, -13.0, 97.5, -11.0), "CC"),
    # ISO 3166-2 lists Crimea and Sevastopol under Ukraine.
    ("RU", (32.0, 44.0, 37.0, 46.5), "UA"),
)
# The same, for what is not a part of its own. Western Sahara begins at 27°40' N.
CUTS = (("MA", (-17.5, 20.5, -8.6, 27 + 40 / 60), "EH"),)
UNNUMBERED = {
    "Kosovo": "XK",
    "N. Cyprus": "CY",
    "Somaliland": "SO",
    "Indian Ocean Ter.": "CX",
    "Siachen Glacier": "IN",
    # At 1:10m.
    "Bajo Nuevo Bank": "CO",
    "Clipperton I.": "FR",
    "Coral Sea Is.": "AU",
    "Serranilla Bank": "CO",
}
# (code, box that holds the wanted parts). Hong Kong and Macao are drawn afresh; between their old shape and
# their new one nothing is drawn, and the nearest country counts.
WORLD = (-180.0, -90.0, 180.0, 90.0)
REDRAWN = (
    ("BV", WORLD),
    ("GI", WORLD),
    ("TV", WORLD),
    ("UM", WORLD),
    ("ES", (-5.5, 35.0, -2.0, 36.0)),  # Ceuta and Melilla
    ("HK", WORLD),
    ("MO", WORLD),
)
# (code, its true middle: longitude, latitude, the country around it). 1:50m has St Peter's in Italy, and
# 1:10m loses the Vatican altogether to the file's grid.
MOVED = (("VA", (12.4525, 41.9038), "IT"),)

Shapes = dict[str, list[Polygon]]


def decode_arcs(topology: dict) -> list[NDArray[np.float64]]:
    """The shared lines of a quantised TopoJSON as arrays of (longitude, latitude)."""
    scale = np.array(topology["transform"]["scale"])
    translate = np.array(topology["transform"]["translate"])
    return [np.cumsum(np.array(arc), axis=0) * scale + translate for arc in topology["arcs"]]


def ring_points(arcs: list[NDArray[np.float64]], indices: list[int]) -> NDArray[np.float64]:
    """Join the arcs of one ring; a negative index is an arc taken backwards (its bitwise complement)."""
    lines = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.concatenate([lines[0], *(line[1:] for line in lines[1:])])


def flat_polygon(ring: NDArray[np.float64]) -> BaseGeometry:
    """The area within one ring on a flat map from -180 to 180.

    world-atlas has no cut at the date line: a ring jumps from 180 to -180, or goes once around the pole.
    The ring is unrolled, closed over the pole if it goes around it, and what sticks out is moved back.
    """
    steps = np.diff(ring[:, 0])
    turns = np.concatenate(
        [[0.0], np.cumsum(np.where(steps > 180, -360.0, np.where(steps < -180, 360.0, 0.0)))]
    )
    unrolled = np.column_stack([ring[:, 0] + turns, ring[:, 1]])
    if turns[-1] != 0:
        pole = np.copysign(90.0, ring[:, 1].mean())
        unrolled = np.vstack([unrolled, [unrolled[-1, 0], pole], [unrolled[0, 0], pole]])
    if len(unrolled) < 4:
        return Polygon()
    area = shapely.make_valid(Polygon(unrolled))
    sheets = []
    for shift in (-360.0, 0.0, 360.0):
        sheet = shapely.intersection(area, box(-180.0 - shift, -90.0, 180.0 - shift, 90.0))
        sheets.append(shapely.transform(sheet, lambda xy, s=shift: xy + np.array([s, 0.0])))
    return shapely.union_all(sheets)


def polygons(geometry: BaseGeometry) -> list[Polygon]:
    """The polygons of a geometry; lines and points left over from mending are dropped."""
    return [
        part
        for part in shapely.get_parts(shapely.get_parts(geometry)).tolist()
        if part.geom_type == "Polygon" and not part.is_empty
    ]


def feature_polygons(feature: dict, arcs: list[NDArray[np.float64]]) -> Iterator[Polygon]:
    """The valid polygons of one feature."""
    parts = [feature["arcs"]] if feature["type"] == "Polygon" else feature["arcs"]
    for part in parts:
        rings = [ring_points(arcs, indices) for indices in part]
        # A ring along the pole itself bounds nothing: it is the seam that a flat map needs there.
        rings = [ring for ring in rings if np.abs(ring[:, 1]).min() < 89.9]
        # Even-odd, because holes come as rings and the ring around a pole may come as a hole.
        area = flat_polygon(rings[0])
        for ring in rings[1:]:
            area = shapely.symmetric_difference(area, flat_polygon(ring))
        yield from polygons(area)


def feature_code(feature: dict, codes: dict[str, str]) -> str | None:
    """ISO code of a feature, None for the reefs and bases that no code covers."""
    if "id" in feature:
        return codes[feature["id"]]
    return UNNUMBERED.get(feature["properties"]["name"])


def split_code(code: str, part: Polygon) -> str:
    """The code of the part's own territory, or the country's."""
    for owner, bounds, own in SPLITS:
        if code == owner and box(*bounds).contains(part):
            return own
    return code


def countries(topology: dict) -> Shapes:
    """All polygons of a world-atlas file by ISO code."""
    codes = {country.numeric: country.alpha_2 for country in pycountry.countries}
    arcs = decode_arcs(topology)
    shapes: Shapes = defaultdict(list)
    for feature in topology["objects"]["countries"]["geometries"]:
        code = feature_code(feature, codes)
        if code is None:
            continue
        for part in feature_polygons(feature, arcs):
            shapes[split_code(code, part)].append(part)
    return shapes


def merge(parts: Iterable[Polygon], decimals: int) -> MultiPolygon:
    """One valid, rounded geometry with counter-clockwise shells (RFC 7946)."""
    area = shapely.union_all(list(parts))
    area = shapely.make_valid(shapely.transform(area, lambda xy: xy.round(decimals)))
    return MultiPolygon([orient(part) for part in polygons(area)])


def cut(shapes: Shapes) -> None:
    """Give what ``CUTS`` names to its own country."""
    for owner, bounds, code in CUTS:
        area = box(*bounds)
        taken = polygons(shapely.intersection(shapely.union_all(shapes[owner]), area))
        shapes[owner] = polygons(shapely.difference(shapely.union_all(shapes[owner]), area))
        shapes[code] = [*shapes[code], *taken]


def insert(shapes: Shapes, code: str, added: list[Polygon]) -> None:
    """Add polygons to a country, and cut them out of all others."""
    area = shapely.union_all(added)
    for other, parts in shapes.items():
        shapes[other] = [
            piece
            for part in parts
            for piece in (polygons(shapely.difference(part, area)) if part.intersects(area) else [part])
        ]
    shapes[code] = [*shapes.get(code, []), *added]


def redraw(shapes: Shapes, finer: Shapes) -> None:
    """Take what ``REDRAWN`` names from ``finer``, and put what ``MOVED`` names in its place."""
    for code, bounds in REDRAWN:
        if bounds == WORLD:
            shapes.pop(code, None)
        insert(shapes, code, [part for part in finer[code] if box(*bounds).contains(part)])
    for code, (longitude, latitude), host in MOVED:
        drawn = shapes.pop(code)
        middle = shapely.union_all(drawn).centroid
        shift = np.array([longitude - middle.x, latitude - middle.y])
        # The hole left behind must be closed before the new one is cut.
        shapes[host] = polygons(shapely.union_all([*shapes[host], *drawn]))
        insert(shapes, code, [shapely.transform(part, lambda xy, by=shift: xy + by) for part in drawn])


def complete(shapes: Shapes, finer: Shapes) -> dict[str, MultiPolygon]:
    """Add the islands, enclaves and towns that are missing, and say which places stay in another country."""
    for code, parts in (*missing_parts(shapes, finer).items(), *spots().items()):
        insert(shapes, code, parts)
    while True:
        merged = {code: merge(shapes[code], DECIMALS) for code in sorted(shapes)}
        towns, left = town_parts(list(merged), list(merged.values()))
        if not towns:
            print("left, GeoNames' country first:", *left, sep="\n  ")
            return merged
        # What is given to one may be what another town's land was nearest to, so they are looked at again.
        for code, parts in towns.items():
            insert(shapes, code, parts)


def write(path: Path, geometries: dict[str, MultiPolygon], source: str) -> None:
    """Write GeoParquet 1.1: code and WKB."""
    codes = sorted(geometries)
    table = pa.table(
        {
            "code": pa.array(codes, pa.string()),
            "geometry": pa.array([shapely.to_wkb(geometries[code]) for code in codes], pa.binary()),
        }
    )
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["MultiPolygon"]}},
    }
    table = table.replace_schema_metadata({"geo": json.dumps(geo), "source": source})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=22)
    vertices = sum(int(shapely.get_num_coordinates(shape)) for shape in geometries.values())
    print(f"{path.name}: {len(codes)} countries, {vertices} vertices, {path.stat().st_size} bytes")


def main() -> None:
    """Read the tarball, check it, write the two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tarball", type=Path, help="world-atlas-2.0.2.tgz, from npm pack")
    tarball: Path = parser.parse_args().tarball
    found = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{tarball} is not world-atlas 2.0.2: its sha256 is {found}, not {SHA256}")
    topologies = {}
    with tarfile.open(tarball) as archive:
        for scale in ("10m", "50m", "110m"):
            member = archive.extractfile(f"package/countries-{scale}.json")
            if member is None:
                raise SystemExit(f"{tarball} holds no countries-{scale}.json")
            topologies[scale] = json.load(member)

    shapes, finer = countries(topologies["50m"]), countries(topologies["10m"])
    cut(shapes)
    redraw(shapes, finer)
    missing = {country.alpha_2 for country in pycountry.countries} - shapes.keys()
    if missing:
        raise SystemExit(f"no boundary for {sorted(missing)}: extend SPLITS or REDRAWN")
    source = f"world-atlas 2.0.2 (sha256 {SHA256}), Natural Earth"
    write(DATA / "countries.parquet", complete(shapes, finer), f"{source} 1:50m")
    outlines = countries(topologies["110m"])
    cut(outlines)
    write(DATA / "outlines.parquet", {c: merge(p, 2) for c, p in outlines.items()}, f"{source} 1:110m")


if __name__ == "__main__":
    main()
