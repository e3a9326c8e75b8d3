"""What tests of the game share: a real server on loopback, a real browser, a data set of drawn streets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from html_page import browser  # noqa: F401  # a fixture
from running_server import RunningServer

from lostfound.data.dataset import Dataset
from lostfound.play.places import Places, game_key
from lostfound.play.settings import GameSettings, Mode
from lostfound.play.store import Store
from lostfound.play.study import PlayStudy


@pytest.fixture
def start_game(begin: Callable[..., Any], dataset_folder: Path) -> Iterator[Callable[..., RunningServer]]:
    """Start servers of the game; none outlives the test."""
    started: list[RunningServer] = []

    def start(*options: object, to: Path) -> RunningServer:
        told = ("--split", "all", "--to", to, *options)
        started.append(RunningServer(begin, dataset_folder, *told, command="play"))
        return started[-1].wait()

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def study(dataset_folder: Path, tmp_path: Path) -> Iterator[Callable[..., PlayStudy]]:
    """Studies in this process."""
    opened: list[Store] = []

    def make(mode: Mode = Mode.countries, folder: str = "play", **settings: Any) -> PlayStudy:
        own = {"rounds": 4, "practice": 2, "split": "all"} | settings
        places = Places(Dataset.open(dataset_folder), GameSettings(mode=mode, **own))
        opened.append(Store.open(tmp_path / folder, game_key(places)))
        return PlayStudy(places, opened[-1], None, None)

    yield make
    for store in opened:
        store.close()
