"""The report of an evaluation: one page that opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.matching import Matched
from lostfound.evaluation.report import classes, curves, sections
from lostfound.evaluation.report.mistakes import mistakes_section
from lostfound.evaluation.report.neighbourhoods import neighbourhoods
from lostfound.evaluation.report.numbers import by_country
from lostfound.geo.names import listed_codes
from lostfound.pages.base_map import ground
from lostfound.pages.elements import html
from lostfound.pages.frame import fill_page, write_page
from lostfound.partitions import Partition

REPORT = "report.html"
MOST_DOTS = 10_000
"""Photos on the map of errors; more are drawn at random."""
MOST_CELLS = 20_000
"""Of more cells, such as a gallery's, no map is drawn."""
FEW_CELLS = 60
"""Up to so many cells what was guessed for each is shown, else by country."""


def write_report(
    evaluation: Evaluation,
    path: str | Path,
    *,
    partition: Partition | None = None,
    dataset: Dataset | None = None,
) -> Path:
    """Write the report of an evaluation as one page that opens offline. It appears whole or not at all.

    Args:
        evaluation: What was measured.
        path: The HTML file to write.
        partition: The model's cells, for the map of them.
        dataset: Where the images are, for the pictures of mistakes; without it there are none.

    Returns:
        The path written.

    Raises:
        LostFoundError: The file can't be written there.
    """
    return write_page(path, render_report(evaluation, partition=partition, dataset=dataset))


def render_report(
    evaluation: Evaluation, *, partition: Partition | None = None, dataset: Dataset | None = None
) -> str:
    """The page's HTML; see `write_report`."""
    matched = evaluation.matched()
    data: dict[str, object] = {}
    found: list[Element | None] = [sections.headline(evaluation, matched)]
    if matched.located.any():
        data["photos"] = _errors(evaluation, matched)
        found.append(sections.errors_map(len(data["photos"]), int(matched.located.sum())))  # type: ignore[arg-type]
    if partition is not None and matched.predictions.cells is not None and len(partition) <= MOST_CELLS:
        cells = neighbourhoods(matched, partition)
        data["cells"] = cells
        photos = sum("to" in cell for cell in cells)
        probable = matched.predictions.probabilities is not None
        found.append(sections.neighbourhood_map(len(cells), photos, probable))
    if data:
        data["ground"] = ground()
    by_cells = partition is not None and matched.predictions.cells is not None and _is_few(partition, matched)
    names = _names(partition)
    found += [
        sections.side_by_side(
            curves.distance_section(matched),
            curves.calibration_section(evaluation, matched),
            curves.risk_section(evaluation, matched),
            curves.radius_section(evaluation, matched),
        ),
        classes.country_section(by_country(evaluation, matched)),
        classes.confusion_section(matched),
        classes.guesses_section(
            matched, by_cells=by_cells, name=lambda each: names.get(each) or sections.named(each)
        ),
        mistakes_section(matched, dataset),
    ]
    return fill_page(
        "report",
        title=evaluation.subject,
        count=evaluation.scored,
        note=_note(evaluation, dataset),
        data=data,
        main=html(*(each for each in found if each is not None)),
    )


def _is_few(partition: Partition, matched: Matched) -> bool:
    """Do cells say more of what was guessed than countries do, and are they few enough to be shown?"""
    countries = {code for code in matched.truth.countries if code is not None}
    return len(partition) <= FEW_CELLS or len(countries) == 1


def _names(partition: Partition | None) -> Mapping[str, str]:
    """The names of cells that are no countries."""
    if partition is None:
        return {}
    known = listed_codes()
    cells = zip(partition.cell_ids, partition.names, strict=True)
    return {cell: name for cell, name in cells if cell not in known}


def _errors(evaluation: Evaluation, matched: Matched) -> list[list[object]]:
    """What report.js draws of each photo: where it is, where it was put, how far off, and its name."""
    rows = np.flatnonzero(matched.located)
    if len(rows) > MOST_DOTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_DOTS, replace=False))
    names = _photo_names(evaluation)
    return [
        [
            *matched.truth.points[row].round(4).tolist(),
            *matched.predictions.points[row].round(4).tolist(),
            round(float(matched.distance_km[row]), 2),
            names[row],
        ]
        for row in rows
    ]


def _photo_names(evaluation: Evaluation) -> list[str]:
    table = evaluation.predictions
    column = "original" if "original" in table.column_names else "image_id"
    return [name or "" for name in strings(table, column)]


def _note(evaluation: Evaluation, dataset: Dataset | None) -> str:
    held = "where the photos were taken" if dataset is None else "small pictures of photos, and their places"
    return (
        f"Made by lostfound {evaluation.about['lostfound']}. Answers are estimates, never measurements. "
        f"This page holds {held}: mind who may see it."
    )
