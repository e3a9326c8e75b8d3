"""Where photos may be: what is left of cells, on either side of the date line, and what makes no sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.errors import LostFoundError, UsageError
from lostfound.geo.sphere import haversine_km
from lostfound.partitions import build_partition
from lostfound.predict.belief import Belief
from lostfound.predict.restrictions import Restriction, allowed_cells, parse_restriction, restricted
from lostfound.predict.support import Support

PLACES = [(48.86, 2.35), (52.52, 13.4), (-36.9, 174.8), (60.2, 24.9), (59.9, 30.3), (-18.1, 178.4)]


@pytest.fixture(scope="module")
def cells():
    return build_partition("countries", PLACES)  # DE, FI, FJ, FR, NZ, RU


@pytest.fixture(scope="module")
def support(cells) -> Support:
    return Support.of(cells)


def belief(cells, **shares: float) -> Belief:
    return Belief(
        np.array(["a"], dtype=object), cells, np.array([[shares.get(code, 0.0) for code in cells.cell_ids]])
    )


def left(cells, support: Support, restriction: Restriction, **shares: float) -> dict[str, float]:
    found, _ = restricted(belief(cells, **shares), allowed_cells(cells, support, restriction))
    return {
        code: share
        for code, share in zip(cells.cell_ids, found.probabilities[0].round(6).tolist(), strict=True)
        if share
    }


def test_countries_are_renormalised_and_what_was_left_out_is_said(cells, support) -> None:
    only = parse_restriction(countries="FR, Germany")
    found, out = restricted(belief(cells, FR=0.3, DE=0.1, NZ=0.6), allowed_cells(cells, support, only))
    assert found.probabilities[0].round(6).tolist() == [0.25, 0, 0, 0.75, 0, 0]
    assert out == pytest.approx([0.6])
    assert left(cells, support, parse_restriction(excluded="NZ"), FR=0.3, DE=0.1, NZ=0.6) == {
        "DE": 0.25,
        "FR": 0.75,
    }


def test_a_box_goes_across_the_date_line(cells, support) -> None:
    box = parse_restriction(box="-45,170,-10,-175")
    assert set(left(cells, support, box, NZ=0.2, FJ=0.1, FR=0.7)) == {"NZ", "FJ"}
    elsewhere = parse_restriction(box="-45,-175,80,170")  # the other way round
    assert left(cells, support, elsewhere, NZ=0.2, FJ=0.1, FR=0.7) == {"FR": 1.0}


def test_a_country_that_lies_partly_inside_keeps_its_part(cells, support) -> None:
    near = parse_restriction(near="60.2,24.9,400")  # all of southern Finland, Saint Petersburg
    found = left(cells, support, near, RU=0.7, FI=0.3)
    assert found["FI"] > 0.6
    assert 0 < found["RU"] < 0.4


@pytest.mark.parametrize("area", [{"near": "51,10,50"}, {"box": "50.5,9.5,51.5,10.5"}])
def test_an_area_without_any_known_place_has_its_own_points(cells, area: dict[str, str]) -> None:
    only_berlin = Support(np.array(PLACES)[[1, 3, 5, 0, 2, 4]], np.ones(6), np.arange(6))
    restriction = parse_restriction(**area)
    allowed = allowed_cells(cells, only_berlin, restriction)
    found, _ = restricted(belief(cells, DE=0.5, FR=0.5), allowed)
    assert found.probabilities[0, 0] == pytest.approx(1)
    for rule in ("best", "mean-distance", "score"):
        point = (
            found.best_points() if rule == "best" else found.distribution(allowed.support).best_points(rule)
        )
        assert haversine_km(point, (51, 10))[0] < 100


@settings(deadline=None, max_examples=60)
@given(
    st.floats(-89, 80),
    st.floats(-180, 179),
    st.floats(1, 60),
    st.floats(1, 350),
    st.floats(-90, 90),
    st.floats(-180, 179.9),
)
def test_a_box_holds_what_lies_between_its_sides(south, west, height, width, latitude, longitude) -> None:
    east = (west + width + 180) % 360 - 180
    box = Restriction(box=(south, west, min(south + height, 90.0), east))
    inside = box.allows(np.array([[latitude, longitude]]), np.array([None]))[0]
    east_of_west = (longitude - west) % 360
    expected = south <= latitude <= min(south + height, 90) and east_of_west <= width
    if min(abs(east_of_west - width), abs(east_of_west - 360)) > 1e-6:
        assert inside == expected


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"countries": "FR,DE", "excluded": "DE"}, "DE can't be both"),
        ({"box": "10,0,-10,20"}, "holds nothing"),
        ({"box": "10,5,20,5"}, "holds nothing"),
        ({"box": "10,0,100,20"}, "in degrees"),
        ({"box": "1,2,3"}, "is not south,west,north,east"),
        ({"near": "1,2,x"}, "is not latitude,longitude,kilometres"),
        ({"near": "1,2,0"}, "above 0"),
        ({"near": "nan,2,5"}, "in degrees"),
        ({"countries": "XQ"}, "names no known country"),
        ({"countries": "Germny"}, r"nearest names are .*DE \(Germany\)"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, str], said: str) -> None:
    with pytest.raises(LostFoundError, match=said):
        parse_restriction(**values)


@pytest.mark.parametrize(
    "values", [{"countries": "VA"}, {"near": "0,-30,100"}, {"countries": "FR", "near": "-37,175,100"}]
)
def test_where_nothing_is_left_it_says_what_the_model_knows(cells, support, values: dict[str, str]) -> None:
    with pytest.raises(
        UsageError, match=r"none of the model's 6 cells: it knows places in DE, FI, FJ, FR, NZ, RU"
    ):
        allowed_cells(cells, support, parse_restriction(**values))


def test_no_condition_is_no_restriction() -> None:
    assert parse_restriction() is None
    assert str(parse_restriction(countries="FR", near="1,2,3")) == "only France and within 3 km of 1,2"


def test_a_point_that_is_allowed_stays(cells, support) -> None:
    world = Restriction(box=(-90, -180, 90, 180))
    assert allowed_cells(cells, support, world).points == pytest.approx(cells.centroids)


def test_a_model_s_own_points_stay_where_the_box_holds_them(cells, support) -> None:
    france, germany = cells.cell_ids.index("FR"), cells.cell_ids.index("DE")
    points = cells.centroids[None].copy()
    points[0, france] = 45.0, 1.0
    own = Belief(np.array(["a"], dtype=object), cells, np.full((1, len(cells)), 1 / len(cells)), points)
    found, _ = restricted(own, allowed_cells(cells, support, Restriction(box=(43, 0, 52.6, 13.5))))
    assert found.points[0, france].tolist() == [45.0, 1.0]
    assert Restriction(box=(43, 0, 52.6, 13.5)).holds(found.points[0, germany])


def test_codes_may_be_in_lower_case() -> None:
    assert parse_restriction(countries="fr,es").countries == {"FR", "ES"}
    with pytest.raises(UsageError, match="names no country"):
        parse_restriction(countries=" , ")
