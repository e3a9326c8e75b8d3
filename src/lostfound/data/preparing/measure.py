"""Measuring the quality of a whole data set, on all cores, block by block."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset, StoredImage, StoredImages
from lostfound.data.images import open_image, shrink
from lostfound.data.preparing.quality import MEASURES, color_variance, sharpness
from lostfound.errors import ImageError
from lostfound.files import write_atomic
from lostfound.parallel.blocks import Blocks

_BLOCK = 256


def measure_quality(
    dataset: Dataset, *, size: int | None = None, parts: Path | None = None, jobs: int | None = None
) -> NDArray[np.float64]:
    """The colour variance and the sharpness of every image.

    Args:
        dataset: Whose images.
        size: The shorter side, in pixels, at which they are measured; as they are stored if None.
        parts: A folder in which finished blocks are kept, so that a run that was stopped goes on.
        jobs: Processes; all cores if None.

    Returns:
        One column for each of `MEASURES`, (n, 2); NaN where an image can't be decoded.

    Raises:
        DatasetError: The data set is damaged.
    """
    blocks = Blocks(len(dataset), _BLOCK)
    images = StoredImages(dataset)
    measured = np.full((len(dataset), len(MEASURES)), np.nan)

    def part(number: int) -> Path | None:
        return parts / f"{number:06d}.npy" if parts else None

    def keep(number: int, values: NDArray[np.float64]) -> None:
        measured[blocks.rows(number)] = values

    missing = []
    for number in range(len(blocks)):
        finished = part(number)
        if finished and finished.is_file():
            keep(number, np.load(finished, allow_pickle=False))
        else:
            missing.append(number)
    blocks.do(
        missing,
        lambda number: (images[blocks.rows(number)], part(number)),
        partial(_measure_block, size=size),
        title="Measuring",
        jobs=jobs,
        finished=keep,
    )
    return measured


def _measure_block(block: tuple[StoredImages, Path | None], *, size: int | None) -> NDArray[np.float64]:
    """Measure some images; writes the values to the part, if there is to be one."""
    images, part = block
    values = np.array([_measure(image, size) for image in images])
    if part:
        buffer = io.BytesIO()
        np.save(buffer, values)
        write_atomic(part, buffer.getvalue())
    return values


def _measure(stored: StoredImage, size: int | None) -> tuple[float, float]:
    try:
        image = open_image(stored.read())
    except ImageError:
        return np.nan, np.nan
    if size is not None:
        image = shrink(image, size)
    return color_variance(image), sharpness(image)
