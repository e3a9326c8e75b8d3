"""The picture of a study: points with their intervals."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from lostfound.evaluation.metrics import METRICS
from lostfound.studies.results import StudyResults


def draw_study(outcome: StudyResults) -> bytes:
    """A column for each metric, a line for each entry.

    A point is the mean over the seeds, its bar the 95 % interval by place, the small dots the seeds; a dashed
    line goes through the baseline.

    Returns:
        A PNG.
    """
    file = outcome.study.file
    columns = list(dict.fromkeys(row.heading for row in outcome.rows if row.estimate is not None))
    entries = list(file.variants)
    width, height = 2.2 + 3.2 * len(columns), 1.4 + 0.38 * len(entries)
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    for axes, heading in zip(
        figure.subplots(1, len(columns), sharey=True, squeeze=False)[0], columns, strict=True
    ):
        for row in outcome.rows:
            if row.heading != heading or row.estimate is None:
                continue
            scale = 100 if METRICS[row.metric].unit == "share" else 1
            found, line = row.estimate, entries.index(row.entry)
            colour = "#555555" if row.entry == file.baseline else "#1f6fb2"
            value, low, high = (scale * each for each in (found.value, found.low, found.high))
            if row.entry == file.baseline:
                axes.axvline(value, color="#bbbbbb", linestyle="--", linewidth=1, zorder=0)
            axes.plot([low, high], [line, line], color=colour, linewidth=1.6, solid_capstyle="butt")
            axes.plot([value], [line], "o", color=colour, markersize=6)
            seeds = [scale * each for each in found.by_seed]
            axes.plot(seeds, [line - 0.25] * len(seeds), ".", color=colour, markersize=3, alpha=0.7)
        axes.set_title(heading.replace(", ", "\n"), fontsize=9)
        axes.set_yticks(range(len(entries)), entries, fontsize=8)
        axes.set_ylim(len(entries) - 0.5, -0.6)
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(axis="x", alpha=0.25)
    resampled = "collection" if file.hold_out else "place"
    figure.suptitle(f"{file.name}: mean over seeds, 95 % interval by {resampled}", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
