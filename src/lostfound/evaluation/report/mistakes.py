"""The most confident mistakes of an evaluation, as pictures."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.matching import Matched
from lostfound.evaluation.metrics import METRICS, wrong_answers
from lostfound.evaluation.report.sections import named, percent, section
from lostfound.pages.elements import element
from lostfound.pages.thumbnails import data_uri, thumbnail

MOST = 24
SIDE = 160
"""Pixels of a picture's shorter side."""


def worst_rows(matched: Matched, most: int = MOST) -> NDArray[np.intp]:
    """The rows of wrong answers, one a place, the surest first.

    Of answers that don't say how sure they are the farthest.
    """
    found = wrong_answers(matched)
    if found is None:
        rows = np.flatnonzero(matched.located)
        order = np.argsort(-matched.distance_km[rows], kind="stable")
    else:
        assert matched.confidence is not None
        rows = np.flatnonzero(found[0] & found[1])
        order = np.argsort(-matched.confidence[rows], kind="stable")
    _, first = np.unique(matched.truth.places[rows[order]].astype(str), return_index=True)
    return rows[order[np.sort(first)[:most]]]


def mistakes_section(matched: Matched, dataset: Dataset | None) -> Element | None:
    """The mistakes with what was said, what is true, and the photo where there is a data set."""
    rows = worst_rows(matched)
    if not len(rows):
        return None
    sure = wrong_answers(matched) is not None
    pictures = (
        {} if dataset is None else _pictures([str(matched.predictions.ids[row]) for row in rows], dataset)
    )
    names = strings(matched.truth.records, "original") if _has_names(matched) else matched.predictions.ids
    cards = [
        _card(matched, int(row), str(names[row]), pictures.get(str(matched.predictions.ids[row])))
        for row in rows
    ]
    text = (
        "Wrong answers that the model was surest of, one a place: an error in the data, a sign that it reads "
        "too much into, or a place that looks like another."
        if sure
        else "The answers that are farthest off."
    )
    return section(
        "The most confident mistakes" if sure else "The largest errors",
        element("p", text),
        element("ol", *cards, class_="mistakes"),
        id_="mistakes",
    )


def _has_names(matched: Matched) -> bool:
    return "original" in matched.truth.records.column_names


def _card(matched: Matched, row: int, name: str, picture: bytes | None) -> Element:
    guess, truth = matched.predictions.guessed_countries[row], matched.truth.countries[row]
    confidence = matched.confidence
    said = "no country" if guess is None else named(guess)
    if confidence is not None:
        said += f" {percent(float(confidence[row]))}"
    true = "not known" if truth is None else named(truth)
    if np.isfinite(matched.distance_km[row]):
        true += f", {METRICS['mean_distance_km'].text(float(matched.distance_km[row]))} off"
    return element(
        "li",
        None if picture is None else element("img", src=data_uri(picture), alt=""),
        element("strong", f"Said {said}"),
        element("span", f"Is {true}"),
        element("span", name, class_="quiet"),
    )


def _pictures(ids: list[str], dataset: Dataset) -> dict[str, bytes]:
    """Small pictures of images, by their ids; without those that can't be read."""
    number = {image: row for row, image in enumerate(dataset.records["image_id"].to_pylist())}
    found = {each: thumbnail(dataset.read(number[each]), SIDE) for each in ids if each in number}
    return {each: picture for each, picture in found.items() if picture is not None}
