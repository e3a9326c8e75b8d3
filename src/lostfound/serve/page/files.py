"""The files of the page, by the names under which it asks for them. Nothing else of the package is served."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from lostfound.pages.base_map import borders, cities, world

INDEX = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_SHARED = ("circles.js", "frame.css", "labels.js", "leaflet.css", "leaflet.js", "LEAFLET-LICENSE")
"""Files of `lostfound.pages` that this page uses too."""
_MADE: dict[str, Callable[[], bytes]] = {"borders.json": borders, "cities.json": cities, "world.json": world}
"""The base map, made of the packed borders when it is first asked for."""


@dataclass(frozen=True)
class PageFile:
    """A file as it is served.

    Attributes:
        body: Its bytes.
        media_type: What `Content-Type` says.
        etag: A hash of the bytes, in quotes, for `ETag` and `If-None-Match`.
    """

    body: bytes
    media_type: str
    etag: str


@cache
def page_files() -> frozenset[str]:
    """The names of all files that the page may ask for below `/static/`, and `index.html`."""
    return frozenset([*(path.name for path in _own().iterdir()), *_SHARED, *_MADE])


@cache
def page_file(name: str) -> PageFile:
    """A file of the page; read, or made, once in a process.

    Args:
        name: One of `page_files`.

    Raises:
        KeyError: There is no such file.
    """
    if name not in page_files():
        raise KeyError(name)
    if name in _MADE:
        body = _MADE[name]()
    else:
        body = ((_shared() if name in _SHARED else _own()) / name).read_bytes()
    return as_page_file(name, body)


def as_page_file(name: str, body: bytes) -> PageFile:
    """Bytes as they are served under a name."""
    media_type = _TYPES.get(Path(name).suffix, "text/plain; charset=utf-8")
    return PageFile(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def content_security_policy(tiles: str | None = None) -> str:
    """What a browser may do on the page: load its own files, show pictures it was given, ask its own server.

    Args:
        tiles: The address of map tiles, `https://host/{z}/{x}/{y}.png`: pictures may come from there too.
    """
    # Photos and thumbnails are blobs; Leaflet's signs and the heat maps are data.
    pictures = [
        "'self'",
        "blob:",
        "data:",
    ]
    if tiles is not None:
        parts = urlsplit(tiles)
        pictures.append(f"{parts.scheme}://{parts.netloc.replace('{s}', '*')}")
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {' '.join(pictures)}",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _own() -> Path:
    # The package is always installed as files (hatchling wheel or editable).
    return Path(str(resources.files("lostfound.serve.page"))) / "static"


def _shared() -> Path:
    return Path(str(resources.files("lostfound.pages"))) / "assets"
