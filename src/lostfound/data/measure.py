"""Measuring the quality of a whole data set, on all cores, chunk by chunk."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import open_image, shrink
from lostfound.data.processes import spread
from lostfound.data.quality import MEASURES, color_variance, sharpness
from lostfound.data.records import write_atomic
from lostfound.data.rows import Row, Rows
from lostfound.errors import ImageError
from lostfound.progress import progress

_CHUNK = 256


@dataclass(frozen=True)
class _Chunk:
    number: int
    rows: Rows
    size: int | None
    part: Path | None


def measure_quality(
    dataset: Dataset, *, size: int | None = None, parts: Path | None = None, jobs: int | None = None
) -> NDArray[np.float64]:
    """The colour variance and the sharpness of every image.

    Args:
        dataset: Whose images.
        size: The shorter side, in pixels, at which they are measured; as they are stored if None.
        parts: A folder in which finished chunks are kept, so that a run that was stopped goes on.
        jobs: Processes; all cores if None.

    Returns:
        One column for each of `MEASURES`, (n, 2); NaN where an image can't be decoded.

    Raises:
        DatasetError: The data set is damaged.
    """
    measured = np.full((len(dataset), len(MEASURES)), np.nan)
    todo: list[_Chunk] = []
    for number, start in enumerate(range(0, len(dataset), _CHUNK)):
        part = parts / f"{number:06d}.npy" if parts else None
        if part and part.is_file():
            measured[start : start + _CHUNK] = np.load(part, allow_pickle=False)
        else:
            todo.append(_Chunk(number, Rows(dataset)[start : start + _CHUNK], size, part))
    waiting = sum(len(chunk.rows) for chunk in todo)
    processes = min(jobs or os.cpu_count() or 1, max(1, len(todo)))
    with progress("Measuring", len(dataset), done=len(dataset) - waiting) as advance:
        for number, values in spread(_measure_chunk, todo, jobs=processes):
            measured[number * _CHUNK :][: len(values)] = values
            advance(len(values))
    return measured


def _measure_chunk(chunk: _Chunk) -> tuple[int, NDArray[np.float64]]:
    values = np.array([_measure(row, chunk.size) for row in chunk.rows])
    if chunk.part:
        buffer = io.BytesIO()
        np.save(buffer, values)
        write_atomic(chunk.part, buffer.getvalue())
    return chunk.number, values


def _measure(row: Row, size: int | None) -> tuple[float, float]:
    try:
        image = open_image(row.read())
    except ImageError:
        return np.nan, np.nan
    if size is not None:
        image = shrink(image, size)
    return color_variance(image), sharpness(image)
