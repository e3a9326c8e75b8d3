"""The sections of a report about classes: countries, what is taken for what, and guesses for each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from lostfound.evaluation.matching import Matched
from lostfound.evaluation.metrics import METRICS
from lostfound.evaluation.report import numbers
from lostfound.evaluation.report.sections import figure, named, percent, section
from lostfound.pages.charts import bar, matrix_chart
from lostfound.pages.elements import Cell, element, table

CONFUSED, CLASSES, GUESSES = 48, 40, 4
"""At most so many countries in the matrix, classes with their guesses, and guesses of each by name."""


def country_section(rows: Sequence[numbers.CountryRow]) -> Element | None:
    """The table of countries."""
    if not rows:
        return None
    shown = [name for name in numbers.BY_COUNTRY if any(name in row.scores for row in rows)]
    heads = ["country", "continent", "#images", "#places"]
    for name in shown:
        heads.append(f"#{METRICS[name].heading}")
        if name in ("country_accuracy", "median_distance_km"):
            heads.append("95 % interval")
    heads.append("most often taken for")
    return section(
        "Country by country",
        element("p", "Tap a heading to sort by it. Countries with few images have wide intervals."),
        table(heads, [_country(row, shown) for row in rows], caption="Countries", sorts=True),
        id_="countries",
    )


def _country(row: numbers.CountryRow, shown: Sequence[str]) -> list[str | Cell]:
    cells: list[str | Cell] = [
        Cell(named(row.country), named(row.country)),
        Cell(numbers.continent_of(row.country), numbers.continent_of(row.country)),
        Cell(str(row.images), row.images),
        Cell(str(row.places), row.places),
    ]
    for name in shown:
        score, metric = row.scores.get(name), METRICS[name]
        cells.append(Cell("–") if score is None else Cell(metric.number(score.value), score.value))
        if name in ("country_accuracy", "median_distance_km"):
            if score is None:
                cells.append(Cell("–"))
            else:
                wide = score.high - score.low
                cells.append(Cell(f"{metric.number(score.low)} to {metric.number(score.high)}", wide))
    others = ", ".join(f"{named(code)} {percent(count / row.images)}" for code, count in row.taken_for[:2])
    cells.append(Cell(others or "–", row.taken_for[0][1] / row.images if row.taken_for else 0.0))
    return cells


def confusion_section(matched: Matched) -> Element | None:
    """What was taken for what, by continent."""
    found, groups = numbers.country_confusion(matched, CONFUSED)
    if not found.classes:
        return None
    continents = numbers.continent_confusion(matched)
    rows = [
        (name, *(percent(share) if share else "" for share in shares), str(int(counts.sum())))
        for name, shares, counts in zip(continents.classes, continents.shares, continents.counts, strict=True)
        if counts.sum()
    ]
    names = [
        "…" if each.startswith(numbers.ELSEWHERE) else "–" if each == numbers.NOWHERE else each
        for each in found.classes
    ]
    shares = [
        (int(row), int(column), float(found.shares[row, column]), _confused(found, row, column))
        for row, column in zip(*np.nonzero(found.counts), strict=True)
    ]
    chart = matrix_chart(
        names, groups, shares, says="Confusion of countries; the tables above and below have its numbers"
    )
    caption = (
        "True countries down, guessed ones across, by continent; darker is more of the true one's images. "
        f"The {CONFUSED} countries with most images stand alone, “…” are the others of their continent."
    )
    return section(
        "What is taken for what",
        table(
            ["true continent", *(f"#{name}" for name in continents.classes), "#images"],
            rows,
            caption="Continents: share of each row's images by the guessed continent",
        ),
        figure(element("div", chart, class_="scrolls", tabindex="0", role="group"), caption=caption),
        id_="confusion",
    )


def _confused(found: numbers.Confusion, row: int, column: int) -> str:
    true, guess = (named(found.classes[each]) for each in (row, column))
    of = int(found.counts[row].sum())
    count, share = found.counts[row, column], percent(found.shares[row, column])
    return f"{true} taken for {guess}: {share} ({count} of {of})"


def guesses_section(matched: Matched, *, by_cells: bool, name: Callable[[str], str]) -> Element | None:
    """For each true class, what was guessed."""
    rows = numbers.guesses_by_class(matched, by_cells=by_cells)
    if not rows:
        return None
    shown = [_guessed(*row, name) for row in rows[:CLASSES]]
    kind = "cells" if by_cells else "countries"
    left = f" The {CLASSES} {kind} with most images of {len(rows)}." if len(rows) > CLASSES else ""
    return section(
        "What was guessed for each",
        element("p", f"Green is right; the other shades are what it was taken for.{left}"),
        element("ol", *shown, class_="guesses"),
        id_="guesses",
    )


def _guessed(
    true: str, images: int, guesses: Sequence[tuple[str, int]], name: Callable[[str], str]
) -> Element:
    own = dict(guesses).get(true, 0)
    wrong = [(guess, count) for guess, count in guesses if guess != true]
    parts = [("right", name(true), own), *((f"w{i}", name(g), n) for i, (g, n) in enumerate(wrong[:GUESSES]))]
    others = sum(count for _, count in wrong[GUESSES:])
    if others:
        parts.append((f"w{GUESSES}", f"{len(wrong) - GUESSES} others", others))
    shares = [(count / images, class_, f"{what} {percent(count / images)}") for class_, what, count in parts]
    said = ", ".join(text for share, _, text in shares[1:])
    return element(
        "li",
        element("strong", name(true)),
        element("span", f" {percent(own / images)} of {images}", class_="quiet"),
        bar([part for part in shares if part[0] > 0]),
        element("span", said or "never taken for another", class_="quiet"),
    )
