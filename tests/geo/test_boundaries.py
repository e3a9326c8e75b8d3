import json
import os
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pycountry
import pytest
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, box, shape

from lostfound.errors import CountryNameError, DatasetError
from lostfound.geo import boundaries
from lostfound.geo.boundaries import DEFAULT_MAX_DISTANCE_KM, Boundaries, label_countries, outlines
from lostfound.geo.cities import city_table
from lostfound.geo.countries import country_codes
from lostfound.geo.nearest import Segments
from lostfound.geo.sphere import destination, haversine_km

DATA = Path(os.environ.get("LOSTFOUND_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def world():
    return Boundaries.packed()


def random_points(n, seed):
    """Evenly spread over the globe."""
    rng = np.random.default_rng(seed)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return np.column_stack([latitude, rng.uniform(-180, 180, n)])


PLACES = [
    ("Paris", 48.8566, 2.3522, "FR"),
    ("Oslo", 59.91, 10.75, "NO"),
    ("Chicago", 41.88, -87.63, "US"),
    ("Honolulu", 21.31, -157.86, "US"),
    ("Anchorage", 61.22, -149.9, "US"),
    ("Kaliningrad", 54.71, 20.51, "RU"),
    ("Hong Kong", 22.28, 114.17, "HK"),
    ("Macao", 22.19, 113.55, "MO"),
    ("Taipei", 25.04, 121.56, "TW"),
    ("Singapore", 1.35, 103.82, "SG"),
    ("Mariehamn", 60.1, 19.94, "AX"),
    # Codes of their own inside another country's feature.
    ("Saint-Denis, Réunion", -20.89, 55.46, "RE"),
    ("Cayenne", 4.92, -52.31, "GF"),
    ("Pointe-à-Pitre", 16.24, -61.53, "GP"),
    ("Fort-de-France", 14.61, -61.07, "MQ"),
    ("Mamoudzou", -12.78, 45.22, "YT"),
    ("Longyearbyen", 78.22, 15.65, "SJ"),
    ("Jan Mayen", 71.0, -8.5, "SJ"),
    ("Bouvet", -54.42, 3.36, "BV"),
    ("Kralendijk", 12.15, -68.27, "BQ"),
    ("Christmas Island", -10.45, 105.69, "CX"),
    ("Cocos Islands", -12.19, 96.83, "CC"),
    ("Tokelau", -9.38, -171.24, "TK"),
    # Too small for the scale, or misplaced on it.
    ("Gibraltar", 36.13, -5.345, "GI"),
    ("Funafuti", -8.52, 179.19, "TV"),
    ("Midway", 28.21, -177.37, "UM"),
    ("Ceuta", 35.89, -5.31, "ES"),
    ("Melilla", 35.29, -2.94, "ES"),
    # Borders by ISO 3166.
    ("Pristina", 42.6629, 21.1655, "XK"),
    ("Hargeisa", 9.56, 44.06, "SO"),
    ("Kyrenia", 35.33, 33.32, "CY"),
    ("Simferopol", 44.95, 34.1, "UA"),
    ("Laayoune", 27.15, -13.2, "EH"),
    ("Ramallah", 31.9, 35.2, "PS"),
    # Enclaves.
    ("Maseru", -29.31, 27.48, "LS"),
    ("San Marino", 43.94, 12.46, "SM"),
    ("St Peter's Square", 41.9022, 12.4568, "VA"),
    ("Colosseum", 41.8902, 12.4922, "IT"),
    ("Johannesburg", -26.2, 28.05, "ZA"),
    # Both sides of borders.
    ("Kehl", 48.57, 7.84, "DE"),
    ("Strasbourg", 48.57, 7.73, "FR"),
    ("Detroit", 42.4, -83.1, "US"),
    ("Windsor", 42.25, -82.95, "CA"),
    ("Tornio", 65.87, 24.3, "FI"),
    ("Haparanda", 65.85, 23.9, "SE"),
    # Border towns that 1:50m draws in the country beside.
    ("El Paso", 31.7587, -106.4869, "US"),
    ("Ciudad Juárez", 31.7202, -106.4608, "MX"),
    ("Laredo", 27.5064, -99.5075, "US"),
    ("Nuevo Laredo", 27.4763, -99.5164, "MX"),
    ("Luohu", 22.5472, 114.1315, "CN"),
    ("Sheung Shui", 22.5011, 114.1278, "HK"),
    ("Konstanz", 47.6603, 9.1758, "DE"),
    ("Kreuzlingen", 47.6504, 9.175, "CH"),
    ("Görlitz", 51.1552, 14.9885, "DE"),
    ("Narva", 59.3773, 28.1903, "EE"),
    ("Audun-le-Tiche", 49.4787, 5.964, "FR"),
    ("Kafr Qasim", 32.1141, 34.9762, "IL"),
    # Enclaves and exclaves that it lacks.
    ("Llívia", 42.4644, 1.9814, "ES"),
    ("Puigcerdà", 42.4317, 1.9283, "ES"),
    ("Bourg-Madame", 42.4334, 1.9438, "FR"),
    ("Campione d'Italia", 45.9703, 8.9717, "IT"),
    ("Lugano", 46.01, 8.96, "CH"),
    ("Büsingen", 47.6967, 8.6889, "DE"),
    ("Schaffhausen", 47.6973, 8.6349, "CH"),
    ("Baarle-Hertog", 51.4413, 4.9302, "BE"),
    ("Baarle-Nassau", 51.4475, 4.9292, "NL"),
    ("Dahagram", 26.3, 88.95, "BD"),
    ("Madha", 25.2836, 56.332, "OM"),
    ("Point Roberts", 48.985, -123.06, "US"),
    # Islands that it lacks.
    ("Heligoland", 54.1825, 7.8853, "DE"),
    ("Borkum", 53.5809, 6.6915, "DE"),
    ("Lampedusa", 35.5013, 12.6072, "IT"),
    ("Ustica", 38.7099, 13.1929, "IT"),
    ("Scilly", 49.9145, -6.3115, "GB"),
    ("Alderney", 49.7155, -2.2076, "GG"),
    ("Kastellorizo", 36.1489, 29.5936, "GR"),
    ("Matsu", 26.1505, 119.9289, "TW"),
    ("Kinmen", 24.4114, 118.2164, "TW"),
    ("Magong", 23.5654, 119.5863, "TW"),
    ("San Andrés", 12.5786, -81.6997, "CO"),
    ("Fernando de Noronha", -3.8403, -32.4108, "BR"),
    ("Clipperton", 10.3, -109.217, "FR"),
    ("Pratas", 20.7, 116.72, "TW"),
    ("Palagruža", 42.393, 16.259, "HR"),
    ("Rodrigues", -19.6833, 63.4167, "MU"),
    ("Tristan da Cunha", -37.0676, -12.3116, "SH"),
    ("Kavaratti", 10.5669, 72.642, "IN"),
    ("Malé's farthest, Addu", -0.6, 73.0833, "MV"),
    ("Adamstown", -25.066, -130.1015, "PN"),
    # Around the date line and the poles.
    ("Taveuni", -16.85, -179.97, "FJ"),
    ("Vanua Levu", -16.6, 179.2, "FJ"),
    ("Wrangel Island, west", 71.2, 179.5, "RU"),
    ("Wrangel Island, east", 71.2, -179.5, "RU"),
    ("Chukotka", 66.5, -179.99, "RU"),
    ("South Pole", -90, 0, "AQ"),
    ("Vostok", -78.46, 106.84, "AQ"),
    # Off the coast, and too far off.
    ("Ostend roads", 51.3, 2.8, "BE"),
    ("Lake Constance", 47.6, 9.4, "DE"),
    ("Atlantic", 0, -30, None),
    ("North Pole", 90, 0, None),
]


@pytest.mark.parametrize(
    ("latitude", "longitude", "code"), [place[1:] for place in PLACES], ids=[p[0] for p in PLACES]
)
def test_country_of_a_place(world, latitude, longitude, code):
    assert world.country_at([(latitude, longitude)])[0] == code


def names_elsewhere(world, table, countries):
    """The places that have another country than GeoNames says."""
    points = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    found = world.country_at(points)
    rows = np.flatnonzero(found != np.array(countries, dtype=object))
    return [(table["name"][row].as_py(), countries[row], found[row]) for row in rows]


# Claimed by two, or by neither; and parishes of Macao that GeoNames gives to China.
NOT_AS_GEONAMES = {("IL", "PS"), ("SY", "IL"), ("MA", "EH"), ("SS", "SD"), ("CN", "MO")}


def test_cities_are_in_the_country_that_geonames_says(world):
    table = city_table()
    elsewhere = names_elsewhere(world, table, table["country"].to_pylist())
    assert len(elsewhere) <= 20
    assert {(said, found) for _, said, found in elsewhere} <= NOT_AS_GEONAMES
    assert {"Jerusalem", "Ariel", "Smara", "Kafia Kingi"} <= {name for name, *_ in elsewhere}


def test_towns_and_villages_are_too(world):
    table = pq.read_table(Path(boundaries.__file__).parent / "data" / "places.parquet")
    countries = [region.split(".")[0] for region in table["region"].to_pylist()]
    elsewhere = names_elsewhere(world, table, countries)
    assert len(elsewhere) <= 40
    others = {name for name, said, found in elsewhere if (said, found) not in NOT_AS_GEONAMES}
    assert others == {"Abū Mūsá", "Dhekelia", "Hoàng Sa", "Sarupathar"}


def test_labels_and_search_agree_on_islands_and_enclaves(world):
    points = np.array([place[1:3] for place in PLACES])
    assert label_countries(points, None).tolist() == [place[3] for place in PLACES]


def test_stated_country_goes_before_the_place(world):
    points = np.array([[48.86, 2.35], [48.86, 2.35], [np.nan, np.nan], [np.nan, np.nan], [0.0, -30.0]])
    stated = np.array(["DE", None, "IT", None, None], dtype=object)
    labels = label_countries(points, stated)
    assert labels.tolist() == ["DE", "FR", "IT", None, None]
    assert stated.tolist() == ["DE", None, "IT", None, None]  # the caller's own stay as they are
    assert label_countries(points, None).tolist() == ["FR", "FR", None, None, None]
    assert label_countries(np.empty((0, 2)), []).tolist() == []
    with pytest.raises(ValueError, match="1 countries for 5 points"):
        label_countries(points, ["FR"])


def test_countries_by_other_boundaries():
    square = Boundaries(["XX"], [box(2, 48, 3, 49)])
    assert label_countries([[48.86, 2.35], [0.0, 0.0]], [None, None], square).tolist() == ["XX", None]


def test_one_side_of_the_date_line_is_near_the_other(world):
    """Off Taveuni and Chukotka, the nearest land is across 180°."""
    off_chukotka = [(65.5, 179.95), (70.95, 179.0), (70.95, -178.0)]
    assert world.country_at(off_chukotka).tolist() == ["RU", "RU", "RU"]
    assert world.country_at([(-16.7, -179.6), (-17.3, 179.95)]).tolist() == ["FJ", "FJ"]


def test_longitude_180_is_minus_180(world):
    assert world.country_at([(71.2, 180), (71.2, -180)]).tolist() == ["RU"] * 2


def test_poles_are_near_every_longitude(world):
    around = [(89.9, longitude) for longitude in range(-180, 180, 30)]
    assert set(world.country_at(around, max_distance_km=None)) == {"GL"}
    assert set(world.country_at([(-89.999, longitude) for longitude in range(-180, 180, 30)])) == {"AQ"}


def test_limit_of_distance(world):
    coast = np.array([-22.95, 14.4])
    for distance, code in ((DEFAULT_MAX_DISTANCE_KM - 10, "NA"), (DEFAULT_MAX_DISTANCE_KM + 10, None)):
        assert world.country_at([destination(coast, 270, distance)])[0] == code
    far = [destination(coast, 270, 900)]
    assert world.country_at(far)[0] is None
    assert world.country_at(far, max_distance_km=None)[0] is not None
    assert world.country_at([destination(coast, 270, 5)], max_distance_km=0)[0] is None


def test_limit_is_kept_to_a_metre(world):
    """Also where the nearest border's piece reaches farther than its middle."""
    rng = np.random.default_rng(5)
    points = random_points(20_000, 5)
    sea = points[world.index_at(points, max_distance_km=0) < 0]
    borders = Segments.of(np.array([world.geometry(code) for code in world.codes], dtype=object))
    places, owner = borders.nearest(sea)
    distance = haversine_km(sea, places)
    for row in rng.choice(np.flatnonzero(distance < 300), 40):
        limits = distance[row] + np.array([-0.001, 0.001])
        found = [int(world.index_at(sea[[row]], max_distance_km=limit)[0]) for limit in limits]
        assert found == [-1, owner[row]]


def test_unknown_coordinates_have_no_country(world):
    points = [(np.nan, 0), (48.86, 2.35), (0, np.nan), (np.nan, np.nan)]
    assert world.country_at(points, max_distance_km=None).tolist() == [None, "FR", None, None]


def test_no_points_no_countries(world):
    assert world.country_at(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ((48.9, 2.4), "shape"),
        (np.zeros((3, 3)), "shape"),
        ([(0, 0), (91, 0)], "row 1"),
        ([(0, np.inf)], "row 0"),
        ([(0, 400)], "longitude 400"),
    ],
)
def test_wrong_points_are_refused(world, points, message):
    with pytest.raises(ValueError, match=message):
        world.country_at(points)


@pytest.mark.slow
def test_search_agrees_with_plain_tests(world):
    """Cutting into pieces changes nothing."""
    points = random_points(4000, 1)
    found = world.country_at(points, max_distance_km=0)
    shapes = [world.geometry(code) for code in world.codes]
    for (latitude, longitude), code in zip(points, found, strict=True):
        holders = [
            c for c, s in zip(world.codes, shapes, strict=True) if s.intersects(Point(longitude, latitude))
        ]
        assert code == (holders[0] if holders else None)


def test_shapes_are_complete_and_sound(world):
    assert world.codes == country_codes()
    for code in world.codes:
        shape_ = world.geometry(code)
        west, south, east, north = shape_.bounds
        assert shape_.is_valid, code
        assert -180 <= west <= east <= 180, code
        assert -90 <= south <= north <= 90, code
        assert all(part.exterior.is_ccw for part in shape_.geoms), code


def test_land_is_drawn_once(world):
    points = random_points(40_000, 2)
    shapes = [world.geometry(code) for code in world.codes]
    row, _ = shapely.STRtree(shapes).query(shapely.points(points[:, ::-1]), predicate="intersects")
    assert len(row) == len(np.unique(row))
    # 29.2 % of the Earth is land; lakes as large as the Caspian Sea are left out.
    assert len(row) / len(points) == pytest.approx(0.288, abs=0.01)


@pytest.mark.parametrize(
    ("code", "latitude", "longitude", "km"),
    [
        ("FR", 46.5, 2.5, 60),
        ("DE", 51.1, 10.4, 30),
        ("AU", -25.7, 134.3, 40),
        ("RU", 66.0, 96.0, 80),
        ("FJ", -17.8, 178.0, 100),
        ("AQ", -85.0, 82.0, 200),
        ("VA", 41.904, 12.4525, 1),
    ],
)
def test_middle_of_a_country(world, code, latitude, longitude, km):
    assert haversine_km(world.centroid(code), (latitude, longitude)) < km


def test_middle_of_a_country_is_in_it(world):
    middles = [world.centroid(code) for code in world.codes]
    assert world.country_at(middles, max_distance_km=0).tolist() == list(world.codes)


def test_mean_of_a_spherical_surface():
    """Half the globe around (0°, 0°), and an octant: known by symmetry."""
    half = Boundaries(["H"], [box(-90, -90, 90, 90)])
    octant = Boundaries(["O"], [box(0, 0, 90, 90)])
    assert half.centroid("H") == pytest.approx((0, 0), abs=1e-6)
    assert octant.centroid("O") == pytest.approx((np.degrees(np.arctan(np.sqrt(0.5))), 45), abs=1e-3)


def test_middle_moves_inside_a_crescent():
    crescent = box(0, 0, 10, 10).difference(box(1, 1, 10, 9))
    latitude, longitude = Boundaries(["C"], [shapely.geometry.polygon.orient(crescent)]).centroid("C")
    assert crescent.contains(Point(longitude, latitude))
    assert longitude == pytest.approx(1, abs=0.01)
    assert latitude == pytest.approx(5, abs=0.1)


def test_middle_moves_inside_where_the_way_there_only_grazes_a_corner():
    islands = MultiPolygon([box(0, 0, 0.001, 0.001), Polygon([(3, 1), (3.001, 0.9999), (3, 1.0001)])])
    shape_ = MultiPolygon([shapely.geometry.polygon.orient(part) for part in islands.geoms])
    latitude, longitude = Boundaries(["I"], [shape_]).centroid("I")
    assert shape_.intersects(Point(longitude, latitude))


def test_point_on_a_border_goes_to_the_first_country():
    two = Boundaries(["B", "A"], [box(0, 0, 1, 1), box(1, 0, 2, 1)])
    assert two.country_at([(0.5, 1.0)])[0] == "B"


def test_unknown_code_has_no_shape(world):
    with pytest.raises(CountryNameError, match='"ZZ"'):
        world.geometry("ZZ")


def test_own_boundaries_can_be_read(tmp_path):
    path = tmp_path / "mine.parquet"
    square = Polygon([(0, 0), (1, 0), (1, 1), (0, 1)])
    pq.write_table(pa.table({"code": ["SQ"], "geometry": [shapely.to_wkb(square)]}), path)
    assert Boundaries.read(path).country_at([(0.5, 0.5)]).tolist() == ["SQ"]


def test_wrong_columns_are_told(tmp_path):
    path = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"name": ["SQ"]}), path)
    with pytest.raises(DatasetError, match='no column "geometry"'):
        Boundaries.read(path)


