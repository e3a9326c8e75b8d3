"""The quality of images, by two numbers: how much their colours vary, and how sharp they are.

Both are measured of a whole data set on all cores, block by block; thresholds say which images are too low.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.dataset import Dataset, StoredImage, StoredImages
from lostfound.data.images import decoded, shrink
from lostfound.errors import RecipeError
from lostfound.files import write_atomic
from lostfound.parallel.blocks import Blocks

Measure = Literal["color_variance", "sharpness"]
MEASURES: tuple[Measure, ...] = ("color_variance", "sharpness")
_BLOCK = 256
_LEVELS = np.arange(256.0)
_SHOWN = (0.0, 0.01, 0.1, 0.5, 0.9)


def color_variance(image: Image.Image) -> float:
    """The largest of the three channels' pixel variances, on the 8-bit scale: 0 to 16 256.25.

    Black and dark images have little of it (Lost & Found's filter).
    """
    counts = np.reshape(image.convert("RGB").histogram(), (3, 256))
    pixels = image.width * image.height
    mean = counts @ _LEVELS / pixels
    return float((counts * (_LEVELS - mean[:, None]) ** 2).sum(axis=1).max() / pixels)


def sharpness(image: Image.Image) -> float:
    """The variance of the 3x3 Laplacian of the grey image (ITU-R 601), on the 8-bit scale.

    The kernel is 0 1 0, 1 -4 1, 0 1 0, and the image is mirrored at its edge, as in OpenCV's `Laplacian`.
    Blurred images have little of it.
    """
    grey = np.pad(np.asarray(image.convert("L")).astype(np.int16), 1, mode="reflect")
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian.var(dtype=np.float64))


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
    data = stored.read()
    try:
        with decoded(data) as whole:
            image = whole if size is None else shrink(whole, size)
            return color_variance(image), sharpness(image)
    except Exception:  # of whatever kind: one image must not stop the others
        return np.nan, np.nan


@dataclass(frozen=True)
class Threshold:
    """The least value of a measure that an image needs, given as it is or as a quantile.

    Attributes:
        measure: "color_variance" or "sharpness".
        value: The least value; None where a quantile is given.
        quantile: The share of images, 0 to 1, that lie below; None where a value is given.
    """

    measure: Measure
    value: float | None = None
    quantile: float | None = None

    def resolved(self, values: NDArray[np.float64]) -> float:
        """The least value, for the measured values (n,), n > 0."""
        if self.quantile is not None:
            return float(np.quantile(values, self.quantile))
        return self.value or 0.0

    def below(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the measured values (n,) are too small.

        Raises:
            RecipeError: All are; the message says how many would remain at which value.
        """
        if len(values) == 0:
            return np.zeros(0, dtype=np.bool_)
        least = self.resolved(values)
        low: NDArray[np.bool_] = values < least
        if low.all():
            raise RecipeError(
                f"quality.min_{self.measure} of {least:g} would drop all {len(values)} images, whose largest "
                f"value is {values.max():.1f}. What remains at which value: {_remaining(values)}"
            )
        return low


def _remaining(values: NDArray[np.float64]) -> str:
    """How many images remain at some values, most first."""
    # Rounded down, so that the value named keeps the image that it comes from.
    steps: Sequence[float] = sorted({_floor(value) for value in np.quantile(values, _SHOWN)})
    return ", ".join(f"{step:g} keeps {int((values >= step).sum())}" for step in steps)


def _floor(value: float) -> float:
    """Rounded down to two digits that count."""
    if value < 1e-6:
        return 0.0
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.floor(value / unit) * unit)
