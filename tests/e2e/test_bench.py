"""`lostfound bench`: numbers that fit together, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.slow
def test_bench_measures_every_part(lostfound, model_folder: Path, world: Path) -> None:
    done = lostfound("bench", model_folder, "--photos", world, "--rounds", 1, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["parts_ms"]) == {"decode", "preprocess", "network", "answer"}
    assert list(found["batches"]) == ["1", "2", "4", "8", "16", "32", "64"]
    numbers = [found["cold_s"], found["open_ms"], found["one_ms"], found["photos_per_second"]]
    assert all(each > 0 for each in [*numbers, *found["parts_ms"].values(), *found["batches"].values()])
    assert 1000 * found["cold_s"] > found["one_ms"]  # it starts Python, loads and opens first


@pytest.mark.slow
def test_bench_refuses_what_is_no_model(lostfound, tmp_path: Path) -> None:
    done = lostfound("bench", tmp_path)
    assert done.returncode == 1
    assert "is not a model folder" in done.stderr