@pytest.mark.parametrize("codes", [["A"], ["A", "A"]])
def test_codes_must_fit_the_shapes(codes):
    with pytest.raises(ValueError, match="one shape for each code"):
        Boundaries(codes, [box(0, 0, 1, 1), box(1, 0, 2, 1)])


def test_packed_boundaries_are_read_once():
    assert Boundaries.packed() is Boundaries.packed()


def test_outlines_are_small_geojson():
    collection = outlines()
    text = json.dumps(collection)
    assert len(text) < 300_000
    assert collection["type"] == "FeatureCollection"
    names = {
        feature["properties"]["code"]: feature["properties"]["name"] for feature in collection["features"]
    }
    assert names["FR"] == "France"
    assert {"XK", "GF", "TW", "AQ"} <= names.keys()
    for feature in collection["features"]:
        area = shape(feature["geometry"])
        assert area.is_valid
        assert -180 <= area.bounds[0] <= area.bounds[2] <= 180
        assert np.array_equal(shapely.get_coordinates(area), shapely.get_coordinates(area).round(2))


def test_importing_geo_loads_no_shapely():
    script = "import sys, lostfound.geo; print({'shapely', 'scipy', 'babel', 'numpy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


# Natural Earth's own codes, where they are not ISO 3166-1 alpha-3, as this package labels them.
NATURAL_EARTH = {
    **{"ALD": "AX", "ATC": "AU", "CYN": "CY", "KAS": "IN", "KOS": "XK", "PSX": "PS", "SAH": "EH"},
    **{"SDS": "SS", "SOL": "SO"},
}
# What is cut out here on purpose: from, to.
SPLITS = {
    *(("FR", "GF"), ("FR", "GP"), ("FR", "MQ"), ("FR", "RE"), ("FR", "YT"), ("NO", "SJ"), ("NL", "BQ")),
    *(("NZ", "TK"), ("RU", "UA"), ("MA", "EH"), ("MA", "ES"), ("CN", "HK"), ("CN", "MO")),
}


