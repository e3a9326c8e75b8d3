"""Occlusion: patches that cover the picture evenly, and what they do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.predict.occlusion import blurred, cell_means, grid_shape, occluded_outputs, patches


@given(st.integers(2, 300), st.integers(2, 300))
@settings(max_examples=60)
def test_every_pixel_lies_in_four_patches_and_no_patch_is_empty(height: int, width: int) -> None:
    (rows, columns), places = patches(height, width)
    assert len(places) == (rows + 1) * (columns + 1)
    covered = np.zeros((height, width), dtype=int)
    for place in places:
        assert covered[place].size > 0
        covered[place] += 1
    assert (covered == 4).all()


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(224, 224, (12, 12)), (80, 130, (7, 12)), (32, 32, (12, 12)), (8, 8, (4, 4)), (400, 20, (12, 1))],
)
def test_cells_are_about_square(height: int, width: int, expected: tuple[int, int]) -> None:
    assert grid_shape(height, width) == expected


def test_a_cell_is_the_mean_of_its_four_patches() -> None:
    values = np.arange(12, dtype=float)  # 2 by 3 cells, 3 by 4 patches
    np.testing.assert_allclose(cell_means(values, (2, 3)), [[2.5, 3.5, 4.5], [6.5, 7.5, 8.5]])


def test_what_is_hidden_keeps_its_colour_and_loses_its_details() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    soft = blurred(stripes)
    assert soft[16:-16, 16:-16].std() < 5
    assert abs(float(soft.mean()) - 100) < 3


class Brightness:
    """A network that answers with the mean brightness of the top left quarter."""

    def run(self, images: np.ndarray) -> np.ndarray:
        half = images.shape[1] // 2
        return images[:, :half, :half].mean(axis=(1, 2, 3))[:, None].astype(np.float32)


def test_only_what_matters_changes_the_outputs() -> None:
    image = np.zeros((48, 48, 3), dtype=np.uint8)
    image[10:14, 10:14] = 255
    shape, outputs = occluded_outputs(Brightness(), image)  # type: ignore[arg-type]
    lost = cell_means(float(Brightness().run(image[None])[0, 0]) - outputs[:, 0].astype(float), shape)
    row, column = np.unravel_index(lost.argmax(), lost.shape)
    assert {row, column} <= {2, 3}
    assert np.abs(lost[7:, 7:]).max() < 1e-4
