"""What the pages say of the code is so."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import lostfound

REPOSITORY = Path(__file__).parent.parent
ROOMS = {path.stem for path in Path(lostfound.__file__).parent.iterdir()}


def functions_on_the_way() -> list[str]:
    """The functions that docs/architecture.md lists on the way of one photo, by their full names."""
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text[text.index("## The way of one photo") : text.index("## How a model is trained")]
    named = re.findall(r"`([a-z_]+(?:\.\w+)+)`", section)
    return sorted({name for name in named if name.partition(".")[0] in ROOMS})


def resolved(name: str) -> Any:
    """What a dotted name below the package means."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = import_module(f"lostfound.{'.'.join(parts[:end])}")
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("lostfound"):
                raise
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"no module of {name}")


def test_the_way_is_a_long_one():
    assert len(functions_on_the_way()) > 25


@pytest.mark.parametrize("name", functions_on_the_way())
def test_what_is_on_the_way_is_there(name: str):
    assert resolved(name) is not None


@pytest.mark.parametrize("page", sorted(path.name for path in (REPOSITORY / "docs").glob("*.md")))
def test_links_between_pages_lead_somewhere(page: str):
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    missing = [target for target in targets if not (REPOSITORY / "docs" / target).exists()]
    assert missing == []
