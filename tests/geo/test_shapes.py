import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box, mapping

from lostfound.errors import DatasetError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.shapes import area_km2, clean_polygons, read_features
from lostfound.geo.sphere import EARTH_RADIUS_KM


def geojson(path, *features, **members):
    """Write (properties, geometry) pairs."""
    listed = [
        {
            "type": "Feature",
            "properties": properties,
            "geometry": None if geometry is None else mapping(geometry),
        }
        for properties, geometry in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": listed, **members}))
    return path


def geoparquet(path, codes, geometries, crs="absent", column="geometry"):
    about = {"version": "1.1.0", "primary_column": column, "columns": {column: {"encoding": "WKB"}}}
    if crs != "absent":
        about["columns"][column]["crs"] = crs
    table = pa.table({"code": codes, column: shapely.to_wkb(geometries)})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(about)}), path)
    return path


def clean(geometry):
    (cleaned,) = clean_polygons("file", ["it"], [geometry])
    assert cleaned.is_valid
    assert -180 <= cleaned.bounds[0] <= cleaned.bounds[2] <= 180
    assert all(part.exterior.is_ccw for part in cleaned.geoms)
    return cleaned


# What a file may hold, and the flat polygon it means.
CASES = {
    "plain": (box(0, 0, 2, 1), box(0, 0, 2, 1)),
    "clockwise": (Polygon([(0, 0), (0, 1), (2, 1), (2, 0)]), box(0, 0, 2, 1)),
    "bow tie": (
        Polygon([(0, 0), (2, 2), (2, 0), (0, 2)]),
        MultiPolygon([Polygon([(0, 0), (1, 1), (0, 2)]), Polygon([(2, 0), (2, 2), (1, 1)])]),
    ),
    "spike": (Polygon([(0, 0), (2, 0), (2, 1), (5, 1), (2, 1), (0, 1)]), box(0, 0, 2, 1)),
    "overlapping parts": (MultiPolygon([box(0, 0, 2, 1), box(1, 0, 3, 1)]), box(0, 0, 3, 1)),
    "hole": (box(0, 0, 4, 4).difference(box(1, 1, 2, 2)), box(0, 0, 4, 4).difference(box(1, 1, 2, 2))),
    "over 180, unrolled": (box(175, 0, 190, 5), MultiPolygon([box(175, 0, 180, 5), box(-180, 0, -170, 5)])),
    "under -180": (box(-190, 0, -175, 5), MultiPolygon([box(170, 0, 180, 5), box(-180, 0, -175, 5)])),
    "all beyond": (box(185, 0, 190, 5), box(-175, 0, -170, 5)),
    "jumps at 180": (
        Polygon([(175, 0), (-170, 0), (-170, 5), (175, 5)]),
        MultiPolygon([box(175, 0, 180, 5), box(-180, 0, -170, 5)]),
    ),
    "jumps at 180, with a hole": (
        Polygon([(175, 0), (-170, 0), (-170, 5), (175, 5)], [[(178, 1), (178, 2), (-178, 2), (-178, 1)]]),
        MultiPolygon([box(175, 0, 180, 5), box(-180, 0, -170, 5)]).difference(
            MultiPolygon([box(178, 1, 180, 2), box(-180, 1, -178, 2)])
        ),
    ),
    "around the South Pole": (
        Polygon([(-180, -70), (-90, -70), (0, -70), (90, -70), (179, -70)]),
        box(-180, -90, 180, -70),
    ),
    "closed along the pole": (
        Polygon([(-180, -70), (0, -70), (180, -70), (180, -90), (-180, -90)]),
        box(-180, -90, 180, -70),
    ),
    "whole globe": (box(-180, -90, 180, 90), box(-180, -90, 180, 90)),
    "band": (box(-180, -10, 180, 10), box(-180, -10, 180, 10)),
}


@pytest.mark.parametrize(("given", "meant"), CASES.values(), ids=CASES.keys())
def test_polygons_are_made_fit(given, meant):
    assert clean(given).symmetric_difference(meant).area < 1e-9


