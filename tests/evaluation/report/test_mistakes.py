"""The most confident mistakes: which they are, and their pictures."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
from html_page import Page
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.matching import Matched, Truth
from lostfound.evaluation.report.mistakes import SIDE, mistakes_section, worst_rows
from lostfound.pages.elements import html
from lostfound.pages.thumbnails import thumbnail
from lostfound.predict.predictions import Predictions


def matched(places, guesses, sure) -> Matched:
    """Photos of France."""
    n = len(places)
    records = pa.table(
        {
            "image_id": [f"i{row}" for row in range(n)],
            "place_id": places,
            "latitude": np.full(n, 47.0),
            "longitude": np.arange(n, dtype=float),
            "country": ["FR"] * n,
        }
    )
    ranked = None if guesses is None else np.array(guesses, dtype=object)[:, None]
    probabilities = None if sure is None else np.array(sure)[:, None]
    return Matched(
        Predictions(records["image_id"].to_numpy(), np.full((n, 2), [47.0, 0.0]), ranked, probabilities),
        Truth(records),
    )


def test_the_surest_wrong_answers_one_a_place() -> None:
    answers = matched(["a", "b", "b", "c", "d"], ["DE", "IT", "ES", "FR", "IT"], [0.4, 0.8, 0.9, 1.0, 0.5])
    assert worst_rows(answers).tolist() == [2, 4, 0]
    assert worst_rows(answers, most=1).tolist() == [2]


def test_without_probabilities_the_farthest() -> None:
    assert worst_rows(matched(["a", "b", "c"], None, None)).tolist() == [2, 1, 0]


def test_nothing_wrong_no_section() -> None:
    assert mistakes_section(matched(["a"], ["FR"], [0.9]), None) is None


def test_a_mistake_says_what_was_said_and_what_is_true() -> None:
    page = Page(html(mistakes_section(matched(["a"], ["DE"], [0.876]), None)))  # type: ignore[arg-type]
    assert page.texts("strong") == ["Said Germany 88\u00a0%"]
    assert page.texts("span")[0] == "Is France, 0.000 km off"


def test_pictures_are_of_the_data_set(measured: Evaluation, dataset: Dataset) -> None:
    page = Page(html(mistakes_section(measured.matched(), dataset)))  # type: ignore[arg-type]
    assert len([1 for tag, *_ in page.elements if tag == "img"]) == len(page.texts("li"))


@pytest.mark.parametrize("bad", [b"", b"not an image"])
def test_what_can_not_be_read_has_no_picture(bad: bytes) -> None:
    assert thumbnail(bad, SIDE) is None


def test_pictures_are_small() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1600, 1200), (90, 140, 60)).save(buffer, "PNG")
    small = thumbnail(buffer.getvalue(), SIDE)
    assert small is not None
    assert min(Image.open(io.BytesIO(small)).size) == SIDE
