"""Pages as tests read them: their elements, and what a browser makes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

ATTACK = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
# The one without windows is the same engine, and takes half the time.
BROWSERS = (
    *("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
NO_BROWSER = f"none of {', '.join(BROWSERS)} is on PATH"
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)
# Elements that have no end.
VOID = {"img", "input", "link", "meta", "rect"}


class Page(HTMLParser):
    """The elements of a page, as a list of [tag, attributes, text directly inside]."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data

    def texts(self, tag, **wanted):
        return [text for name, has, text in self.elements if name == tag and wanted.items() <= has.items()]

    def with_class(self, word):
        return [(has, text) for _, has, text in self.elements if word in (has.get("class") or "").split()]

    def data(self, name):
        (text,) = self.texts("script", id=name)
        return json.loads(text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium. While it is open, nothing else can run an event loop in this process."""
    if CHROMIUM is None:
        pytest.skip(NO_BROWSER)
    playwright_api = pytest.importorskip("playwright.sync_api")
    with playwright_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()


@pytest.fixture
def render(browser: Any) -> Callable[..., Page]:
    """Read the document after its scripts ran, as a browser opening the file sees it."""

    def read(path: Path, fragment: str = "") -> Page:
        shown = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        shown.goto(path.as_uri() + fragment)
        shown.wait_for_load_state("networkidle")
        text = shown.content()
        shown.close()
        return Page(text.replace("&nbsp;", " "))

    return read
