"""The confusion matrix is drawn for any number of countries."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lostfound.evaluation.confusion_plot import MAX_CLASSES, _what_others_are, draw_confusion

CODES = [first + second for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJ"]


def drawn(truth: list[str | None], guess: list[str | None]) -> Image.Image:
    data = draw_confusion(np.array(truth, dtype=object), np.array(guess, dtype=object), title="a title")
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "PNG"
    return image


@pytest.mark.parametrize(
    ("truth", "guess"),
    [
        (["FR"], ["FR"]),
        (["FR"], ["DE"]),
        (["FR", "DE", None], ["FR", "FR", "DE"]),
        (["FR", "DE"], [None, "DE"]),
        ([None, None], ["FR", "DE"]),
        ([], []),
    ],
)
def test_small_cases_are_drawn(truth: list[str | None], guess: list[str | None]) -> None:
    assert min(drawn(truth, guess).size) > 100


@pytest.mark.slow
def test_a_hundred_countries_are_drawn_with_the_rest_together() -> None:
    hundred = drawn(CODES, CODES[1:] + CODES[:1])
    limit = drawn(CODES[:MAX_CLASSES], CODES[:MAX_CLASSES])
    assert hundred.width < 1.1 * limit.width
    assert hundred.height < 2000


def test_it_tells_right_from_wrong() -> None:
    """All right is a dark diagonal, all wrong is dark beside it."""

    def dark(image: Image.Image) -> np.ndarray:
        pixels = np.asarray(image.convert("RGB")).astype(int)
        return (pixels[..., 2] - pixels[..., 0] > 60) & (pixels[..., 0] < 60)

    right, wrong = drawn(["FR", "JP"], ["FR", "JP"]), drawn(["FR", "JP"], ["JP", "FR"])
    assert right.size == wrong.size
    axes = (slice(None), slice(0, right.width * 3 // 4))  # without the colour bar
    assert not (dark(right)[axes] & dark(wrong)[axes]).any()
    assert dark(right)[axes].any()


def test_the_picture_names_what_others_holds() -> None:
    truth, guess = ["FR", "FR", "DE", "AT", "AT"], ["FR", "IT", "FR", "None", "DE"]
    assert _what_others_are(truth, guess, ["FR"], width=200) == (
        "others: 2 with images: AT 2, DE 1; 1 guessed alone: IT; no country guessed"
    )
