"""What pages that work with no network have in common: everything inside one file, and a strict policy.

A page's content security policy forbids every request and every script but its own, so that a name from a
file can't smuggle either in.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template

from lostfound.errors import LostFoundError
from lostfound.files import write_output


def fill_page(
    name: str,
    *,
    title: str,
    count: str,
    note: str,
    data: Mapping[str, object],
    main: str | None = None,
    modules: Sequence[str] = (),
    scripts: Sequence[str] = (),
    beside: bool = False,
) -> str:
    """Put a page together: the frame that all pages share, what is this page's own, and Leaflet.

    The frame is ``assets/frame.html``, ``.css`` and ``.js``; the page's own files are ``assets/NAME.html``,
    whose blocks begin with a comment and fill the frame, ``.css`` and ``.js``. A page that is one large map
    fills ``assets/map_frame.html`` too.

    Args:
        name: Of the page's own files.
        title: The heading; any text.
        count: What is on the page, beside the heading.
        note: A sentence for the footer; any text.
        data: What the page's script reads, by the id of the element that holds it: JSON values.
        main: What the page holds, HTML of `lostfound.pages.elements`; None for one large map.
        modules: JavaScript modules among the assets that the page's script uses, each a constant of its name.
        scripts: Other scripts among them, to run before the page's own.
        beside: Whether the page may show pictures that lie beside it.
    """
    styles = [asset(file) for file in ("leaflet.css", "frame.css", f"{name}.css")]
    loaded = [asset(file) for file in ("leaflet.js", *scripts, "frame.js")]
    loaded += [*map(_module, modules), asset(f"{name}.js")]
    blocks = _blocks(asset(f"{name}.html"))
    blocks["footer"] = Template(blocks["footer"]).substitute(note=html.escape(note))
    blocks = {"header": "", "beside": "", **blocks}
    return Template(asset("frame.html")).substitute(
        header=blocks["header"],
        footer=blocks["footer"],
        main=Template(asset("map_frame.html")).substitute(blocks) if main is None else main,
        title=html.escape(title),
        count=html.escape(count),
        data="\n".join(
            f'<script type="application/json" id="{id_}">{script_json(value)}</script>'
            for id_, value in data.items()
        ),
        styles="\n".join(f"<style>{text}</style>" for text in styles),
        scripts="\n".join(f"<script>{text}</script>" for text in loaded),
        licenses="\n".join(_licenses(scripts)),
        images="data: 'self' file:" if beside else "data:",
        script_hashes=_hashes(loaded),
        style_hashes=_hashes(styles),
    )


def _module(file: str) -> str:
    """A JavaScript module as a constant of its name that holds its exports: a page has no files to import.

    What it imports of ``dom.js`` is ``frame.make``.
    """
    text = asset(file)
    names = re.findall(r"^export (?:const|class|function) (\w+)", text, flags=re.MULTILINE)
    own = re.sub(r"^export ", "", re.sub(r"^import .*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    inside = f"const {{ make }} = frame;\n{own}\nreturn {{ {', '.join(names)} }};\n"
    return f'"use strict";\nconst {Path(file).stem} = (() => {{\n{inside}}})();\n'


def _licenses(scripts: Iterable[str]) -> Iterator[str]:
    """The licences of others' work in a page."""
    for name in ("leaflet.js", *scripts):
        yield f"This page holds {name.removesuffix('.js').capitalize()}, under this licence:\n"
        yield asset(f"{name.removesuffix('.js').upper()}-LICENSE")


def _blocks(text: str) -> dict[str, str]:
    """The blocks of a page's own HTML by their names; those of one line without its end."""
    _, *parts = re.split(r"^<!-- (\w+) -->\n", text, flags=re.MULTILINE)
    blocks = dict(zip(parts[::2], parts[1::2], strict=True))
    return {name: block[:-1] if block.count("\n") == 1 else block for name, block in blocks.items()}


def script_json(value: object) -> str:
    """JSON that can't end the script element it stands in, whatever the names in it hold."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def write_page(path: str | Path, page: str) -> Path:
    """Write a page's file. It appears whole or not at all.

    Args:
        path: The HTML file to write; its folder is made if need be; `-` for standard output.
        page: Its text.

    Returns:
        The path written.

    Raises:
        LostFoundError: The file can't be written there.
    """
    path = Path(path)
    try:
        # A file name may hold bytes that are no text; those become question marks.
        write_output(path, page.encode("utf-8", "replace"))
    except OSError as error:
        raise LostFoundError(
            f"Can't write the page to {path}: {error.strerror}. Name a file in a folder you can write to."
        ) from error
    return path


def asset(name: str) -> str:
    """The text of a file among the pages' assets."""
    return (resources.files("lostfound.pages") / "assets" / name).read_text(encoding="utf-8")


def _hashes(texts: Iterable[str]) -> str:
    """The texts' hashes as a content security policy lists them."""
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
    )
