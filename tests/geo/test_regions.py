import json
import os
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Point, box, mapping

from lostfound.errors import DatasetError
from lostfound.geo.countries import country_codes
from lostfound.geo.regions import Regions, nearest_places

DATA = Path(os.environ.get("LOSTFOUND_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def regions():
    return Regions.nearest_place()


def natural_earth(path, *features):
    listed = [
        {"type": "Feature", "properties": properties, "geometry": mapping(geometry)}
        for properties, geometry in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": listed}))
    return path


def region(code, country, name):
    return {"adm1_code": code, "iso_a2": country, "name": name}


PLACES = [
    ("Paris", 48.8566, 2.3522, "FR.11", "Île-de-France", "FR"),
    ("Boston", 42.36, -71.06, "US.MA", "Massachusetts", "US"),
    ("Sydney", -33.87, 151.21, "AU.02", "New South Wales", "AU"),
    ("Cambridge", 52.205, 0.119, "GB.ENG", "England", "GB"),
    ("Zagreb", 45.81, 15.98, "HR.21", "Zagreb", "HR"),
    ("Suva", -18.14, 178.44, "FJ.01", "Central", "FJ"),
    ("Pristina", 42.66, 21.17, "XK.10097360", "Pristina", "XK"),
    ("Vaduz", 47.14, 9.52, "LI.11", "Vaduz", "LI"),
    # No regions: the whole country is one.
    ("Monaco", 43.73, 7.42, "MC", "Monaco", "MC"),
    ("Vatican", 41.903, 12.453, "VA", "Vatican City", "VA"),
]


@pytest.mark.parametrize(
    ("latitude", "longitude", "id_", "name", "country"), [p[1:] for p in PLACES], ids=[p[0] for p in PLACES]
)
def test_region_of_a_place(regions, latitude, longitude, id_, name, country):
    number = int(regions.index_at([(latitude, longitude)])[0])
    assert regions.ids[number] == id_
    assert regions.names[number] == name
    assert regions.countries[number] == country


def test_unknown_places_have_no_region(regions):
    found = regions.region_at([(np.nan, 2.35), (48.86, 2.35), (48.86, np.nan)])
    assert found.tolist() == [None, "FR.11", None]
    assert regions.region_at(np.empty((0, 2))).shape == (0,)


def test_limit_of_distance(regions):
    ocean = [(0, -30)]
    assert regions.region_at(ocean)[0] is not None
    assert regions.region_at(ocean, max_distance_km=200)[0] is None
    near = nearest_places(ocean).distance_km[0]
    assert regions.region_at(ocean, max_distance_km=near + 1e-6)[0] is not None
    assert regions.region_at(ocean, max_distance_km=near - 1e-6)[0] is None


def test_regions_are_complete(regions):
    assert regions.method == "nearest-place"
    assert len(regions.ids) == len(set(regions.ids)) > 3500
    assert [id_.split(".")[0] for id_ in regions.ids] == list(regions.countries)
    # No village of Antarctica, Bouvet and other empty islands.
    assert set(country_codes()) - set(regions.countries) <= {"AQ", "BV", "HM", "UM"}
    assert all(regions.names)


def test_raster_and_places_agree_everywhere(regions):
    """Many points are looked up in squares, few among the places."""
    rng = np.random.default_rng(1)
    globe = np.column_stack(
        [np.degrees(np.arcsin(rng.uniform(-1, 1, 40_000))), rng.uniform(-180, 180, 40_000)]
    )
    europe = np.column_stack([rng.uniform(36, 60, 30_000), rng.uniform(-9, 30, 30_000)])
    edges = np.array([(90, 0), (-90, 180), (0, 180), (0, -180), (0.1, 0.1), (np.nan, 0)])
    points = np.concatenate([globe, europe, edges])
    many = regions.index_at(points)
    few = np.concatenate([regions.index_at(part) for part in np.array_split(points, 4)])
    assert np.array_equal(many, few)


def test_nearest_places_tell_the_city():
    found = nearest_places([(48.8566, 2.3522), (np.nan, 0), (40.7128, -74.006), (64.15, -21.94)])
    assert found.names.tolist() == ["Paris 04 Hôtel-de-Ville", None, "New York City", "Seltjarnarnes"]
    assert found.regions.tolist()[:3] == ["FR.11", None, "US.NY"]
    assert found.countries.tolist() == ["FR", None, "US", "IS"]
    assert np.isnan(found.distance_km[1])
    assert (found.distance_km[[0, 2, 3]] < 3).all()


def test_label_points_give_the_nearest_label(tmp_path):
    """A region may have several labels; the nearest counts, also over the date line."""
    path = natural_earth(
        tmp_path / "labels.json",
        (region("FJI-1", "FJ", "West"), Point(179, -17)),
        (region("FJI-2", "FJ", "East"), Point(-179.5, -17)),
        (region("FJI-1", "FJ", "West"), Point(170, -10)),
        (region("KOS-1", "-1", "Peć") | {"sr_adm0_a3": "KOS"}, Point(20.3, 42.6)),
        (region("CSI+00?", "-1", None) | {"admin": "Coral Sea"}, Point(155, -20)),
    )
    found = Regions.natural_earth(path)
    assert found.method == "natural-earth"
    assert found.ids == ("FJI-1", "FJI-2", "KOS-1", "CSI+00?")
    assert found.names == ("West", "East", "Peć", "Coral Sea")
    assert found.countries == ("FJ", "FJ", "XK", None)
    points = [(-17, 179.5), (-17, 180), (-17, -178), (-11, 171), (np.nan, 0)]
    assert found.region_at(points).tolist() == ["FJI-1", "FJI-2", "FJI-2", "FJI-1", None]
    assert found.region_at([(0, 0)], max_distance_km=100)[0] is None


def test_polygons_give_the_region_that_holds_the_point(tmp_path):
    """The label of the large region is farther than that of its small neighbour: the polygon decides."""
    path = natural_earth(
        tmp_path / "polygons.json",
        (region("A-1", "FR", "Large"), box(0, 0, 10, 10)),
        (region("A-2", "FR", "Small"), box(10, 0, 11, 10)),
        (region("A-1", "FR", "Large"), box(20, 0, 21, 1)),
    )
    found = Regions.natural_earth(path)
    assert found.ids == ("A-1", "A-2")
    points = [(5, 9.9), (5, 10.1), (0.5, 20.5), (5, 12), (40, 40)]
    assert found.region_at(points, max_distance_km=200).tolist() == ["A-1", "A-2", "A-1", "A-2", None]


def test_file_of_another_kind_is_told(tmp_path):
    path = natural_earth(tmp_path / "a.json", ({"name": "Here"}, Point(0, 0)))
    with pytest.raises(DatasetError, match='feature 0 has no "adm1_code"'):
        Regions.natural_earth(path)
    with pytest.raises(DatasetError, match="is not there"):
        Regions.natural_earth(tmp_path / "none.json")


@pytest.mark.parametrize("points", [[(91, 0)], [(0, 400)], (1, 2)])
def test_wrong_points_are_refused(regions, points):
    with pytest.raises(ValueError, match=r"row 0|shape"):
        regions.region_at(points)


def shared(name):
    path = DATA / "boundaries" / name
    if not path.is_file():
        pytest.skip(f"no file at {path}: set LOSTFOUND_TEST_DATA to the folder that holds it")
    return path


@pytest.mark.data
def test_names_agree_with_geonames(regions):
    lines = shared("geonames_admin1.tsv").read_text(encoding="utf-8").splitlines()
    listed = dict(line.split("\t")[:2] for line in lines if "\t" in line)
    own = {id_: name for id_, name in zip(regions.ids, regions.names, strict=True) if "." in id_}
    same = [listed.get(id_) == name for id_, name in own.items()]
    assert np.mean([id_ in listed for id_ in own]) > 0.998
    assert np.mean(same) > 0.98


@pytest.mark.data
@pytest.mark.slow
def test_natural_earth_labels_and_polygons_agree_inland():
    """Of the four countries whose regions are drawn at 1:50m: two meanings, alike away from borders."""
    labels = Regions.natural_earth(shared("ne_10m_admin_1_label_points.json"))
    polygons = Regions.natural_earth(shared("ne_50m_admin_1_states_provinces.json"))
    assert len(labels.ids) == 4647
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(30, 48, 2000), rng.uniform(-120, -80, 2000)])
    held = polygons.region_at(points, max_distance_km=0)
    near = labels.region_at(points)
    inside = held != None  # noqa: E711
    assert 0.7 < np.mean(held[inside] == near[inside]) < 1
    states = {"Texas": (31, -99), "Colorado": (39, -105.5), "Queensland": (-23, 145), "Ontario": (50, -86)}
    for name, place in states.items():
        number = int(polygons.index_at([place])[0])
        assert polygons.names[number] == name
