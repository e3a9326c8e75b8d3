"""The sections of a report that are curves: distances, calibration, risk, radii."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from lostfound.evaluation.bootstrap import Score
from lostfound.evaluation.card import describe
from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.matching import Matched
from lostfound.evaluation.metrics import DISTANCES_KM, METRICS
from lostfound.evaluation.report import numbers
from lostfound.evaluation.report.sections import details, figure, percent, section
from lostfound.pages.charts import Axis, Line, line_chart, percent_axis
from lostfound.pages.elements import table

_KM = [(0.01, "10 m"), (0.1, "100 m"), *((each, f"{each:g}") for each in (1, 10, 100, 1000)), (1e4, "10 000")]
FEW = 20
"""So many images in a bin are too few: its share of right answers may be off by twenty points."""


def distance_section(matched: Matched) -> Element | None:
    """How many answers are within each distance."""
    start = numbers.nearest_km(matched)
    curve = numbers.distance_curve(matched, start)
    if curve is None:
        return None
    known = matched.distance_km[matched.located]
    line = Line(
        "answers",
        list(zip(curve.at, curve.value, strict=True)),
        list(zip(curve.at, curve.low, curve.high, strict=True)),
    )
    rows = [
        (f"{limit} km ({name})", percent(float((known <= limit).mean()), 1))
        for name, limit in DISTANCES_KM.items()
    ]
    chart = line_chart(
        km_axis(start),
        percent_axis("answers within it (%)"),
        [line],
        says="Share of answers within a distance: " + "; ".join(": ".join(row) for row in rows),
    )
    caption = (
        f"How many of the {len(known)} answers are within a distance, on a logarithmic axis, with the 95 % "
        "interval."
    )
    content = details("The numbers", table(["within", "#answers"], rows, caption="Answers within a distance"))
    return section("How far off", figure(chart, caption=caption, rest=[content]), id_="distance")


def km_axis(start: float) -> Axis:
    """The logarithmic axis of distances."""
    ticks = [tick for tick in _KM if tick[0] >= start]
    return Axis("distance (km)", start, numbers.FARTHEST_KM, ticks, log=True)


def calibration_section(evaluation: Evaluation, matched: Matched) -> Element | None:
    """Is the model as often right as it says?"""
    bins = numbers.reliability(matched)
    if not bins:
        return None
    assert evaluation.calibration_error is not None
    share = percent_axis("right (%)")
    chart = line_chart(
        percent_axis("probability of the best candidate (%)"),
        share,
        [
            Line("", [(0.0, 0.0), (1.0, 1.0)]),
            Line("answers", [(each.confidence, each.accuracy) for each in bins], dots=True),
        ],
        says=f"Reliability diagram: expected calibration error {evaluation.calibration_error:.3f}",
    )
    rows = [(percent(each.confidence, 1), percent(each.accuracy, 1), str(each.images)) for each in bins]
    caption = (
        f"Is it as often right as it says? On the dashed line it is; below it the model is too sure. Bins of "
        f"equally many images; expected calibration error {evaluation.calibration_error:.3f}."
    )
    if max(each.images for each in bins) < FEW:
        caption += " With so few images in a bin it jumps up and down even for a model whose word is exact."
    listed = table(["probability", "#right", "#images"], rows, caption="Reliability by bin")
    return section(
        "Are its probabilities true", figure(chart, caption=caption, rest=[details("The numbers", listed)]),
        id_="calibration",
    )  # fmt: skip


def risk_section(evaluation: Evaluation, matched: Matched) -> Element | None:
    """What is gained where it answers only what it is sure of."""
    curve = numbers.risk_curve(matched)
    if curve is None:
        return None
    lines = [Line("answers", [(float(at), float(risk)) for at, risk in curve])]
    abstained, area = matched.abstained, evaluation.metrics.get("area_under_risk_coverage")
    said = ""
    if abstained is not None and "answered_accuracy" in evaluation.metrics:
        right = evaluation.metrics["answered_accuracy"].value
        lines.append(Line("as it abstains", [(float((~abstained).mean()), 1 - right)], dots=True))
        said = " The dot is where the model itself stops."
    chart = line_chart(
        *risk_axes(lines),
        lines,
        says="Risk by coverage: " + "; ".join(": ".join(row) for row in _risks(curve)),
    )
    wrong = (
        "its best cell is not the true one" if matched.predictions.cells is not None else "it is 750 km off"
    )
    size = (
        ""
        if area is None
        else f" Area under the curve: {METRICS['area_under_risk_coverage'].text(area.value)}."
    )
    caption = (
        "If it answers only the photos that it is surest of, how many are wrong? "
        f"An answer is wrong if {wrong}.{size}{said}"
    )
    listed = table(["answered", "#wrong among them"], _risks(curve), caption="Risk by coverage")
    return section(
        "What it should rather not answer",
        figure(chart, caption=caption, rest=[details("The numbers", listed)]),
        id_="risk",
    )


def risk_axes(lines: Sequence[Line]) -> tuple[Axis, Axis]:
    """The axes of coverage and risk, on which lines have room."""
    highest = max(risk for line in lines for _, risk in line.points)
    return percent_axis("answered, the surest first (%)"), percent_axis("wrong among them (%)", highest)


def _risks(curve: NDArray[np.float64]) -> list[tuple[str, str]]:
    found = [(share, int(np.searchsorted(curve[:, 0], share))) for share in (0.1, 0.25, 0.5, 0.75, 1.0)]
    return [(percent(curve[at, 0]), percent(curve[at, 1], 1)) for _, at in found if at < len(curve)]


def radius_section(evaluation: Evaluation, matched: Matched) -> Element | None:
    """Is the truth within the stated radii as often as they say?"""
    rows, lines = [], [Line("", [(0.0, 0.0), (1.0, 1.0)])]
    for share in (50, 90):
        score: Score | None = evaluation.metrics.get(f"radius_{share}_coverage")
        stated = getattr(matched.predictions, f"radius_{share}_km")
        if score is None or stated is None:
            continue
        size = METRICS["median_distance_km"].text(float(np.nanmedian(stated)))
        _, value, interval = describe(f"radius_{share}_coverage", score)
        rows.append((f"{share} % radius", f"{share} %", value, interval, size))
        lines.append(Line("", [(share / 100, score.low), (share / 100, score.high)]))
        lines.append(Line(f"{share} %", [(share / 100, score.value)], dots=True))
    if not rows:
        return None
    chart = line_chart(
        percent_axis("said to be within the radius (%)"),
        percent_axis("is within it (%)"),
        lines,
        says="Radius coverage: " + "; ".join(f"{row[0]}: {row[2]} ({row[3]})" for row in rows),
    )
    caption = (
        "Is the truth within the stated radius as often as is said? On the dashed line it is. Bars are 95 % "
        "intervals. By country: in the table below."
    )
    listed = table(
        ["radius", "#should hold", "#holds", "95 % interval", "#median radius"],
        rows,
        caption="Radius coverage",
    )
    return section("Are its radii true", figure(chart, caption=caption, rest=[listed]), id_="radii")