@pytest.mark.data
@pytest.mark.slow
def test_agrees_with_natural_earth_itself(world):
    path = DATA / "boundaries" / "ne_50m_admin_0_countries.json"
    if not path.is_file():
        pytest.skip(f"no boundaries at {path}: set LOSTFOUND_TEST_DATA to the folder that holds them")
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    codes = {country.alpha_3: country.alpha_2 for country in pycountry.countries} | NATURAL_EARTH
    labels = [codes.get(feature["properties"]["ADM0_A3"]) for feature in features]
    shapes = [shapely.make_valid(shape(feature["geometry"])) for feature in features]
    points = random_points(70_000, 4)
    row, feature = shapely.STRtree(shapes).query(shapely.points(points[:, ::-1]), predicate="intersects")
    row, first = np.unique(row, return_index=True)
    expected = np.array(labels, dtype=object)[feature[first]]
    known = expected != None  # noqa: E711
    row, expected = row[known], expected[known]
    assert len(row) > 20_000

    found = world.country_at(points[row])
    differs = [(a, b) for a, b in zip(expected, found, strict=True) if a != b and (a, b) not in SPLITS]
    assert len(differs) / len(row) < 0.002, differs


@pytest.mark.data
def test_all_real_photos_are_in_a_country(world):
    path = DATA / "street-panoramas" / "metadata.json"
    if not path.is_file():
        pytest.skip(f"no real photos at {path}: set LOSTFOUND_TEST_DATA to the folder that holds them")
    samples = json.loads(path.read_text(encoding="utf-8"))["samples"]
    found = world.country_at([sample["coordinates"] for sample in samples])
    assert None not in found
    assert 50 <= len(set(found)) <= 60


