"""Countries, regions, cities, and the user's own polygons."""

import json

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon, box, mapping

from lostfound.errors import DatasetError, UsageError
from lostfound.geo.regions import Regions
from lostfound.geo.sampling import sample_near_towns
from lostfound.geo.sphere import destination, haversine_km
from lostfound.partitions import OUTSIDE, Partition, build_partition

EIFFEL, BIG_BEN, CENTRE = [48.8584, 2.2945], [51.5007, -0.1246], [40.4169, -3.7035]


@pytest.fixture
def write(tmp_path):
    """Write a GeoJSON file of named shapes."""

    def writer(name, shapes, **properties):
        features = [
            {"type": "Feature", "properties": {"name": each, **properties}, "geometry": mapping(shape)}
            for each, shape in shapes
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return str(path)

    return writer


def test_countries_by_label_first_and_by_place_else():
    built = build_partition("countries", np.array([EIFFEL, BIG_BEN]))
    assert built.cell_ids == ("FR", "GB")
    assert built.names == ("France", "United Kingdom")
    labels = np.array(["GB", None, "DE"], dtype=object)
    assert built.assign(np.array([EIFFEL, EIFFEL, EIFFEL]), labels).tolist() == [1, 0, OUTSIDE]
    assert built.assign(np.array([EIFFEL, [0.0, -140.0]])).tolist() == [0, OUTSIDE]
    assert shapely.contains_xy(built.polygon(0), 2.3, 48.9)


def test_regions_are_those_of_the_nearest_place():
    places = sample_near_towns(500, radius_km=10, seed=2).points
    built = build_partition("regions", places)
    source = Regions.nearest_place()
    expected = source.region_at(places)
    assert np.array(built.cell_ids)[built.assign(places)].tolist() == expected.tolist()
    assert built.parents == built.countries
    assert dict(zip(source.ids, source.countries, strict=True))[built.cell_ids[0]] == built.countries[0]
    others = [each for each in source.ids if each not in built.cell_ids]
    assert others, "a region without training image must be left to test"


def test_regions_by_natural_earth_s_label_points_need_the_file_no_more(tmp_path):
    features = [
        {
            "type": "Feature",
            "properties": {"adm1_code": code, "name": name, "iso_a2": "FR"},
            "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        }
        for code, name, latitude, longitude in [
            ("FRA-1", "North", 49.0, 2.0), ("FRA-2", "South", 44.0, 3.0), ("FRA-3", "West", 48.0, -3.0),
        ]
    ]  # fmt: skip
    path = tmp_path / "labels.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    built = build_partition("regions", np.array([EIFFEL, [43.6, 1.4]]), file=str(path))
    path.unlink()
    saved = tmp_path / "partition.parquet"
    saved.write_bytes(built.to_parquet())
    again = Partition.load(saved)
    assert again.cell_ids == ("FRA-1", "FRA-2")
    # The West has no training image.
    assert again.assign(np.array([EIFFEL, [43.0, 2.0], [48.2, -4.0]])).tolist() == [0, 1, OUTSIDE]


def test_cities_by_name_by_centre_and_by_box():
    cities = [
        "Paris",
        {"name": "Westminster", "latitude": BIG_BEN[0], "longitude": BIG_BEN[1], "radius_km": 5},
        {"name": "Madrid", "box": [40.3, -3.9, 40.6, -3.5]},
    ]
    places = np.array([EIFFEL, BIG_BEN, CENTRE, [0.0, 0.0]])
    built = build_partition("cities", places, cities=cities, radius_km=10)
    assert built.cell_ids == ("Paris", "Westminster", "Madrid")
    assert built.assign(places).tolist() == [0, 1, 2, OUTSIDE]
    assert built.polygon(2).bounds == pytest.approx((-3.9, 40.3, -3.5, 40.6))


def test_the_edge_of_a_city_s_circle():
    centre = {"name": "x", "latitude": 60.0, "longitude": 179.9, "radius_km": 50}
    edge = destination([60.0, 179.9], np.arange(0, 360, 30.0), 50.0)
    inside, outside = (destination([60.0, 179.9], np.arange(0, 360, 30.0), km) for km in (49.999, 50.001))
    built = build_partition("cities", inside, cities=[centre])
    assert (built.assign(inside) == 0).all()
    assert (built.assign(outside) == OUTSIDE).all()
    ring = shapely.get_coordinates(built.polygon(0))[:, ::-1]
    on_circle = np.abs(ring[:, 1]) != 180
    assert haversine_km([60.0, 179.9], ring[on_circle]) == pytest.approx(
        np.full(on_circle.sum(), 50.0), rel=1e-6
    )
    assert len(edge) == 12


def test_where_circles_overlap_the_nearest_centre_that_holds_the_point_has_it():
    cities = [
        {"name": "wide", "latitude": 0, "longitude": 0, "radius_km": 500},
        {"name": "narrow", "latitude": 0, "longitude": 3, "radius_km": 50},
    ]
    places = np.array([[0.0, 0.0], [0.0, 2.8], [0.0, 2.0], [0.0, 3.4]])
    built = build_partition("cities", places[:2], cities=cities)
    # The third is nearer to the narrow one, out of whose circle it lies; the last is in the wide one alone.
    assert built.assign(places).tolist() == [0, 1, 0, 1 if haversine_km([0, 3.4], [0, 3]) < 50 else 0]


def test_a_dropped_city_keeps_its_places_out_of_its_neighbour():
    cities = [
        {"name": "wide", "latitude": 0, "longitude": 0, "radius_km": 500},
        {"name": "empty", "latitude": 0, "longitude": 3, "radius_km": 50},
    ]
    built = build_partition("cities", np.array([[0.0, 0.0]]), cities=cities)
    assert built.cell_ids == ("wide",)
    assert built.assign(np.array([[0.0, 3.1]])).tolist() == [OUTSIDE]


@pytest.mark.parametrize(
    ("cities", "says"),
    [
        (["Paris", "Paris"], "Paris is named twice"),
        (["Parsi"], "no city 'Parsi' is known"),
        ([], "at least 1 item"),
        ([{"name": "x", "latitude": 3}], "both latitude and longitude"),
        ([{"name": "x", "box": [1, 2, 0, 3]}], "south, west, north, east"),
        ([{"name": "x", "box": [0, 2, 1, 3], "radius_km": 3}], "a box or a circle"),
        ([{"name": "x", "latitude": 91, "longitude": 0}], "less than or equal to 90"),
        ([{"name": "x", "radius": 5}], "did you mean 'cities.0.radius_km'"),
    ],
)
def test_wrong_cities(cities, says):
    with pytest.raises(UsageError, match=says):
        build_partition("cities", np.array([EIFFEL]), cities=cities)


def test_own_polygons(write):
    path = write("zones.geojson", [("west", box(-10, 35, 0, 60)), ("east", box(0, 35, 10, 60))])
    places = np.array([EIFFEL, CENTRE, [48.0, 20.0], [48.0, 0.0]])
    built = build_partition("polygons", places, files=path)
    assert built.cell_ids == ("west", "east")
    # A place on the border belongs to the first.
    assert built.assign(places).tolist() == [1, 0, OUTSIDE, 0]
    assert built.neighbours(0).tolist() == [1]


def test_polygons_touch_across_the_date_line(write):
    path = write("zones.geojson", [("west", box(170, 0, 180, 10)), ("east", box(-180, 5, -170, 15))])
    built = build_partition("polygons", np.array([[6.0, 175.0], [6.0, -175.0]]), files=path)
    assert built.neighbours(0).tolist() == [1]


def test_own_polygons_with_holes_and_parts(write):
    ring = box(0, 0, 10, 10) - box(4, 4, 6, 6)
    path = write(
        "zones.geojson", [("ring", ring), ("two", shapely.union(box(20, 0, 21, 1), box(30, 0, 31, 1)))]
    )
    places = np.array([[1.0, 1.0], [5.0, 5.0], [0.5, 20.5], [0.5, 30.5], [0.5, 25.0]])
    built = build_partition("polygons", places, files=[path])
    assert built.assign(places).tolist() == [0, OUTSIDE, 1, 1, OUTSIDE]


def test_many_points_in_own_polygons_are_found_as_few_are(write):
    rng = np.random.default_rng(0)
    blobs = [(f"b{n}", shapely.Point(*xy).buffer(0.02)) for n, xy in enumerate(rng.uniform(0, 0.5, (40, 2)))]
    places = rng.uniform(0, 0.5, (120_000, 2))
    built = build_partition("polygons", places[:500], files=write("blobs.geojson", blobs))
    few = np.concatenate([built.assign(part) for part in np.split(places[:5000], 5)])
    assert built.assign(places)[:5000].tolist() == few.tolist()
    held = np.array([shapely.contains_xy(shape, places[:, 1], places[:, 0]) for shape in built.polygons])
    assert (built.assign(places) == np.where(held.any(axis=0), held.argmax(axis=0), OUTSIDE)).all()


def test_the_name_may_be_another_property(write):
    path = write("zones.geojson", [("a", box(0, 40, 10, 50))], code="Z1")
    assert build_partition("polygons", np.array([EIFFEL]), files=path, name="code").cell_ids == ("Z1",)
    with pytest.raises(DatasetError, match='no "district"'):
        build_partition("polygons", np.array([EIFFEL]), files=path, name="district")


def test_two_files_with_clashing_names(write):
    one = write("one.geojson", [("centre", box(0, 40, 10, 50))])
    two = write("two.geojson", [("suburb", box(20, 40, 30, 50)), ("centre", box(10, 40, 20, 50))])
    with pytest.raises(DatasetError, match=r'both .*one\.geojson and .*two\.geojson name a cell "centre"'):
        build_partition("polygons", np.array([EIFFEL]), files=[one, two])


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "invalid .Self-intersection"),
        (Polygon([(170, 0), (-170, 0), (-170, 10), (170, 10)]), "crosses the date line: cut it"),
        (box(170, 0, 190, 10), "crosses the date line: cut it"),
        (shapely.LineString([(0, 0), (1, 1)]), "is a LineString"),
        (box(0, 0, 1000, 1), "no degrees"),
    ],
)
def test_polygons_that_are_none(write, shape, says):
    path = write("bad.geojson", [("good", box(0, 40, 10, 50)), ("bad", shape)])
    with pytest.raises(DatasetError, match=says):
        build_partition("polygons", np.array([EIFFEL]), files=path)


def test_a_file_that_is_not_there():
    with pytest.raises(DatasetError, match=r"gone\.geojson"):
        build_partition("polygons", np.array([EIFFEL]), files="gone.geojson")


def test_a_saved_partition_is_a_file_of_polygons(tmp_path):
    places = sample_near_towns(300, radius_km=10, seed=4).points
    cells = build_partition("quadtree", places, split_at=30)
    path = tmp_path / "cells.parquet"
    path.write_bytes(cells.to_parquet())
    again = build_partition("polygons", places, files=str(path), name="cell_id")
    assert again.cell_ids == cells.cell_ids
    assert again.counts.sum() == cells.counts.sum()
