"""What an import costs beside its codecs.

    python benchmarks/import_speed.py FOLDER [FOLDER ...] [--pairs 3] [--size 256]

In turn: `lostfound`'s import of the folders into a fresh data set, and a bare loop on as many processes that
only decodes, resizes and encodes the same files with the same library and quality, and writes nothing down.
The import also lists, hashes and fingerprints the images, finds their countries and duplicates, divides them
into splits, and writes shards and table; its share of the bare loop's speed says what that costs, starting
and ending included. Last, the share of the codecs in the work on each file, in one process.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from machine import machine, versions
from PIL import Image

from lostfound.data import importing
from lostfound.data.importers import SourceImage, list_source
from lostfound.data.importing import JPEG_QUALITY, import_sources


def bare(image: SourceImage, size: int) -> int:
    """Decode, cut, resize and encode one file, and nothing else."""
    picture = Image.open(image.path).convert("RGB")
    side = picture.height
    starts = range(0, picture.width, side) if image.strip else [None]
    written = 0
    for start in starts:
        view = picture if start is None else picture.crop((start, 0, start + side, side))
        if min(view.size) > size:
            scale = size / min(view.size)
            view = view.resize((round(view.width * scale), round(view.height * scale)), Image.LANCZOS)
        buffer = io.BytesIO()
        view.save(buffer, "JPEG", quality=JPEG_QUALITY)
        written += len(buffer.getvalue())
    return written


def bare_loop(images: list[SourceImage], size: int) -> float:
    """Seconds of the bare loop on all cores, the processes' start included."""
    start = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        sum(pool.map(partial(bare, size=size), images, chunksize=64))
    return time.perf_counter() - start


def our_import(folders: list[Path], size: int, jobs: int | None = None) -> float:
    """Seconds of an import: listing, decoding, hashing, writing, countries, duplicates, splits."""
    with tempfile.TemporaryDirectory() as to:
        start = time.perf_counter()
        import_sources(folders, Path(to) / "dataset", size=size, jobs=jobs)
        return time.perf_counter() - start


def codec_share(images: list[SourceImage], size: int) -> tuple[float, float]:
    """Seconds of encoding all files in this process that are decode, resize and encode, and all seconds."""
    codecs = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            nonlocal codecs
            begin = time.perf_counter()
            try:
                return function(*arguments, **settings)
            finally:
                codecs += time.perf_counter() - begin

        return call

    for name in ("open_image", "cut_strip", "shrink", "encode_jpeg"):
        setattr(importing, name, timed(getattr(importing, name)))
    start = time.perf_counter()
    for image in images:
        importing.encode_source_image(("benchmark", image), size=size)
    return codecs, time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    images = list(chain.from_iterable(list_source(folder)[1].images for folder in arguments.folders))
    print(f"{len(images)} files from {', '.join(folder.name for folder in arguments.folders)}")
    print(f"{machine()}; {versions('pillow', 'numpy', 'pyarrow')}")
    ratios = []
    for _ in range(arguments.pairs):
        loop, ours = bare_loop(images, arguments.size), our_import(arguments.folders, arguments.size)
        ratios.append(loop / ours)
        print(f"  bare loop {loop:.2f} s  import {ours:.2f} s  {100 * ratios[-1]:.0f} % of the bare speed")
    print(f"median {100 * statistics.median(ratios):.0f} % of the bare loop's speed")
    codecs, total = codec_share(images, arguments.size)
    print(f"each file, in one process: {100 * codecs / total:.0f} % of {total:.1f} s in the codecs")


if __name__ == "__main__":
    main()
