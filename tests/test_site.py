"""The docs as a site: built strictly, and read in a browser from a folder, with no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from html_page import browser, needs_browser  # noqa: F401  # a fixture

pytest.importorskip("material", reason="the site's generator is not installed: extra 'docs'")

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(made_once) -> Path:
    """The site, built as its readers get it; a warning ends that."""

    def build(folder: Path) -> None:
        source = os.pathsep.join(
            filter(None, [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH")])
        )  # this copy's commands
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
            cwd=REPOSITORY,
            env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": source},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr

    return made_once("site", build)


def test_every_page_is_there_and_those_of_the_code_too(site: Path):
    pages = {path.stem for path in (REPOSITORY / "docs").glob("*.md")}
    assert {f"{name}.html" for name in pages | {"commands", "settings", "names", "changes"}} <= {
        path.name for path in site.iterdir()
    }


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("commands.html", ["lostfound partition build", "<code>--same-place</code>", "--max-radius"]),
        ("settings.html", ["<code>trainer.epochs</code>", "lost-and-found-wide", "New York City"]),
        ("names.html", ["locate_place", "train_model", "ServerError", "radius_90_km"]),
        ("repository/src/lostfound/models/starter/index.html", ["not an oracle"]),
    ],
)
def test_what_the_code_says_is_on_pages(site: Path, page: str, texts: list[str]):
    html = (site / page).read_text(encoding="utf-8")
    assert [text for text in texts if text not in html] == []


@needs_browser
def test_pages_fit_and_ask_nothing_of_the_net(site: Path, browser: Any):  # noqa: F811
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in sorted(site.rglob("*.html")):
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            if width == 1280:
                page.goto(path.as_uri())
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{path.name} at {width}"
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    page.close()


@needs_browser
def test_a_search_finds_a_page(site: Path, browser: Any):  # noqa: F811
    page = browser.new_page(viewport={"width": 1280, "height": 844})
    page.goto((site / "index.html").as_uri())
    page.wait_for_selector(".md-search__input", state="visible")
    page.locator(".md-search__input").click()
    page.keyboard.type("haversine")
    page.wait_for_selector(".md-search-result__item a[href*='studies']")
    page.close()
