import runpy
from importlib import resources
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_names.py"


@pytest.mark.parametrize(
    ("packed", "build"), [("country_names.json", "country_file"), ("city_names.json", "city_file")]
)
def test_packed_names_are_what_the_script_builds(packed: str, build: str):
    script = runpy.run_path(str(SCRIPT))
    assert script["babel"].__version__ == script["BABEL"], "another Babel: install that of constraints.txt"
    text = (resources.files("lostfound.geo") / "data" / packed).read_text(encoding="utf-8")
    assert text.splitlines() == script[build]().splitlines()
