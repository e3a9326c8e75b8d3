"""Measuring the quality of a whole data set, on all cores, chunk by chunk."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import open_image, shrink
from lostfound.data.packed import Lazy
from lostfound.data.preparing.quality import MEASURES, color_variance, sharpness
from lostfound.data.rows import StoredImage, StoredImages
from lostfound.errors import ImageError
from lostfound.files import write_atomic
from lostfound.parallel.processes import Processes
from lostfound.progress import progress

_CHUNK = 256


@dataclass(frozen=True)
class _Chunk:
    number: int
    rows: StoredImages
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
    rows = StoredImages(dataset)
    todo: list[int] = []
    done = 0

    def part(number: int) -> Path | None:
        return parts / f"{number:06d}.npy" if parts else None

    def chunk(number: int) -> _Chunk:
        return _Chunk(number, rows[number * _CHUNK : (number + 1) * _CHUNK], size, part(number))

    for number, start in enumerate(range(0, len(dataset), _CHUNK)):
        finished = part(number)
        if finished and finished.is_file():
            values = np.load(finished, allow_pickle=False)
            measured[start : start + _CHUNK] = values
            done += len(values)
        else:
            todo.append(number)
    with Processes(jobs) as processes, progress("Measuring", len(dataset), done=done) as advance:
        for number, values in processes.spread(_measure_chunk, Lazy(chunk, todo)):
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


def _measure(row: StoredImage, size: int | None) -> tuple[float, float]:
    try:
        image = open_image(row.read())
    except ImageError:
        return np.nan, np.nan
    if size is not None:
        image = shrink(image, size)
    return color_variance(image), sharpness(image)
