"""Where the time goes when photos are located: how much of it is the network itself.

    python benchmarks/locate_profile.py MODEL FOLDER_OF_PHOTOS [--photos 1000]

Locates the photos as `lostfound locate` does and adds up the time inside ONNX Runtime's `run`. Beside it:
the same without overlap (decode everything, then answer everything), and the network alone.
"""

from __future__ import annotations

import argparse
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from machine import machine, versions

from lostfound.data.importers.source import image_files
from lostfound.predict.locator import BATCH_SIZE, Locator


class TimedLocator(Locator):
    """A locator that adds up the seconds spent in the network."""

    seconds = 0.0

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The logits, timed."""
        start = time.perf_counter()
        result = super().logits(images)
        self.seconds += time.perf_counter() - start
        return result


def main() -> None:
    """Measure and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=1000)
    arguments = parser.parse_args()
    photos = list(islice(cycle(image_files(arguments.folder)), arguments.photos))
    locator = TimedLocator.load(arguments.model)
    list(locator.guesses(photos[:BATCH_SIZE]))  # warm up
    locator.seconds = 0.0
    start = time.perf_counter()
    guesses = list(locator.guesses(photos))
    wall = time.perf_counter() - start
    inside = locator.seconds

    start = time.perf_counter()
    images = np.stack([locator.model.preprocessing(photo) for photo in photos])
    decoding = time.perf_counter() - start
    start = time.perf_counter()
    for first in range(0, len(images), BATCH_SIZE):
        locator.logits(images[first : first + BATCH_SIZE])
    alone = time.perf_counter() - start

    print(f"{len(guesses)} photos, {machine()}; {versions('onnxruntime', 'pillow', 'numpy')}")
    print(f"located in {wall:.2f} s ({len(photos) / wall:.0f} photos/s)")
    print(f"  inside the network {inside:.2f} s, {100 * inside / wall:.1f} % of the time")
    print(f"  waiting for decoding, and making guesses {wall - inside:.2f} s")
    print(
        f"one after the other: decode and resize on one core {decoding:.2f} s, then the network {alone:.2f} s"
    )
    print(f"overlap: {(decoding + alone) / wall:.2f} times faster than one after the other")


if __name__ == "__main__":
    main()