def test_country_over_the_date_line_holds_both_sides(tmp_path):
    path = geojson(tmp_path / "fiji.geojson", ({"code": "FJ"}, box(177, -20, 182, -15)))
    fiji = Boundaries.read(path)
    assert fiji.country_at([(-17, 178), (-17, -179), (-17, 179.999), (-17, 180)]).tolist() == ["FJ"] * 4
    assert fiji.country_at([(-17, -177)], max_distance_km=0)[0] is None


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Point(1, 2), '"it" is a Point'),
        (shapely.LineString([(0, 0), (1, 1)]), '"it" is a LineString'),
        (Polygon([(0, 0), (1, 1), (2, 2)]), '"it" encloses nothing'),
        (Polygon([(0, 0), (1, 1), (0, 0)]), '"it" encloses nothing'),
    ],
)
def test_what_is_no_area_is_told(geometry, message):
    with pytest.raises(DatasetError, match=message):
        clean(geometry)


def test_geojson_and_geoparquet_are_read_alike(tmp_path):
    shapes = {"A": box(0, 0, 1, 1), "B": box(1, 0, 2, 1)}
    first = Boundaries.read(geojson(tmp_path / "a.json", *(({"code": c}, s) for c, s in shapes.items())))
    second = Boundaries.read(geoparquet(tmp_path / "b.bin", list(shapes), list(shapes.values())))
    points = [(0.5, 0.5), (0.5, 1.5), (40, 40)]
    assert first.country_at(points).tolist() == second.country_at(points).tolist() == ["A", "B", None]


def test_any_field_can_be_the_code(tmp_path):
    path = geojson(tmp_path / "a.json", ({"name": "Here", "n": 7}, box(0, 0, 1, 1)))
    assert Boundaries.read(path, "name").codes == ("Here",)
    assert Boundaries.read(path, "n").codes == ("7",)
    with pytest.raises(DatasetError, match='feature 0 has no "id"; its fields are name, n'):
        Boundaries.read(path, "id")


def test_values_of_the_field_may_not_repeat(tmp_path):
    path = geojson(
        tmp_path / "a.json", ({"name": "La Paz"}, box(0, 0, 1, 1)), ({"name": "La Paz"}, box(5, 5, 6, 6))
    )
    with pytest.raises(DatasetError, match='features 0 and 1 both have name "La Paz"'):
        Boundaries.read(path, "name")


def test_countries_are_known_by_their_iso_fields(tmp_path):
    """ISO_A2 of France is -99 in Natural Earth; two features of one country become one."""
    path = geojson(
        tmp_path / "ne.json",
        ({"NAME": "France", "ISO_A2": "-99", "ISO_A2_EH": "FR"}, box(0, 44, 5, 49)),
        ({"NAME": "Corsica", "ISO_A2": "-99", "ADM0_A3": "FRA"}, box(8.5, 41, 9.5, 43)),
        ({"NAME": "Kosovo", "ISO_A2": "-99", "ADM0_A3": "KOS"}, box(20, 42, 21, 43)),
        ({"NAME": "Siachen Glacier", "ISO_A2": "-99", "ADM0_A3": "KAS"}, box(77, 35, 78, 36)),
    )
    with pytest.warns(UserWarning, match="no ISO 3166-1 code: Siachen Glacier$"):
        found = Boundaries.read(path)
    assert found.codes == ("FR", "XK")
    assert found.country_at([(45, 1), (42, 9), (42.5, 20.5), (35.5, 77.5)]).tolist() == [
        "FR",
        "FR",
        "XK",
        None,
    ]


