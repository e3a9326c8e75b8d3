"""The base map that stands in pages."""

import importlib.util
from pathlib import Path

import pytest

from lostfound.pages.base_map import ground
from lostfound.pages.frame import asset


def test_names_only_where_they_are_asked_for():
    assert ground().keys() == {"shapes"}
    assert ground(names=True).keys() == {"shapes", "labels", "cities"}
    people = [people for *_, people in ground(names=True)["cities"]]
    assert people == sorted(people, reverse=True)


@pytest.mark.slow
def test_the_file_is_what_its_script_makes():
    file = Path(__file__).parents[2] / "scripts" / "build_ground.py"
    spec = importlib.util.spec_from_file_location("build_ground", file)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    # The polyline that Google documents, with two decimals in the place of five
    assert script.encoded([(-120200.0, 38500.0), (-120950.0, 40700.0)]) == "_p~iF~ps|U_ulLnnqC"
    assert asset("ground.json") == script.ground_text()
