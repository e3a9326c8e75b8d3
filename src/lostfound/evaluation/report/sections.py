"""The sections of a report's page, from its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from lostfound.evaluation.card import describe
from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.matching import Matched
from lostfound.geo.countries import country_name
from lostfound.geo.names import listed_codes
from lostfound.pages.elements import element, table

HEADLINES = (
    *("top_1_accuracy", "country_accuracy", "median_distance_km", "geoguessr_score"),
    *("within_200_km_region", "answered_share", "answered_accuracy"),
)
LISTED = 12
"""At most so many countries in a sentence."""


def section(title: str, *content: Element | str | None, id_: str) -> Element:
    """A section of the page."""
    return element("section", element("h2", title), *content, id=id_)


def side_by_side(*sections: Element | None) -> Element:
    """Sections beside each other where there is room."""
    return element("div", *sections, class_="beside")


def figure(chart: Element, *, caption: str, rest: Sequence[Element] = ()) -> Element:
    """A chart with what it means, and its numbers."""
    return element("figure", chart, element("figcaption", caption), *rest)


def details(summary: str, content: Element) -> Element:
    """What is shown on demand, and in print."""
    return element("details", element("summary", summary), content)


def named(code: str) -> str:
    """The name of a country, and whatever else as it is."""
    return country_name(code) if code in listed_codes() else code


def percent(share: float, digits: int = 0) -> str:
    """A share in percent, on one line."""
    return f"{100 * share:.{digits}f}\u00a0%"


def headline(evaluation: Evaluation, matched: Matched) -> Element:
    """The few numbers that matter most, then all of them with intervals."""
    found, about = evaluation.metrics, evaluation.about
    tiles = []
    for name in [name for name in HEADLINES if name in found]:
        label, value, interval = describe(name, found[name])
        tiles.append(
            element(
                "li",
                element("span", label, class_="what"),
                element("strong", value),
                element("span", f"95 %: {interval}", class_="interval"),
            )
        )
    rows = [
        (label, value, interval, str(found[name].n), str(found[name].places))
        for name in found
        for label, value, interval in [describe(name, found[name])]
    ]
    if evaluation.calibration_error is not None:
        error = f"{evaluation.calibration_error:.3f}"
        rows.append(("expected calibration error", error, "", str(about["images"]), str(about["places"])))
    said = [f"Measured on {evaluation.scored}. Intervals are 95 % bootstrap intervals by place."]
    if about["images_outside_all_cells"]:
        outside = about["countries_outside_all_cells"]
        where = ", ".join(outside[:LISTED]) + (
            f" and {len(outside) - LISTED} other countries" if len(outside) > LISTED else ""
        )
        said.append(
            f"{about['images_outside_all_cells']} lie in no cell of the model and count as wrong: {where}."
        )
    if about.get("images_without_an_answer"):
        said.append(f"{about['images_without_an_answer']} images have no answer and are left out.")
    if matched.abstained is not None:
        said.append(
            f"It abstained from {percent(float(matched.abstained.mean()), 1)} of them (the false-abstention "
            "rate, as each of them has a true place)."
        )
    return section(
        "In short",
        element("ul", *tiles, class_="tiles"),
        element("p", " ".join(said)),
        table(["metric", "#value", "95 % interval", "#images", "#places"], rows, caption="All numbers"),
        id_="short",
    )


def world_map(id_: str, label: str, *panel: Element) -> Element:
    """The place of a map that report.js draws."""
    return element(
        "div",
        element("div", id=f"{id_}-map", class_="map", role="application", aria_label=label),
        *panel,
        class_="mapped",
    )


def errors_map(shown: int, located: int) -> Element:
    """The map of where photos were taken, by how far off their answers are."""
    part = "" if shown == located else f" {shown} of {located}, drawn at random, are shown."
    legend = element("ul", id="errors-legend", class_="legend")
    text = (
        f"Each dot is where a photo was taken; its colour is how far off the answer was.{part} Tap one to "
        "see the answer."
    )
    return section(
        "Where it errs",
        element("p", text),
        world_map("errors", "Map of errors; arrow keys move it, plus and minus zoom"),
        legend,
        element("p", id="errors-said", class_="said", role="status"),
        id_="errors",
    )


def neighbourhood_map(cells: int, photos: int, probable: bool) -> Element:
    """The map of where the model puts the photos of each cell."""
    what = (
        "the mean of the probabilities that its photos were given there (of each photo the best cells count)"
        if probable
        else "the share of its photos that were put there"
    )
    text = (
        f"Point at a cell, or tap it, to see where the model puts the photos that were taken in it: {what}. "
        f"{photos} of {cells} cells have photos here; the outlined one is the true one."
    )
    return section(
        "Where each cell's photos are put",
        element("p", text),
        element("label", "Cell ", element("select", id="cell"), class_="choose"),
        world_map("cells", "Map of the cells; arrow keys move it, plus and minus zoom"),
        element("p", id="cells-said", class_="said", role="status"),
        id_="neighbourhoods",
    )