@pytest.mark.slow
def test_the_packed_pieces_are_those_of_the_packed_countries(world):
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "build_pieces.py"))
    packed, built = pq.read_table(script["DATA"] / "country_pieces.parquet"), script["pieces"]()

    assert packed["country"].to_pylist() == built["country"].to_pylist()
    ours, fresh = (shapely.from_wkb(table["geometry"].to_numpy()) for table in (packed, built))
    assert shapely.equals_exact(ours, fresh, tolerance=1e-9).all()


def test_countries_that_are_not_kept_are_read_anew(world, monkeypatch):
    assert Boundaries.packed() is world
    assert Boundaries.packed(keep=False) is world, "what is held anyway need not be read"
    monkeypatch.setattr("lostfound.geo.boundaries._packed", cache(boundaries._packed.__wrapped__))
    once = Boundaries.packed(keep=False)
    assert once is not Boundaries.packed(keep=False) is not world
    assert once.country_at([(48.86, 2.35)]).tolist() == ["FR"]


def test_many_points_are_answered_as_each_alone(world, monkeypatch):
    points = random_points(2000, 7)
    points[::9] = np.nan
    whole = world.country_at(points)
    monkeypatch.setattr("lostfound.geo.boundaries._TURN", 300)

    assert world.country_at(points).tolist() == whole.tolist()
