"""What tests of the page share: a real server on loopback, a real browser, real files."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from html_page import CHROMIUM
from PIL import Image

WAIT_S = 60


class RunningServer:
    """`lostfound serve` on a port of its own, that can be killed and started again."""

    def __init__(self, begin: Callable[..., Any], *options: object) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start = lambda: begin("serve", "--port", self.port, *options)
        self.process = self._start()

    def wait(self) -> RunningServer:
        """Until it is ready."""
        deadline = time.monotonic() + WAIT_S
        while not self._is_ready():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "it does not get ready"
            time.sleep(0.05)
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """At once, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def again(self) -> None:
        """On the same port."""
        self.process = self._start()
        self.wait()


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
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH")
    playwright_api = pytest.importorskip("playwright.sync_api")
    with playwright_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def pictures(world: Path, made_once: Callable[..., Path]) -> list[Path]:
    """Six photos of the generated world, large enough to be looked at."""

    def build(folder: Path) -> None:
        folder.mkdir()
        for number, path in enumerate(sorted(world.rglob("*.jpg"))[:6]):
            Image.open(path).resize((640, 480)).save(folder / f"street-{number}.jpg", quality=85)

    return sorted(made_once("page-photos", build).iterdir())
