"""The user's own polygons."""

import json

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon, box, mapping

from lostfound.errors import DatasetError
from lostfound.geo.sampling import sample_near_towns
from lostfound.partitions import OUTSIDE, build_partition

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
