"""Heat maps: what is for an answer in orange, against it in blue, nothing where there is nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lostfound.pages.heat_map import (
    AGAINST,
    FOR,
    colours,
    draw_heat_map,
    grey,
    laid_over,
    overlay,
    scale_of,
)
from lostfound.predict.explain import EvidenceMap
from lostfound.predict.guess import Candidate

JAPAN = Candidate("JP", "Japan", 0.4, 36.0, 138.0, "JP")


def evidence(values: list[list[float]], measure: str = "probability") -> EvidenceMap:
    return EvidenceMap("answer", JAPAN, measure, np.array(values, dtype=np.float32))


def test_colours_say_for_and_against() -> None:
    strong, against, nothing, beyond = colours(np.array([4.0, -4.0, 0.0, 99.0]), 4.0)
    assert tuple(strong[:3]) == FOR
    assert tuple(against[:3]) == AGAINST
    assert strong[3] == against[3] == beyond[3] > 200
    assert nothing[3] == 0


def test_maps_of_a_measure_share_their_scale() -> None:
    maps = [evidence([[1.0, -8.0]]), evidence([[3.0]]), evidence([[900.0]], "distance")]
    assert scale_of("probability", maps) == 8.0
    assert scale_of("distance", maps) == 900.0
    assert scale_of("class activation", maps) > 0


def test_a_map_of_nothing_is_drawn_as_nothing() -> None:
    flat = [evidence([[0.001, -0.001]])]
    assert overlay(flat[0].values, scale_of("probability", flat), (20, 40))[..., 3].max() < 2


def test_an_overlay_is_as_large_as_it_should_be_and_on_the_right_side() -> None:
    over = overlay(evidence([[0, 5], [0, 0]]).values, 5.0, (60, 90))
    assert over.shape == (60, 90, 4)
    row, column = np.unravel_index(over[..., 3].argmax(), over.shape[:2])
    assert row < 30
    assert column > 45


def test_laying_nothing_over_a_picture_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(laid_over(picture, np.zeros((8, 8, 4), dtype=np.uint8)), picture)
    assert (np.ptp(grey(picture), axis=2) == 0).all()


@pytest.mark.parametrize("measure", ["class activation", "probability", "distance"])
@pytest.mark.parametrize("shape", [(60, 90), (90, 60)])
def test_a_picture_with_a_legend(measure: str, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 120, dtype=np.uint8)
    data = draw_heat_map(picture, evidence([[1, 0], [0, 2]], measure), scale=2.0, title="Answer: Japan 40 %")
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    pixels = np.asarray(image.convert("RGB")).astype(int)
    orange = (pixels[..., 0] - pixels[..., 2] > 60).any(axis=1)
    assert orange[: len(orange) * 3 // 4].any()  # the picture
    assert orange[len(orange) * 3 // 4 :].any()  # the legend
