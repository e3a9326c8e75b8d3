"""Heat maps over a picture: what speaks for an answer in orange, what speaks against it in blue."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lostfound.predict.explain import EvidenceMap, Measure

FOR, AGAINST = (232, 89, 12), (25, 113, 194)
"""Colours, RGB, that people of any colour vision tell apart."""
_MOST = 0.82  # opacity of the strongest value: the picture shows through
_LEAST_RANGE: dict[Measure, float] = {"class activation": 0.5, "probability": 0.5, "distance": 10.0}
"""Smaller ranges are drawn as if they were that wide, so that nothing looks like something."""
ENDS: dict[Measure, tuple[str, str]] = {
    "class activation": ("speaks against it", "speaks for it"),
    "probability": ("more probable while hidden", "less probable while hidden"),
    "distance": ("", "the answer moves while hidden"),
}
"""What the ends of the legend mean."""


def scale_of(measure: Measure, maps: Sequence[EvidenceMap]) -> float:
    """The value that is drawn strongest: the same for all maps of a measure, so that they can be compared."""
    largest = [float(np.abs(each.values).max()) for each in maps if each.measure == measure]
    return max([_LEAST_RANGE[measure], *largest])


def colours(values: NDArray[np.floating[Any]], scale: float) -> NDArray[np.uint8]:
    """Values as colours to lay over a picture: none at 0, strongest at ± the scale.

    Args:
        values: Of any shape (...).
        scale: The value that is drawn strongest.

    Returns:
        (..., 4), uint8, RGBA.
    """
    share = np.clip(np.asarray(values, dtype=np.float64) / scale, -1, 1)
    rgba = np.empty((*share.shape, 4), dtype=np.uint8)
    rgba[..., :3] = np.where((share >= 0)[..., None], FOR, AGAINST)
    rgba[..., 3] = np.round(255 * _MOST * np.abs(share))
    return rgba


def overlay(values: NDArray[np.float32], scale: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A map as a smooth picture of some height and width, (height, width, 4), uint8, RGBA."""
    smooth = Image.fromarray(values.astype(np.float32)).resize(size[::-1], Image.Resampling.BICUBIC)
    return colours(np.asarray(smooth), scale)


def grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture without its colours, which would be taken for the map's: (height, width, 3), uint8."""
    return np.array(Image.fromarray(picture).convert("L").convert("RGB"))


def laid_over(picture: NDArray[np.uint8], over: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture (height, width, 3) with colours (height, width, 4) on it."""
    opacity = over[..., 3:].astype(np.float64) / 255
    return np.asarray(np.round(picture * (1 - opacity) + over[..., :3] * opacity), dtype=np.uint8)


def draw_heat_map(picture: NDArray[np.uint8], evidence: EvidenceMap, *, scale: float, title: str) -> bytes:
    """A map over its picture, with a legend in the map's unit.

    Args:
        picture: (height, width, 3), uint8, as `Explanation.picture`.
        evidence: The map.
        scale: The value that is drawn strongest (see `scale_of`).
        title: Above the picture.

    Returns:
        A PNG.
    """
    height, width = picture.shape[:2]
    figure = Figure(figsize=(6.4, 6.4 * height / width + 1.35), dpi=120, layout="constrained")
    image, legend = figure.subplots(2, 1, height_ratios=[6.4 * height / width, 0.16])
    image.imshow(laid_over(grey(picture), overlay(evidence.values, scale, (height, width))))
    image.set_axis_off()
    image.set_title(title, fontsize=11)
    low = 0.0 if evidence.measure == "distance" else -scale
    ramp = colours(np.linspace(low, scale, 256)[None], scale)
    legend.imshow(
        laid_over(np.full((1, 256, 3), 168, dtype=np.uint8), ramp), aspect="auto", extent=(low, scale, 0, 1)
    )
    legend.set_yticks([])
    legend.tick_params(labelsize=9)
    left, right = ENDS[evidence.measure]
    unit = {"points": "points of percent"}.get(evidence.unit, evidence.unit)
    arrows = f"← {left}     {unit}     {right} →" if left else f"{unit} {right} →"
    legend.set_xlabel(arrows, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
