import pyarrow as pa
import pytest

from lostfound.data.preparing.corrections import Corrections
from lostfound.data.preparing.enrich import enrich, name_countries
from lostfound.data.records import SCHEMA
from lostfound.errors import CountryNameError
from lostfound.geo.regions import Regions

PARIS, BERLIN, SAHARA, SEA = (48.85, 2.35), (52.52, 13.4), (23.0, 5.0), (-48.87, -123.39)


def table(*rows):
    rows = [
        {"image_id": str(number), "latitude": spot[0], "longitude": spot[1], **fields}
        for number, (spot, fields) in enumerate(rows)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@pytest.mark.parametrize(
    ("rule", "countries", "changed"),
    [
        ("keep", [None, "MC", "JP", None], 0),
        ("fill", ["FR", "MC", "JP", None], 1),
        ("replace", ["FR", "DE", "JP", None], 2),
    ],
)
def test_countries_are_read_from_coordinates(rule, countries, changed):
    records = table((PARIS, {}), (BERLIN, {"country": "MC"}), ((None, None), {"country": "JP"}), (SEA, {}))

    records, found = enrich(records, country=rule)

    assert records["country"].to_pylist() == countries
    assert found.country == changed


def test_regions_are_named_so_that_no_two_are_alike():
    records, found = enrich(
        table((PARIS, {}), (BERLIN, {"region": "stated"}), (SEA, {}), ((None, None), {})),
        regions=Regions.nearest_place(),
    )

    regions = records["region"].to_pylist()
    assert regions[0] == "Île-de-France, France (FR.11)"
    assert regions[1] == "stated"
    assert regions[3] is None
    assert found.region == 2


def test_a_city_is_near():
    records, found = enrich(table((PARIS, {}), (SAHARA, {}), ((None, None), {})), city=True)

    assert records["city"][0].as_py() is not None
    assert records["city"].to_pylist()[1:] == [None, None]
    assert found.city == 1


def test_a_moved_image_gets_the_labels_of_its_true_place(tmp_path):
    (tmp_path / "t.csv").write_text("image_id,lat,lng\n0,52.52,13.4\n")
    records, _ = enrich(table((PARIS, {})), regions=Regions.nearest_place(), city=True)

    records, found = enrich(
        records, corrections=Corrections.read(tmp_path / "t.csv"), regions=Regions.nearest_place(), city=True
    )

    row = records.to_pylist()[0]
    assert (row["country"], row["region"]) == ("DE", "State of Berlin, Germany (DE.16)")
    assert "Paris" not in row["city"]
    assert (found.corrected, found.moved, found.country) == (1, 1, 1)


def test_names_of_countries_become_codes():
    spot = (None, None)
    rows = [(spot, {"country": name}) for name in ("Czechia", "Kosovo", "FR", None, "Norwayy")]

    records, count = name_countries(table(*rows))

    assert records["country"].to_pylist() == ["CZ", "XK", "FR", None, "NO"]
    assert count == 3


def test_a_name_that_no_one_knows_is_refused():
    with pytest.raises(CountryNameError, match="'Atlantis'"):
        enrich(table(((None, None), {"country": "Atlantis"})))
