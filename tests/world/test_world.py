import math

import numpy as np
import pycountry
import pytest

from lostfound.errors import CountryNameError, UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.world import DEFAULT_COUNTRIES, render, sample_places
from lostfound.world.climate import climate_at
from lostfound.world.facts import FAMILY_OF
from lostfound.world.light import sun_position
from lostfound.world.scene import road_bearing
from lostfound.world.style import LINE_YELLOW, style_of

CODES = sorted({country.alpha_2 for country in pycountry.countries} | {"XK"})
PARIS = (48.85, 2.35)


def along_the_road(latitude, longitude, **options):
    return render(latitude, longitude, road_bearing(latitude, longitude, options.get("seed", 0)), **options)


def likeness(first, second):
    """Correlation of two pictures' pixels."""
    return np.corrcoef(first.astype(float).ravel(), second.astype(float).ravel())[0, 1]


def turned(picture, degrees, field_of_view):
    """What a level pinhole camera would see after a turn to the right, and which of its pixels are known."""
    size = picture.shape[0]
    focal = size / 2 / math.tan(math.radians(field_of_view) / 2)
    y, x = np.mgrid[0:size, 0:size] + 0.5 - size / 2
    angle = math.radians(degrees)
    ahead = focal * math.cos(angle) - x * math.sin(angle)
    right = focal * math.sin(angle) + x * math.cos(angle)
    u = np.floor(right / ahead * focal + size / 2).astype(int)
    v = np.floor(y / ahead * focal + size / 2).astype(int)
    known = (ahead > 0) & (u >= 0) & (u < size) & (v >= 0) & (v < size)
    return picture[v.clip(0, size - 1), u.clip(0, size - 1)], known


class TestPlaces:
    def test_more_places_keep_the_first_ones(self):
        assert sample_places(30, seed=4)[:13] == sample_places(13, seed=4)

    def test_each_lies_in_its_country(self):
        places = sample_places(60, seed=1)
        found = Boundaries.packed().country_at([(p.latitude, p.longitude) for p in places])
        assert list(found) == [p.country for p in places]

    def test_countries_take_turns_and_ids_differ(self):
        places = sample_places(36)
        assert [p.country for p in places] == list(DEFAULT_COUNTRIES) * 3
        assert len({p.place_id for p in places}) == 36

    def test_another_seed_draws_other_places(self):
        assert sample_places(5, seed=1)[0].latitude != sample_places(5, seed=2)[0].latitude

    def test_places_are_even_over_area(self):
        """In Brazil half of the places should lie on either side of the line that halves its area."""
        latitudes = np.array([p.latitude for p in sample_places(600, countries=["BR"])])
        assert 0.42 < (latitudes < -9.5).mean() < 0.62

    def test_the_date_line_is_no_obstacle(self):
        longitudes = [p.longitude for p in sample_places(40, countries=["FJ"])]
        assert min(longitudes) < 0 < max(longitudes)

    def test_a_country_without_a_boundary_is_named(self):
        with pytest.raises(CountryNameError, match="QQ"):
            sample_places(1, countries=["QQ"])

    @pytest.mark.parametrize(("count", "countries"), [(-1, None), (2, [])])
    def test_wrong_requests(self, count, countries):
        with pytest.raises(UsageError):
            sample_places(count, countries=countries)


