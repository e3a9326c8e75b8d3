"""Elements of pages: HTML and SVG whose texts are escaped because nothing but elements can be written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring  # it only writes here

Child = Element | str | None


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """An element.

    Args:
        tag: Of HTML or SVG.
        children: Elements and texts, in order; None is left out.
        attributes: By name, with `_` for `-`; `class_` is the class. None is left out, True has no value.

    Examples:
        >>> html(element("p", "a < b", class_="small"))
        '<p class="small">a &lt; b</p>'
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            made.set(name.rstrip("_").replace("_", "-"), "" if value is True else _value(value))
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            if last is None:
                made.text = (made.text or "") + child
            else:
                last.tail = (last.tail or "") + child
        elif child is not None:
            made.append(child)
            last = child
    return made


def html(*elements: Element) -> str:
    """Elements as they stand in a page."""
    return "\n".join(tostring(each, encoding="unicode", method="html") for each in elements)


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it says.
        value: What it is sorted by; None stands last.
    """

    text: str
    value: float | str | None = None


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str | Cell]], *, caption: str, sorts: bool = False
) -> Element:
    """A table that can be scrolled sideways where it is wider than the page.

    Args:
        headings: Over the columns; those that begin with `#` are of numbers and stand to the right.
        rows: Their cells; the first of each is the row's heading.
        caption: What the table shows.
        sorts: Do the headings sort it? (report.js)
    """
    numbers = ["number" if heading.startswith("#") else None for heading in headings]

    def cell(column: int, content: str | Cell) -> Element:
        content = content if isinstance(content, Cell) else Cell(content)
        return element(
            "td" if column else "th",
            content.text,
            class_=numbers[column],
            scope=None if column else "row",
            data_value=None if content.value is None else str(content.value),
        )

    head = element(
        "tr",
        *(
            element(
                "th",
                element("button", heading.lstrip("#"), type="button") if sorts else heading.lstrip("#"),
                class_=numbers[column],
                scope="col",
            )
            for column, heading in enumerate(headings)
        ),
    )
    body = (element("tr", *(cell(column, each) for column, each in enumerate(row))) for row in rows)
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", *body),
            class_="sorts" if sorts else None,
        ),
        class_="scrolls",
        tabindex="0",
        role="group",
        aria_label=caption,
    )
