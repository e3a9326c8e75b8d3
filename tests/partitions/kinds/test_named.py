"""Countries and regions."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_codes
from lostfound.geo.regions import Regions
from lostfound.geo.sampling import sample_near_towns
from lostfound.geo.sphere import haversine_km
from lostfound.partitions import OUTSIDE, PARTITION_KINDS, Partition, build_partition

EIFFEL, BIG_BEN, CENTRE = [48.8584, 2.2945], [51.5007, -0.1246], [40.4169, -3.7035]


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


NOWHERE = [np.nan, np.nan]


POINTS = np.array([[48.85, 2.35], [43.3, 5.4], [35.7, 139.7], NOWHERE, NOWHERE, NOWHERE])


COUNTRIES = np.array(["FR", "FR", "JP", "JP", "DE", None], dtype=object)


def countries(min_images=1, points=POINTS, codes=COUNTRIES):
    return build_partition("countries", points, codes, min_images=min_images)


def test_each_country_is_a_cell_with_its_images():
    partition = countries()

    assert partition.kind == "countries"
    assert partition.cell_ids == partition.countries == ("DE", "FR", "JP")
    assert partition.names == ("Germany", "France", "Japan")
    assert partition.counts.tolist() == [1, 2, 2]
    assert len(partition) == 3


def test_a_cell_decodes_to_the_mean_of_its_images_with_coordinates():
    partition = countries()

    france, japan = partition.decode(np.array([1, 2]))
    assert haversine_km(france, POINTS[0]) == pytest.approx(haversine_km(france, POINTS[1]))
    assert japan == pytest.approx([35.7, 139.7])


def test_a_cell_without_coordinates_decodes_to_the_middle_of_the_country():
    assert countries().decode(np.array([0]))[0] == pytest.approx(Boundaries.packed().centroid("DE"))


def test_means_are_taken_on_the_sphere_across_the_date_line():
    partition = countries(
        points=np.array([[-17.0, 179.0], [-17.0, -179.0]]), codes=np.array(["FJ", "FJ"], dtype=object)
    )

    latitude, longitude = partition.decode(np.array([0]))[0]
    assert abs(longitude) == pytest.approx(180)
    assert latitude == pytest.approx(-17, abs=0.01)


@pytest.mark.parametrize("code", country_codes())
def test_every_country_can_be_a_cell_without_coordinates(code):
    partition = countries(points=np.array([NOWHERE]), codes=np.array([code], dtype=object))

    assert np.isfinite(partition.decode(np.array([0]))).all()


def test_countries_with_too_few_images_are_no_cells():
    assert countries(min_images=2).cell_ids == ("FR", "JP")


@pytest.mark.parametrize(("codes", "most"), [(COUNTRIES, 2), (np.array([None] * 6, dtype=object), 2)])
def test_no_cell_left_says_what_to_do(codes, most):
    with pytest.raises(UsageError, match=rf"no cell .* has 3 training images \(the most is {most}\): lower"):
        countries(min_images=3, codes=codes)


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(
        UsageError, match=f"no partition 'squares': choose one of {', '.join(PARTITION_KINDS)}"
    ):
        build_partition("squares", POINTS, COUNTRIES, min_images=1)


@pytest.mark.parametrize(
    ("point", "country", "cell"),
    [
        (NOWHERE, "FR", 1),
        ([48.85, 2.35], None, 1),
        ([48.85, 2.35], "DE", 0),  # what is stated goes before what the map says
        ([52.5, 13.4], None, 0),
        ([40.4, -3.7], None, OUTSIDE),
        (NOWHERE, "ES", OUTSIDE),
        (NOWHERE, None, OUTSIDE),
        ([48.85, np.nan], None, OUTSIDE),
    ],
)
def test_images_are_assigned_by_country_then_by_coordinates(point, country, cell):
    assert countries().assign(np.array([point]), [country]).tolist() == [cell]


def test_no_images_are_assigned_to_no_cells():
    assert countries().assign(np.empty((0, 2)), []).shape == (0,)


def test_outside_decodes_to_no_point():
    decoded = countries().decode(np.array([[1, OUTSIDE], [OUTSIDE, 2]]))

    assert decoded.shape == (2, 2, 2)
    assert np.isnan(decoded).all(axis=-1).tolist() == [[False, True], [True, False]]


def test_a_partition_survives_being_saved(tmp_path):
    partition = countries()
    path = tmp_path / "partition.parquet"
    path.write_bytes(partition.to_parquet())

    loaded = Partition.load(path)

    assert (loaded.kind, loaded.cell_ids, loaded.names, loaded.countries) == (
        partition.kind,
        partition.cell_ids,
        partition.names,
        partition.countries,
    )
    np.testing.assert_array_equal(loaded.centroids, partition.centroids)
    np.testing.assert_array_equal(loaded.counts, partition.counts)


@pytest.mark.parametrize("metadata", [None, {"kind": "squares"}])
def test_a_table_of_another_kind_is_no_partition(tmp_path, metadata):
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata(metadata), tmp_path / "p.parquet")

    with pytest.raises(ValueError, match="no partition of a known kind"):
        Partition.load(tmp_path / "p.parquet")
