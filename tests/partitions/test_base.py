"""What all kinds of partition must do alike."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from lostfound.errors import DatasetError, UsageError
from lostfound.geo.sampling import sample_near_towns
from lostfound.geo.sphere import from_unit_vectors, unit_vectors
from lostfound.partitions import OUTSIDE, PARTITION_KINDS, Partition, build_partition

SETTINGS = {
    "countries": {},
    "regions": {},
    "cities": {
        "cities": ["Paris", "Tokyo", {"name": "Chukotka and Alaska", "box": [50, 160, 75, -140]}],
        "radius_km": 300,
    },
    "square": {"cells": 100},
    "voronoi": {"cells": 100},
    "s2": {"min_images": 3, "max_images": 40},
    "quadtree": {"split_at": 40},
}


@pytest.fixture(scope="module")
def points():
    """3000 places near towns, and a few around the date line."""
    fiji = [[-17.0, 179.5], [-17.1, -179.5], [-16.5, 180.0], [66.0, -179.9], [66.2, 179.8], [60.5, -150.0]]
    return np.concatenate([sample_near_towns(3000, radius_km=30, seed=1).points, fiji])


@pytest.fixture(scope="module")
def polygon_file(tmp_path_factory):
    boxes = [("north", (-180, 20, 180, 80)), ("south", (-180, -60, 180, 20)), ("nobody", (0, -89, 1, -88))]
    features = [
        {
            "type": "Feature",
            "properties": {"name": name},
            "geometry": json.loads(shapely.to_geojson(shapely.box(*box))),
        }
        for name, box in boxes
    ]
    path = tmp_path_factory.mktemp("polygons") / "bands.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture(scope="module")
def built(points, polygon_file):
    settings = {**SETTINGS, "polygons": {"files": str(polygon_file)}}
    return {kind: build_partition(kind, points, **settings[kind]) for kind in PARTITION_KINDS}


@pytest.fixture(params=PARTITION_KINDS)
def partition(request, built):
    return built[request.param]


def test_every_kind_is_built(built):
    assert {kind: each.kind for kind, each in built.items()} == {kind: kind for kind in PARTITION_KINDS}
    assert all(len(each) > 1 for each in built.values())


def test_the_counts_are_those_of_the_assigned_training_images(partition, points):
    cells = partition.assign(points)
    assert (
        np.bincount(cells[cells != OUTSIDE], minlength=len(partition)).tolist() == partition.counts.tolist()
    )


def test_a_cell_decodes_to_the_spherical_mean_of_its_images(partition, points):
    cells = partition.assign(points)
    for cell in (0, len(partition) - 1):
        expected = from_unit_vectors(unit_vectors(points[cells == cell]).mean(axis=0))
        assert partition.decode(np.array([cell]))[0] == pytest.approx(expected, abs=1e-9)


def test_outside_decodes_to_no_place(partition):
    assert np.isnan(partition.decode(np.array([OUTSIDE]))).all()


def test_unknown_places_lie_outside(partition):
    assert partition.assign(np.array([[np.nan, np.nan], [48.0, np.nan]])).tolist() == [OUTSIDE, OUTSIDE]


def test_no_point_at_all(partition):
    assert partition.assign(np.empty((0, 2))).shape == (0,)


def test_180_and_minus_180_are_one_meridian(partition):
    east, west = np.array([[-16.5, 180.0]]), np.array([[-16.5, -180.0]])
    assert partition.assign(east) == partition.assign(west)


@pytest.mark.parametrize("wrong", [[91.0, 0.0], [0.0, 400.0], [np.inf, 0.0]])
def test_what_is_no_coordinate_is_refused(partition, wrong):
    with pytest.raises(ValueError, match="row 1 is no coordinate"):
        partition.assign(np.array([[0.0, 0.0], wrong]))


def test_the_polygons_say_the_same_as_the_assignment(partition, points):
    if partition.kind in ("countries", "regions"):
        pytest.skip("off the coast the nearest country counts; regions have no polygon")
    rng = np.random.default_rng(3)
    places = np.concatenate([points + rng.normal(0, 0.3, points.shape), points])
    places = places[(np.abs(places) < [90, 180]).all(axis=1)]
    cells = partition.assign(places)
    inside = shapely.STRtree(partition.polygons).query(
        shapely.points(places[:, ::-1]), predicate="intersects"
    )
    held = np.full(len(places), OUTSIDE)
    held[inside[0]] = inside[1]
    # Corners of circles are cut, and edges on the sphere are drawn with pieces that are straight on the map.
    assert np.mean(held != cells) < 2e-3


def test_polygons_are_valid_and_on_the_map(partition):
    drawn = [shape for shape in partition.polygons if shape is not None]
    assert shapely.is_valid(drawn).all()
    if drawn:
        west, south, east, north = shapely.total_bounds(drawn)
        assert -180 <= west <= east <= 180
        assert -90 <= south <= north <= 90


def test_neighbours_are_mutual(partition):
    lists = [partition.neighbours(cell).tolist() for cell in range(len(partition))]
    for cell, others in enumerate(lists):
        assert cell not in others
        assert others == sorted(set(others))
        assert all(cell in lists[other] for other in others)


def test_saved_and_loaded_it_is_the_same(partition, points, tmp_path):
    path = tmp_path / "partition.parquet"
    path.write_bytes(partition.to_parquet())
    again = Partition.load(path)
    for name in ("kind", "cell_ids", "names", "countries", "parents", "settings", "rule"):
        assert getattr(again, name) == getattr(partition, name), name
    assert np.array_equal(again.centroids, partition.centroids)
    assert np.array_equal(again.counts, partition.counts)
    assert np.array_equal(again.assign(points), partition.assign(points))
    assert shapely.equals_exact(again.polygons, partition.polygons).sum() == sum(
        s is not None for s in partition.polygons
    )
    assert again.to_parquet() == partition.to_parquet()


def test_building_again_gives_the_same_bytes(partition, points, polygon_file):
    settings = {**SETTINGS, "polygons": {"files": str(polygon_file)}}
    assert (
        build_partition(partition.kind, points, **settings[partition.kind]).to_parquet()
        == partition.to_parquet()
    )


def test_the_file_is_geoparquet(partition, tmp_path):
    path = tmp_path / "partition.parquet"
    path.write_bytes(partition.to_parquet())
    about = json.loads(pq.read_schema(path).metadata[b"geo"])
    assert about["version"] == "1.1.0"
    assert about["columns"]["geometry"]["encoding"] == "WKB"


def test_geopandas_reads_the_file(partition, tmp_path):
    geopandas = pytest.importorskip("geopandas")
    path = tmp_path / "partition.parquet"
    path.write_bytes(partition.to_parquet())
    frame = geopandas.read_parquet(path)
    assert frame.crs.to_authority() == ("OGC", "CRS84")
    assert frame["cell_id"].tolist() == list(partition.cell_ids)
    assert (frame.geometry.isna() == [shape is None for shape in partition.polygons]).all()


@pytest.mark.slow
def test_a_geometric_centroid_lies_in_the_cell(points):
    for kind in ("countries", "square", "voronoi", "s2", "quadtree", "cities"):
        middle = build_partition(kind, points, centroid="geometric", **SETTINGS[kind])
        mean = build_partition(kind, points, **SETTINGS[kind])
        held = [
            shapely.distance(shape, shapely.Point(longitude, latitude)) < 1e-6
            for shape, (latitude, longitude) in zip(middle.polygons, middle.centroids, strict=True)
        ]
        assert all(held), kind
        assert not np.allclose(middle.centroids, mean.centroids)


def test_the_country_of_a_cell_is_that_of_most_of_its_images():
    points = np.array([[46.0, 6.0]] * 3 + [[46.0, 60.0]] * 2)
    countries = np.array(["FR", "FR", "CH", "KZ", "UZ"], dtype=object)
    cells = build_partition("s2", points, countries, max_images=100)
    by_cell = dict(zip(cells.assign(points).tolist(), ["FR", "FR", "FR", None, None], strict=True))
    assert {cell: cells.countries[cell] for cell in by_cell} == by_cell


def test_images_without_a_place_count_in_countries_alone():
    points = np.array([[48.0, 2.0], [np.nan, np.nan], [np.nan, np.nan]])
    countries = np.array(["FR", "FR", "DE"], dtype=object)
    built = build_partition("countries", points, countries)
    assert dict(zip(built.cell_ids, built.counts.tolist(), strict=True)) == {"DE": 1, "FR": 2}
    assert built.assign(points, countries).tolist() == [1, 1, 0]
    assert build_partition("square", points, countries, cell_km=10).counts.tolist() == [1]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("countries", {}),
        ("regions", {}),
        ("square", {"cell_km": 500}),
        ("voronoi", {"spacing_km": 500}),
        ("quadtree", {"split_at": 40}),
    ],
)
def test_min_images_drops_cells_and_their_places_lie_outside(points, kind, settings):
    full = build_partition(kind, points, **settings)
    fewer = build_partition(kind, points, **settings, min_images=5)
    before, after = full.assign(points), fewer.assign(points)
    kept = (before != OUTSIDE) & (full.counts[before] >= 5)
    assert (after != OUTSIDE).tolist() == kept.tolist()
    assert 1 < len(fewer) < len(full)


@pytest.mark.parametrize("kind", PARTITION_KINDS)
@pytest.mark.parametrize(
    ("points", "says"), [(np.empty((0, 2)), "has no images"), (np.full((3, 2), np.nan), "3 images, none")]
)
def test_an_empty_training_split(kind, points, says, polygon_file):
    settings = {**SETTINGS, "polygons": {"files": str(polygon_file)}}
    with pytest.raises(UsageError, match=says):
        build_partition(kind, points, **settings[kind])


@pytest.mark.parametrize("kind", PARTITION_KINDS)
def test_min_images_that_leaves_no_cell(kind, points, polygon_file):
    settings = {**SETTINGS, "polygons": {"files": str(polygon_file)}}[kind] | {"min_images": 5000}
    if kind == "s2":
        settings["max_images"] = 9000
    if kind in ("square", "voronoi"):
        settings = {"min_images": 5000, "cell_km" if kind == "square" else "spacing_km": 1000}
    with pytest.raises(UsageError, match=r"has 500[01] training images .*lower min_images"):
        build_partition(kind, points, **settings)


def test_swapped_columns_are_named(points):
    with pytest.raises(DatasetError, match="swapped"):
        build_partition("s2", sample_near_towns(200, radius_km=5, countries=["JP", "AU"]).points[:, ::-1])


def test_one_label_for_each_point():
    with pytest.raises(ValueError, match="2 countries for 1 points"):
        build_partition("countries", np.array([[48.0, 2.0]]), ["FR", "DE"])


def test_cells_need_ids_of_their_own():
    with pytest.raises(ValueError, match="must differ"):
        Partition(
            "countries", ("FR", "FR"), ("a", "b"), np.zeros((2, 2)), np.ones(2, dtype=np.int64), ("FR", "FR")
        )


def test_a_file_of_the_first_format_is_read(tmp_path):
    table = pa.table(
        {
            "cell_id": ["FR"],
            "name": ["France"],
            "latitude": [47.0],
            "longitude": [2.0],
            "count": [3],
            "country": ["FR"],
        }
    )
    path = tmp_path / "old.parquet"
    pq.write_table(table.replace_schema_metadata({"kind": "countries"}), path)
    old = Partition.load(path)
    assert old.assign(np.array([[48.0, 2.0], [52.0, 13.0]])).tolist() == [0, OUTSIDE]
    assert old.polygon(0) is None


def test_another_parquet_file_is_no_partition(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ValueError, match="no partition of a known kind"):
        Partition.load(path)


def test_loading_needs_no_pydantic():
    code = "import sys, lostfound.partitions.registry; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
