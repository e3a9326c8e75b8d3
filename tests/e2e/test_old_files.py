"""What version 0.1.0 wrote still opens, and gives the same numbers (made by tests/fixtures/make_0_1_0.py)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

OLD = Path(__file__).parents[1] / "fixtures" / "0.1.0"
MODELS = sorted(path.name for path in (OLD / "models").iterdir())


def same(now: Any, then: Any) -> None:
    """The same values, and more than then; numbers up to what another processor rounds otherwise."""
    assert type(now) is type(then)
    if isinstance(then, dict):
        assert now.keys() >= then.keys()
        for key in then:
            same(now[key], then[key])
    elif isinstance(then, list):
        assert len(now) == len(then)
        for one, other in zip(now, then, strict=True):
            same(one, other)
    else:
        assert now == (pytest.approx(then, rel=1e-4, abs=1e-4) if isinstance(then, float) else then)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.slow
def test_a_model_measures_the_same(lostfound, model: str):
    done = lostfound("evaluate", OLD / "models" / model, OLD / "dataset", "--json")
    assert done.returncode == 0, done.stderr
    now = json.loads(done.stdout)
    then = json.loads((OLD / "reports" / model / "metrics.json").read_bytes())
    assert now.pop("lostfound") != then.pop("lostfound")
    same(now, then)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.slow
def test_a_model_locates_the_same(lostfound, model: str):
    done = lostfound("locate", OLD / "photo.jpg", "--model", OLD / "models" / model, "--format", "json")
    assert done.returncode == 0, done.stderr
    now = json.loads(done.stdout)
    then = json.loads((OLD / "reports" / model / "guess.json").read_bytes())
    for photos in (now["photos"], then["photos"]):
        assert photos[0].pop("photo").endswith("photo.jpg")
    same(now, then)


@pytest.mark.parametrize("name", ["dataset", "prepared"])
@pytest.mark.slow
def test_a_data_set_holds_the_same(lostfound, name: str):
    done = lostfound("stats", OLD / name, "--json")
    assert done.returncode == 0, done.stderr
    now, then = json.loads(done.stdout), json.loads((OLD / name / "dataset.json").read_bytes())
    assert now["images"] == then["images"] == 80


def test_a_data_set_is_prepared_to_the_same_table(lostfound, tmp_path: Path):
    done = lostfound("prepare", OLD / "dataset", "--to", tmp_path / "prepared", "--size", 24)
    assert done.returncode == 0, done.stderr
    now, then = (
        json.loads((folder / "prepared" / "dataset.json").read_bytes()) for folder in (tmp_path, OLD)
    )
    assert now["records_sha256"] == then["records_sha256"]


@pytest.mark.slow
def test_a_study_is_done_and_judged_the_same(lostfound, tmp_path: Path):
    shutil.copytree(OLD / "study", tmp_path / "study")
    shutil.copy(OLD / "study.yaml", tmp_path)
    command = ("compare", tmp_path / "study.yaml", "--data", OLD / "dataset", "--to", tmp_path / "study")
    listed = lostfound(*command, "--dry-run")
    assert "6 of 6 runs are done." in listed.stdout, listed.stdout + listed.stderr
    done = lostfound(*command, "--json")
    assert done.returncode == 0, done.stderr
    then = json.loads((OLD / "study" / "results.json").read_bytes())
    same(json.loads(done.stdout)["results"], then["results"])
