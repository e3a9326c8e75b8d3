"""Occlusion: hide one part of a picture after another, and see what becomes of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lostfound.predict.engine import BATCH_SIZE
from lostfound.progress import progress

if TYPE_CHECKING:
    from lostfound.predict.engine import Engine

CELLS = 12
"""Cells along the longer side of the picture; a patch hides two by two of them."""


def grid_shape(height: int, width: int, cells: int = CELLS) -> tuple[int, int]:
    """Rows and columns of cells for a picture: about square ones, each at least two pixels wide."""
    side = max(height, width) / cells
    rows, columns = (int(np.clip(round(length / side), 1, max(1, length // 2))) for length in (height, width))
    return rows, columns


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (height, width, 3) that holds colours and no details: what a hidden part is filled with.

    A patch of one colour would add edges that the network takes for something.
    """
    radius = max(image.shape[:2]) / 10
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def patches(height: int, width: int) -> tuple[tuple[int, int], list[tuple[slice, slice]]]:
    """The patches that are hidden one at a time.

    Each cell of the grid lies in four of them, also at the edges, where parts of patches lie outside.

    Args:
        height: Of the picture, pixels.
        width: Of the picture, pixels.

    Returns:
        Rows and columns of the grid, and each patch's pixels: of patch (i, j), at place
        i * (columns + 1) + j, those of the cells in rows i - 1 and i, and in columns j - 1 and j.
    """
    rows, columns = grid_shape(height, width)
    ends = [
        np.linspace(0, length, count + 1).round().astype(int)
        for length, count in ((height, rows), (width, columns))
    ]
    spans = [
        [slice(int(end[max(0, i - 1)]), int(end[min(len(end) - 1, i + 1)])) for i in range(len(end))]
        for end in ends
    ]
    return (rows, columns), [(down, across) for down in spans[0] for across in spans[1]]


def occluded_outputs(
    engine: Engine, image: NDArray[np.uint8], *, title: str = "Hiding parts"
) -> tuple[tuple[int, int], NDArray[np.float32]]:
    """The network's outputs with each patch hidden in turn, with progress.

    Args:
        engine: The model.
        image: As `Preprocessing` gives it, (height, width, 3), uint8.
        title: What the progress is called.

    Returns:
        Rows and columns of the grid, and the outputs, (patches, width), in the order of `patches`.

    Raises:
        ModelError: The graph can't be run.
    """
    shape, places = patches(*image.shape[:2])
    filling = blurred(image)
    found = []
    with progress(title, len(places)) as advance:
        for start in range(0, len(places), BATCH_SIZE):
            some = places[start : start + BATCH_SIZE]
            found.append(engine.run(np.stack(list(_hidden(image, filling, some)))))
            advance(len(some))
    return shape, np.concatenate(found)


def _hidden(
    image: NDArray[np.uint8], filling: NDArray[np.uint8], places: list[tuple[slice, slice]]
) -> Iterator[NDArray[np.uint8]]:
    for place in places:
        copy = image.copy()
        copy[place] = filling[place]
        yield copy


def cell_means(values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """What the patches over each cell did on average.

    Args:
        values: One a patch, in the order of `patches`.
        shape: Rows and columns of the grid.

    Returns:
        (rows, columns), float32.
    """
    grid = values.reshape(shape[0] + 1, shape[1] + 1)
    return np.asarray((grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:]) / 4, dtype=np.float32)
