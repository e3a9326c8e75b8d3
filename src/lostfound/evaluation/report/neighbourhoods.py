"""The map of a partition's cells that shows where the model puts the photos of each (London's figure)."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from lostfound.evaluation.matching import Matched
from lostfound.pages.partition import drawn_cells
from lostfound.partitions import Partition

FINENESS = 1 / 250
"""The detail of cells that is left out: the page is to stay small, and nobody zooms in to a border."""
_SHOWN = 15
_LEAST = 0.005


def neighbourhoods(matched: Matched, partition: Partition) -> list[dict[str, object]]:
    """What report.js reads of each cell.

    Args:
        matched: The answers, with ranked cells.
        partition: The cells.

    Returns:
        Of each cell `name`, `at`, `shape`, the photos `n` that were taken in it, and of those with photos
        `to`: the cells that the model puts them in, as pairs of a number and a share (the mean probability,
        or the share of the photos where answers have none), the most probable first.
    """
    number = {cell: index for index, cell in enumerate(partition.cell_ids)}
    ranked, probabilities = matched.predictions.cells, matched.predictions.probabilities
    assert ranked is not None
    photos: defaultdict[int, int] = defaultdict(int)
    mass: defaultdict[int, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row, true in enumerate(matched.true_cells):
        if true not in number:
            continue
        photos[number[true]] += 1
        into = mass[number[true]]
        if probabilities is None:
            if ranked[row, 0] in number:
                into[number[ranked[row, 0]]] += 1
            continue
        for cell, share in zip(ranked[row], probabilities[row], strict=True):
            if cell in number and np.isfinite(share):
                into[number[cell]] += float(share)
    cells: list[dict[str, object]] = [
        {"name": name, **drawn, "n": photos.get(cell, 0)}
        for cell, (name, drawn) in enumerate(
            zip(partition.names, drawn_cells(partition, fineness=FINENESS), strict=True)
        )
    ]
    for cell, n in photos.items():
        best = sorted(mass[cell].items(), key=lambda pair: -pair[1])[:_SHOWN]
        cells[cell]["to"] = [[other, round(share / n, 3)] for other, share in best if share / n >= _LEAST]
    return cells
