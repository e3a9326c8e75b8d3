"""What tests of the page share: a real server on loopback, a real browser, real files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from html_page import browser  # noqa: F401  # a fixture
from page_visit import DESKTOP, PHONE, Visit
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


@pytest.fixture(scope="module")
def page_server(start_server: Callable[..., Any], calibrated_model_folder: Path) -> Any:
    return start_server("--model", calibrated_model_folder)


@contextmanager
def visits(browser: Any, page_server: Any) -> Iterator[Callable[..., Visit]]:  # noqa: F811
    """What opens the page, in a browser's context of its own each time; they end together."""
    contexts = []

    def begin(url: str | None = None, size: dict[str, int] = DESKTOP, **options: Any) -> Visit:
        phone = {"is_mobile": True, "has_touch": True} if size == PHONE else {}
        context = browser.new_context(
            viewport=size, reduced_motion="reduce", accept_downloads=True, **phone, **options
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        return Visit(context.new_page(), url or page_server.url)

    try:
        yield begin
    finally:
        for context in contexts:
            context.close()


@pytest.fixture
def visit(browser: Any, page_server: Any) -> Iterator[Callable[..., Visit]]:  # noqa: F811
    with visits(browser, page_server) as begin:
        yield begin


@pytest.fixture(scope="module")
def visit_of_all(browser: Any, page_server: Any) -> Iterator[Callable[..., Visit]]:  # noqa: F811
    """Visits that several tests share: these leave them as they found them."""
    with visits(browser, page_server) as begin:
        yield begin


def place(one: Visit, pictures: list[Path]) -> Visit:
    """Have three photos placed: "always answer" is on."""
    one.page.locator("#more summary").click()
    one.page.get_by_text("Always answer", exact=True).click()
    one.drop(pictures[:3])
    one.done(3)
    return one


@pytest.fixture
def placed(visit: Callable[..., Visit], pictures: list[Path]) -> Visit:
    """Three photos, all placed."""
    return place(visit(), pictures)


@pytest.fixture(scope="module")
def placed_for_all(visit_of_all: Callable[..., Visit], pictures: list[Path]) -> Visit:
    """The same, for tests that only read what the page says."""
    return place(visit_of_all(), pictures)
