"""The page of a comparison: its table and the curves of all on one another."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from xml.etree.ElementTree import Element

from lostfound.evaluation.comparison import p_text
from lostfound.evaluation.metrics import METRICS
from lostfound.evaluation.report import numbers
from lostfound.evaluation.report.curves import km_axis, risk_axes
from lostfound.evaluation.report.sections import figure, section, side_by_side
from lostfound.evaluation.report.versus import Answers, Compared, Comparison
from lostfound.pages.charts import Line, legend, line_chart, percent_axis
from lostfound.pages.elements import element, html, table
from lostfound.pages.frame import fill_page, write_page

COMPARISON = "comparison.html"
NOTE = (
    "Differences are from the first, on the same images, resampled together by place (paired bootstrap); p "
    "is two-sided, and corrected for the comparisons by the same metric (Holm)."
)


def write_comparison(comparison: Comparison, path: str | Path) -> Path:
    """Write a comparison as one page that opens offline. It appears whole or not at all.

    Raises:
        LostFoundError: The file can't be written there.
    """
    return write_page(path, render_comparison(comparison))


def render_comparison(comparison: Comparison) -> str:
    """The page's HTML; see `write_comparison`."""
    found = [
        _table(comparison),
        side_by_side(_distances(comparison), _calibrations(comparison), _risks(comparison)),
    ]
    return fill_page(
        "report",
        title=" / ".join(each.name for each in comparison.answers),
        count=f"on {shared(comparison)}",
        note=f"Made by lostfound {version('lostfound')}. Answers are estimates, never measurements.",
        data={},
        main=html(*found),
    )


def shared(comparison: Comparison) -> str:
    """What all of them answered, in words."""
    noun = "image" if comparison.unit == "image" else "place"
    of = f" of {comparison.places} places" if noun == "image" else ""
    return f"{comparison.shared} {noun}{'' if comparison.shared == 1 else 's'}{of} that all of them answered"


def warnings(comparison: Comparison) -> list[str]:
    """What a reader must know of the comparison."""
    said = []
    more = [each for each in comparison.answers if each.images > comparison.shared]
    if more:
        answered = ", ".join(f"{each.name} {each.images}" for each in more)
        said.append(f"They were not given the same images: only those that all answered count ({answered}).")
    if comparison.left_out:
        names = ", ".join(METRICS[name].label for name in comparison.left_out)
        said.append(f"Their cells differ, so metrics of cells are left out: {names}.")
    return said


def cells(row: Compared) -> tuple[str, ...]:
    """A row in words: value, its interval, the difference, its interval, p."""
    metric, against = METRICS[row.metric], row.difference
    value = (
        metric.number(row.score.value),
        f"{metric.number(row.score.low)} to {metric.number(row.score.high)}",
    )
    if against is None or row.p_holm is None:
        return (*value, "–", "–", "–")
    low, high = (metric.number(each, signed=True) for each in (against.low, against.high))
    return (*value, metric.number(against.value, signed=True), f"{low} to {high}", p_text(row.p_holm))


def _table(comparison: Comparison) -> Element:
    rows = [(METRICS[row.metric].heading, row.name, *cells(row)) for row in comparison.rows]
    heads = ["metric", "who", "#value", "95 % interval", "#difference", "its 95 % interval", "#p"]
    return section(
        "In short",
        *(element("p", text) for text in warnings(comparison)),
        table(heads, rows, caption=f"On {shared(comparison)}"),
        element("p", NOTE, class_="quiet"),
        id_="short",
    )


def _names(answers: list[Answers]) -> list[Element]:
    return [legend([each.name for each in answers])]


def _distances(comparison: Comparison) -> Element | None:
    start = min(numbers.nearest_km(each.matched) for each in comparison.answers)
    curves = [numbers.distance_curve(each.matched, start) for each in comparison.answers]
    if any(curve is None for curve in curves):
        return None
    lines = [
        Line(
            each.name,
            list(zip(curve.at, curve.value, strict=True)),
            list(zip(curve.at, curve.low, curve.high, strict=True)),
        )
        for each, curve in zip(comparison.answers, curves, strict=True)
        if curve is not None
    ]
    chart = line_chart(
        km_axis(start),
        percent_axis("answers within it (%)"),
        lines,
        says="Share of answers within a distance",
    )
    return section(
        "How far off",
        figure(
            chart, caption="How many answers are within a distance.", rest=_names(list(comparison.answers))
        ),
        id_="distance",
    )


def _calibrations(comparison: Comparison) -> Element | None:
    found = [(each, numbers.reliability(each.matched)) for each in comparison.answers]
    told = [(each, bins) for each, bins in found if bins]
    if not told or "top_1_accuracy" in comparison.left_out:
        return None
    lines = [Line(each.name, [(b.confidence, b.accuracy) for b in bins], dots=True) for each, bins in told]
    chart = line_chart(
        percent_axis("probability of the best candidate (%)"),
        percent_axis("right (%)"),
        [*lines, Line("", [(0.0, 0.0), (1.0, 1.0)])],
        says="Reliability diagram",
    )
    caption = "Are they as often right as they say? On the dashed line they are."
    return section(
        "Are the probabilities true",
        figure(chart, caption=caption, rest=_names([each for each, _ in told])),
        id_="calibration",
    )


def _risks(comparison: Comparison) -> Element | None:
    found = [(each, numbers.risk_curve(each.matched)) for each in comparison.answers]
    told = [(each, curve) for each, curve in found if curve is not None]
    if not told or "area_under_risk_coverage" in comparison.left_out:
        return None
    lines = [Line(each.name, [(float(at), float(risk)) for at, risk in curve]) for each, curve in told]
    chart = line_chart(*risk_axes(lines), lines, says="Risk by coverage of each")
    caption = "If each answers only the photos that it is surest of, how many are wrong?"
    return section(
        "What is better not answered",
        figure(chart, caption=caption, rest=_names([each for each, _ in told])),
        id_="risk",
    )
