"""The browser collector on our own game: `lostfound play`, end to end on loopback."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from html_page import needs_browser
from running_server import RunningServer

from lostfound.collect.browser.profile import load_profile
from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates
from lostfound.play.store import read_study

pytest.importorskip("segno", reason="the game is not installed: extra 'play'")
pytestmark = [
    needs_browser,
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed: extra 'browser'"
    ),
]
NAME = "lostfound-play"


@pytest.mark.slow
def test_pictures_and_true_places_of_two_games_become_records(
    lostfound: Any, begin: Callable[..., Any], dataset_folder: Path, tmp_path: Path
) -> None:
    options = ("--mode", "map", "--split", "all", "--rounds", 3, "--practice", 0, "--pixels", "64x64")
    server = RunningServer(begin, dataset_folder, *options, "--to", tmp_path / "play", command="play").wait()
    try:
        packaged = resources.files("lostfound") / "recipes" / "collecting" / f"{NAME}.yaml"
        profile = tmp_path / "profile.yaml"
        profile.write_text(packaged.read_text().replace("http://127.0.0.1:8001", server.url))
        done = lostfound(
            *("collect", "browser", profile, "--to", tmp_path / "data", "--rounds", 5, "--pace", 0),
            *("--jobs", 1, "--timeout", 20),
            cwd=tmp_path,
            **{"HOME": os.environ.get("HOME", str(tmp_path))},
        )
    finally:
        server.kill()
    assert done.returncode == 0, done.stderr
    found = Dataset.open(tmp_path / "data")
    assert len(found) == 5
    assert set(found.records["source"].to_pylist()) == {f"browser-{NAME}"}
    truth = {tuple(point) for point in coordinates(Dataset.open(dataset_folder).records).tolist()}
    own = coordinates(found.records)
    assert {tuple(point) for point in own.tolist()} <= truth, "each place is a true one"
    assert len(np.unique(own, axis=0)) == 5, "the second game had other places"
    _, guesses = read_study(tmp_path / "play")
    assert len({each.game for each in guesses}) == 2
    assert {each.player for each in guesses} == {"Player 1"}


def test_the_profile_in_the_package_is_found_by_its_name() -> None:
    assert load_profile(Path(NAME)).site == "http://127.0.0.1:8001"
