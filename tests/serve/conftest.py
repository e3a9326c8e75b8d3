"""What tests of the page share: a real server on loopback, a real browser, real files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from html_page import browser  # noqa: F401  # a fixture
from PIL import Image
from running_server import RunningServer


@pytest.fixture(scope="session")
def start_server(begin: Callable[..., Any]) -> Iterator[Callable[..., RunningServer]]:
    """Start servers; none outlives the tests."""
    started: list[RunningServer] = []

    def start(*options: object) -> RunningServer:
        started.append(RunningServer(begin, *options))
        return started[-1].wait()

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def pictures(world: Path, made_once: Callable[..., Path]) -> list[Path]:
    """Six photos of the generated world, large enough to be looked at."""

    def build(folder: Path) -> None:
        folder.mkdir()
        for number, path in enumerate(sorted(world.rglob("*.jpg"))[:6]):
            Image.open(path).resize((640, 480)).save(folder / f"street-{number}.jpg", quality=85)

    return sorted(made_once("page-photos", build).iterdir())