def test_no_field_with_codes_is_told(tmp_path):
    path = geojson(tmp_path / "a.json", ({"name": "Here"}, box(0, 0, 1, 1)))
    with pytest.raises(DatasetError, match="Say which field is the code; there are name"):
        Boundaries.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither GeoParquet nor"),
        ("{", "neither GeoParquet nor"),
        ("[]", "neither GeoParquet nor"),
        ('{"type": "Polygon"}', "neither GeoParquet nor"),
        ('{"features": [{"geometry": {"type": "Blob"}}]}', "neither GeoParquet nor"),
        ("PAR1", "no readable GeoParquet"),
        ('{"features": []}', "holds no feature"),
    ],
)
def test_other_files_are_told(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_features(path)


def test_missing_file_is_told(tmp_path):
    with pytest.raises(DatasetError, match="is not there"):
        read_features(tmp_path / "none.json")


def test_feature_without_geometry_is_told(tmp_path):
    for geometry in (None, Polygon()):
        path = geojson(tmp_path / "a.json", ({"code": "A"}, box(0, 0, 1, 1)), ({"code": "B"}, geometry))
        with pytest.raises(DatasetError, match="feature 1 has no geometry"):
            read_features(path)


def test_metres_are_told(tmp_path):
    metres = geojson(tmp_path / "a.json", ({"code": "A"}, box(4_000_000, 2_000_000, 4_010_000, 2_010_000)))
    with pytest.raises(DatasetError, match=r"no degrees .*EPSG:4326"):
        read_features(metres)
    named = geojson(
        tmp_path / "b.json",
        ({"code": "A"}, box(0, 0, 1, 1)),
        crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3035"}},
    )
    with pytest.raises(DatasetError, match=r"3035.*convert it to EPSG:4326"):
        read_features(named)
    other = {"type": "ProjectedCRS", "id": {"authority": "EPSG", "code": 3035}}
    with pytest.raises(DatasetError, match="convert it to EPSG:4326"):
        read_features(geoparquet(tmp_path / "c.parquet", ["A"], [box(0, 0, 1, 1)], crs=other))


@pytest.mark.parametrize(
    "crs", [None, {"id": {"authority": "EPSG", "code": 4326}}, {"id": {"code": "CRS84"}}]
)
def test_degrees_by_any_name_are_read(tmp_path, crs):
    path = geoparquet(tmp_path / "a.parquet", ["A"], [box(0, 0, 1, 1)], crs=crs, column="shape")
    assert Boundaries.read(path).codes == ("A",)


def test_nothing_of_a_plain_polygon_is_changed():
    ring = np.array([(0.123456789, 0), (7.1, 0.3), (5, 5.000000001), (0.123456789, 0)])
    assert shapely.get_coordinates(clean(Polygon(ring))).tolist() == ring.tolist()


EARTH_KM2 = 4 * math.pi * EARTH_RADIUS_KM**2
boxes = st.tuples(st.floats(-180, 180), st.floats(-90, 89), st.floats(0.01, 180), st.floats(0.01, 90)).map(
    lambda box: shapely.box(box[0], box[1], box[0] + box[2], min(90.0, box[1] + box[3]))
)


class TestArea:
    @given(boxes)
    def test_boxes_have_their_surface(self, box):
        west, south, east, north = map(math.radians, box.bounds)
        expected = (east - west) * (math.sin(north) - math.sin(south)) * EARTH_RADIUS_KM**2
        assert area_km2([box])[0] == pytest.approx(expected, rel=1e-9, abs=1e-6)

    def test_the_whole_map_is_the_whole_earth(self):
        assert area_km2([shapely.box(-180, -90, 180, 90)])[0] == pytest.approx(EARTH_KM2, rel=1e-12)

    def test_slanting_edges_are_exact(self):
        """Cutting the edges finer on the same map changes nothing."""
        triangle = shapely.Polygon([(0, 0), (80, 10), (30, 85)])
        fine = shapely.segmentize(triangle, 0.01)
        assert area_km2([triangle])[0] == pytest.approx(area_km2([fine])[0], rel=1e-9)

    def test_holes_parts_and_emptiness(self):
        hole = shapely.box(0, 0, 10, 10) - shapely.box(2, 2, 4, 4)
        whole, cut_out, far = (
            area_km2([shapely.box(*each)])[0] for each in [(0, 0, 10, 10), (2, 2, 4, 4), (50, 50, 60, 60)]
        )
        both = shapely.union_all([hole, shapely.box(50, 50, 60, 60)])
        assert area_km2([hole, both, shapely.Polygon()]) == pytest.approx(
            [whole - cut_out, whole - cut_out + far, 0.0]
        )

    def test_countries_have_the_known_sizes(self):
        """Within what a drawing at 1:50m can do; figures of the United Nations, thousands of km²."""
        known = {"FR": 543.9, "DE": 357.6, "RU": 17098, "FJ": 18.3, "US": 9526, "BR": 8515, "HR": 56.6}
        areas = area_km2([Boundaries.packed().geometry(code) for code in known]) / 1000
        assert areas == pytest.approx(list(known.values()), rel=0.05)
