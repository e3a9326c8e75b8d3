"""The page of the game: its own files, and those that it shares with the page of the server."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from lostfound.serve.page import PageFile, as_page_file
from lostfound.serve.page import page_file as served_file

_SHARED = frozenset(
    {
        *("frame.css", "controls.css", "map.css", "leaflet.css", "leaflet.js", "LEAFLET-LICENSE", "icon.svg"),
        *("dom.js", "ground.js", "labels.js", "world.json", "borders.json", "cities.json"),
    }
)
"""Files of `lostfound.serve.page` that this page uses too."""


@cache
def page_files() -> frozenset[str]:
    """The names of all files that the page may ask for below `/static/`, and `index.html`."""
    return frozenset([*(path.name for path in _own().iterdir()), *_SHARED])


@cache
def page_file(name: str) -> PageFile:
    """A file of the page.

    Args:
        name: One of `page_files`.

    Raises:
        KeyError: There is no such file.
    """
    if name in _SHARED:
        return served_file(name)
    if name not in page_files():
        raise KeyError(name)
    return as_page_file(name, (_own() / name).read_bytes())


def _own() -> Path:
    # The package is always installed as files (hatchling wheel or editable).
    return Path(str(resources.files("lostfound.play.page"))) / "static"