class TestRender:
    @pytest.mark.parametrize("size", [32, 96, 128])
    def test_size_and_type(self, size):
        picture = render(*PARIS, 30, size=size)
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8

    def test_same_arguments_same_picture(self):
        first = render(*PARIS, 30, seed=5)
        for other in range(12):
            render(other, other, 0, country="FR", size=32)
        assert np.array_equal(first, render(*PARIS, 30, seed=5))

    def test_seed_place_and_heading_change_it(self):
        picture = render(*PARIS, 30)
        assert not np.array_equal(picture, render(*PARIS, 30, seed=1))
        assert not np.array_equal(picture, render(*PARIS, 31))
        assert not np.array_equal(picture, render(48.86, 2.35, 30))

    def test_full_turns_change_nothing(self):
        assert likeness(render(*PARIS, 30), render(*PARIS, 390)) > 0.999

    def test_the_country_comes_from_the_coordinates(self):
        assert np.array_equal(render(*PARIS, 30), render(*PARIS, 30, country="fr"))

    @pytest.mark.parametrize("heading", [0, 77, 190, 291])
    def test_headings_of_a_place_show_one_world(self, heading):
        """The overlap of two views is the same scene, moved: far more alike than views of two places."""
        same, other = [], []
        for place in sample_places(6, seed=heading):
            spot = (place.latitude, place.longitude)
            left = render(*spot, heading, country=place.country)
            right = render(*spot, heading + 40, country=place.country)
            expected, known = turned(left, 40, 90.0)
            assert known.mean() > 0.3
            same.append(likeness(expected[known], right[known]))
            elsewhere = render(*spot, heading + 40, country=place.country, seed=99)
            other.append(likeness(expected[known], elsewhere[known]))
        assert np.mean(same) > 0.9
        assert np.mean(same) > np.mean(other) + 0.1

    @pytest.mark.parametrize("code", CODES)
    def test_every_country_can_be_drawn(self, code):
        picture = along_the_road(20.0, 10.0, country=code, size=32)
        assert picture.std() > 10

    @pytest.mark.parametrize("spot", [(90, 0), (-90, 0), (0, 180), (0, -180), (-77, 166), (0.0, -140.0)])
    def test_the_edges_of_the_earth(self, spot):
        assert render(*spot, 10, size=32).std() > 5

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"latitude": 91}, "latitude"),
            ({"longitude": 181}, "longitude"),
            ({"size": 8}, "size"),
            ({"size": 33}, "even"),
            ({"field_of_view": 179}, "field_of_view"),
            ({"heading": math.nan}, "heading"),
        ],
    )
    def test_wrong_values_are_named(self, changes, word):
        values = {"latitude": 0.0, "longitude": 0.0, "heading": 0.0, "country": "GA"} | changes
        with pytest.raises(UsageError, match=word):
            render(**values)


class TestCountries:
    def test_a_name_that_is_no_code_is_refused(self):
        with pytest.raises(CountryNameError, match="France"):
            render(*PARIS, 0, country="France")

    def test_every_code_has_a_family(self):
        assert {*CODES, *Boundaries.packed().codes} <= set(FAMILY_OF)

    def test_the_centre_line_is_on_the_other_side_where_they_drive_on_the_left(self):
        """Along the road, yellow centre lines lie left of the middle; in left-driving Thailand right."""
        sides = {}
        for code in ("US", "TH"):
            columns = []
            for place in sample_places(30, countries=[code]):
                picture = along_the_road(place.latitude, place.longitude, country=code)[90:]
                yellow = np.abs(picture.astype(int) - LINE_YELLOW).sum(axis=2) < 70
                if yellow.any():
                    columns.append(np.nonzero(yellow)[1].mean())
            assert len(columns) > 8
            sides[code] = np.median(columns)
        assert sides["US"] < 60
        assert sides["TH"] > 68

    def test_styles_differ(self):
        assert len({style_of(code) for code in CODES}) == len(CODES)


class TestNature:
    @pytest.mark.parametrize(
        ("day", "latitude", "hour", "elevation", "azimuth"),
        [
            (81, 0, 12, 90, None),
            (81, 45, 12, 45, 180),
            (172, 23.44, 12, 90, None),
            (355, 60, 12, 6.6, 180),
            (81, -45, 12, 45, 0),
            (81, 45, 6, 0, 90),
        ],
    )
    def test_the_sun_stands_where_it_should(self, day, latitude, hour, elevation, azimuth):
        high, direction = sun_position(latitude, day, hour)
        assert high == pytest.approx(elevation, abs=0.6)
        if azimuth is not None:
            assert abs((direction - azimuth + 180) % 360 - 180) < 1

    @pytest.mark.parametrize(
        ("drier", "wetter"),
        [((24, 10), (-3, -60)), ((-25, 131), (0, 110)), ((43, 105), (54, 5)), ((24, 47), (36, 138))],
    )
    def test_deserts_are_dry(self, drier, wetter):
        assert climate_at(*drier).humidity < climate_at(*wetter).humidity - 0.3

    def test_poles_are_cold_and_the_equator_warm(self):
        assert climate_at(85, 0).temperature < -8
        assert climate_at(1, 110).temperature > 20

    def test_neighbours_have_like_climates(self):
        for place in sample_places(40, seed=3):
            here = climate_at(place.latitude, place.longitude)
            there = climate_at(place.latitude - math.copysign(0.05, place.latitude), place.longitude)
            assert here.temperature == pytest.approx(there.temperature, abs=1.5)
            assert here.humidity == pytest.approx(there.humidity, abs=0.15)
