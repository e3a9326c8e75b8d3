"""What all commands print with: a console, tables whose words are never cut, JSON."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lostfound.texts import json_text, shown

_WIDE = 1000  # a pipe or a file has no edge to break lines at


def make_console(file: io.StringIO | None = None) -> Console:
    """A console for a terminal, a pipe or a text."""
    # Neither markup nor emoji: names of files and folders are shown as they are.
    made = Console(file=file, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = _WIDE
    return made


class _Table(Table):
    """A table whose cells hold no control characters."""

    def add_row(self, *cells: Any, **how: Any) -> None:
        super().add_row(*map(_harmless, cells), **how)


def _harmless(cell: Any) -> Any:
    if isinstance(cell, Text):
        return Text(shown(cell.plain), style=cell.style)
    return shown(cell) if isinstance(cell, str) else cell


def make_table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """A table whose long words are folded, never cut; columns of numbers stand to the right."""
    table = _Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    numbers = set(numbers)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def print_json(values: dict[str, Any]) -> None:
    """Print values for machines."""
    print(json_text(values))  # noqa: T201


def counted(number: int, noun: str) -> str:
    """A number of things, in words."""
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
