"""The description of the API: committed, and kept by the server under requests made from it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import lostfound

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")

REPOSITORY = Path(__file__).parent.parent.parent


def described() -> dict:
    return json.loads((REPOSITORY / "docs" / "openapi.json").read_text(encoding="utf-8"))


def test_the_committed_description_is_the_servers():
    spec = importlib.util.spec_from_file_location(
        "write_openapi", REPOSITORY / "scripts" / "write_openapi.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    committed = module.TARGET.read_text(encoding="utf-8")
    assert module.openapi_text() == committed, "run scripts/write_openapi.py and look at what has changed"


def test_a_guess_has_exactly_the_fields_of_a_guess(pictures):
    own = lostfound.load().using(within=lostfound.Restriction(excluded=frozenset({"US"}))).locate(pictures[0])
    told = set(described()["components"]["schemas"]["Guess"]["properties"])
    assert told >= set(own.as_dict())
    assert told - set(own.as_dict()) == {"photo", "photos", "heat_maps", "regions", "cities"} | (
        set() if own.warning else {"warning"}
    )


def test_its_example_could_be_an_answer():
    (example,) = described()["components"]["schemas"]["Guess"]["examples"]
    guess = lostfound.Guess.from_dict(example)
    assert guess.as_dict() == {name: value for name, value in example.items() if name != "photo"}
    assert guess.country == guess.candidates[0].country


@pytest.mark.slow
def test_requests_made_from_it_are_answered_as_it_says(start_server):
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: extra 'dev'")
    import subprocess
    import sys

    assert schemathesis.__version__
    server = start_server()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
            *("--max-examples", "12", "--seed", "1", "--no-color", "--phases", "examples,coverage,fuzzing"),
            # what is a photo, or a country, no JSON schema can say: such requests may be refused
            *("--exclude-checks", "positive_data_acceptance,unsupported_method"),
        ],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
