"""What pages that work with no network have in common: everything inside one file, and a strict policy.

A page's content security policy forbids every request and every script but its own, so that a name from a
file can't smuggle either in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from string import Template

from lostfound.errors import LostFoundError


def fill_page(name: str, **values: str) -> str:
    """Put a page together from ``assets/NAME.html``, ``.css`` and ``.js``, and Leaflet.

    The style sheet of the map page comes first, so that all pages look alike.

    Args:
        name: Of the three files.
        values: What else the page's template names: HTML that is already escaped, or `script_json`.
    """
    scripts = {"leaflet_js": asset("leaflet.js"), "page_js": asset(f"{name}.js")}
    own = "" if name == "map" else asset(f"{name}.css")
    styles = {"leaflet_css": asset("leaflet.css"), "page_css": asset("map.css") + own}
    return Template(asset(f"{name}.html")).substitute(
        values,
        **scripts,
        **styles,
        leaflet_license=asset("LEAFLET-LICENSE"),
        script_hashes=_hashes(scripts.values()),
        style_hashes=_hashes(styles.values()),
    )


def script_json(value: object) -> str:
    """JSON that can't end the script element it stands in, whatever the names in it hold."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def write_page(path: str | Path, page: str) -> Path:
    """Write a page's file. It appears whole or not at all.

    Args:
        path: The HTML file to write; its folder is made if need be.
        page: Its text.

    Returns:
        The path written.

    Raises:
        LostFoundError: The file can't be written there.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file name may hold bytes that are no text; those become question marks.
        partial.write_bytes(page.encode("utf-8", "replace"))
        partial.replace(path)
    except OSError as error:
        raise LostFoundError(
            f"Can't write the map to {path}: {error.strerror}. Name a file in a folder you can write to."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return path


def asset(name: str) -> str:
    """The text of a file among the pages' assets."""
    return (resources.files("lostfound.pages") / "assets" / name).read_text(encoding="utf-8")


def _hashes(texts: Iterable[str]) -> str:
    """The texts' hashes as a content security policy lists them."""
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
    )
