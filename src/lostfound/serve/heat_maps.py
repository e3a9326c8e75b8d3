"""Heat maps for the page: which parts of a photo speak for an answer, laid over the whole photo."""

from __future__ import annotations

import asyncio
import base64
import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.images import Preprocessing, centred_box, decoded
from lostfound.errors import LostFoundError, ModelError
from lostfound.predict.explain import EvidenceMap, Explanation
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator
from lostfound.progress import silent
from lostfound.serve.problems import Problem, busy

LONGER_SIDE = 480
"""Pixels of an overlay; the page stretches it over the photo."""
_MOST_WAITING = 16


class HeatMaps:
    """Explains photos one by one, beside all else: hiding parts of a photo runs the network 170 times."""

    def __init__(self) -> None:
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="heat-maps")
        self._waiting = 0

    async def draw(
        self, locator: Locator, photo: bytes, guess: Guess, *, exact: bool
    ) -> list[dict[str, Any]]:
        """The heat maps of a photo: for the answer, and for the runner-up.

        Args:
            locator: The model, answering as the request asks.
            photo: A file's bytes.
            guess: The answer, to it or to all photos of its place.
            exact: Whether the model has class activation.

        Raises:
            Problem: Too many wait, or the photo can't be explained.
        """
        if self._waiting >= _MOST_WAITING:
            raise busy(f"{self._waiting} photos are waiting to be explained", 5)
        self._waiting += 1
        job = asyncio.get_running_loop().run_in_executor(
            self._lane, partial(_draw, locator, photo, guess, exact=exact)
        )
        job.add_done_callback(self._one_less)
        return await job

    def _one_less(self, _: object) -> None:
        self._waiting -= 1

    def close(self) -> None:
        """Explain no more."""
        self._lane.shutdown(wait=False, cancel_futures=True)


def _draw(locator: Locator, photo: bytes, guess: Guess, *, exact: bool) -> list[dict[str, Any]]:
    try:
        with silent():
            explanation = _explained(locator, photo, guess, exact=exact)
    except LostFoundError as error:
        raise Problem(422, str(error)) from None
    shown = [each for each in explanation.maps if each.measure in _measures(explanation)]
    with decoded(photo, at_least=LONGER_SIDE) as image:
        size = image.size
    return [
        {
            "country": each.candidate.country,
            "role": each.role,
            "png": base64.b64encode(overlay_png(each, shown, size, locator.model.preprocessing)).decode(),
        }
        for each in shown
    ]


def _explained(locator: Locator, photo: bytes, guess: Guess, *, exact: bool) -> Explanation:
    if exact:
        try:
            return locator.explain(photo, method="cam", guess=guess)
        except ModelError:  # its head is known, but its last feature map has a single place
            pass
    return locator.explain(photo, method="occlusion", guess=guess)


def _measures(explanation: Explanation) -> set[str]:
    """One measure is shown: class activation, else the loss of probability, else the distance."""
    there = {each.measure for each in explanation.maps}
    return {next(name for name in ("class activation", "probability", "distance") if name in there)}


def overlay_png(
    evidence: EvidenceMap, shown: list[EvidenceMap], size: tuple[int, int], preprocessing: Preprocessing
) -> bytes:
    """A map as a transparent picture of the whole photo's shape; what the model doesn't see stays clear.

    Args:
        evidence: The map.
        shown: All that are shown together, which share a scale.
        size: Width and height of the upright photo, in any unit.
        preprocessing: Says what of the photo the model sees.
    """
    from lostfound.pages.heat_map import overlay, scale_of  # brings matplotlib, which few requests need

    shrink = LONGER_SIDE / max(size)
    width, height = (max(1, round(side * shrink)) for side in size)
    box = centred_box(
        (width, height), (preprocessing.width, preprocessing.height), preprocessing.crop_fraction
    )
    left, top, right, bottom = (round(side) for side in box)
    inside = (max(1, bottom - top), max(1, right - left))
    canvas: NDArray[np.uint8] = np.zeros((height, width, 4), dtype=np.uint8)
    drawn = overlay(evidence.values, scale_of(evidence.measure, shown), inside)
    canvas[top : top + inside[0], left : left + inside[1]] = drawn[: height - top, : width - left]
    buffer = io.BytesIO()
    Image.fromarray(canvas).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
