"""Texts that strangers wrote, such as names of files: made harmless where people look at them."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# All that a terminal may take for a command, or that turns the order of a line's letters: the control
# characters of ASCII and Latin 1, and Unicode's marks of direction and of lines.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_IN_A_NAME = re.compile(f"{_CONTROLS.pattern[:-1]}\t\n]")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # Excel takes the wide ones for the others


def shown(text: str) -> str:
    r"""A text as a terminal may get it: control characters are written out, `\x1b`; lines and tabs stay."""
    return _CONTROLS.sub(_escaped, text)


def shown_name(name: object) -> str:
    r"""A name within a text for a terminal: it stays on its line, whatever characters it holds."""
    return _IN_A_NAME.sub(_escaped, str(name))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def csv_text(rows: Iterable[Sequence[object]], *, raw: bool = False) -> str:
    """Rows as CSV for people, who open it in a spreadsheet.

    A text that a spreadsheet would compute (it begins with `= + - @`, a tab or a new line, and is no number)
    gets an apostrophe before it, which says that it is text.

    Args:
        rows: Their cells; None is empty.
        raw: Leave the texts as they are.
    """
    line = io.StringIO()
    writer = csv.writer(line)  # whose own line ends, \r\n, make it quote both characters in cells
    text = []
    for row in rows:
        writer.writerow(row if raw else [_no_formula(cell) for cell in row])
        text.append(f"{line.getvalue()[:-2]}\n")
        line.seek(0)
        line.truncate()
    return "".join(text)


def _no_formula(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(_FORMULA) or _is_number(cell):
        return cell
    return f"'{cell}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and not text.isspace() and text == text.strip()


def json_text(values: object, *, indent: int | None = 2) -> str:
    """Values as JSON: numbers that are not finite are null, what terminals obey is written out."""
    text = json.dumps(_finite(values), indent=indent, ensure_ascii=False, allow_nan=False)
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
