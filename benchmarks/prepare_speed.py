"""What preparing costs beside its codecs.

    python benchmarks/prepare_speed.py DATASET [--size 128] [--pairs 3]

In turn: `lostfound`'s preparation of a data set at a smaller size, and a bare loop on as many processes that
only decodes (a JPEG at a reduced scale where that is enough), resizes and encodes the same bytes with the
same library, filter and quality, and writes nothing down. Starting and ending included. On a machine with
other work to do the clock says little, and the time of the processors more.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from machine import machine, versions
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.importers.encoding import JPEG_QUALITY
from lostfound.data.preparing.prepare import prepare


def bare(place: tuple[Path, int, int], size: int) -> int:
    """Decode, resize and encode one image, and nothing else."""
    path, offset, length = place
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(length)
    picture = Image.open(io.BytesIO(data))
    scale = 2 * size / min(picture.size)
    picture.draft("RGB", (int(picture.width * scale), int(picture.height * scale)))
    picture = picture.convert("RGB")
    scale = size / min(picture.size)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return len(buffer.getvalue())


def bare_loop(dataset: Dataset, size: int) -> None:
    """All images on all cores."""
    columns = (dataset.records[name].to_pylist() for name in ("shard", "offset", "size"))
    places = [
        (dataset.folder / "images" / shard, offset, length)
        for shard, offset, length in zip(*columns, strict=True)
    ]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        sum(pool.map(partial(bare, size=size), places, chunksize=64))


def ours(dataset: Dataset, size: int) -> None:
    """A preparation into a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(dataset, Path(folder) / "prepared", size=size)


def timed(work: Callable[[Dataset, int], None], dataset: Dataset, size: int) -> tuple[float, float]:
    """Seconds on the clock, and seconds of all processes on the processors."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    work(dataset, size)
    return time.perf_counter() - start, sum(os.times()[:4]) - before


def main() -> None:
    """Print the throughputs of both, in pairs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    print(machine())
    print(versions("lostfound", "pillow", "pyarrow"))
    print(f"{len(dataset)} images to a shorter side of {options.size} pixels")
    shares = []
    for _ in range(options.pairs):
        loop, own = (timed(work, dataset, options.size) for work in (bare_loop, ours))
        shares.append([a / b for a, b in zip(loop, own, strict=True)])
        rates = f"bare loop {len(dataset) / loop[0]:5.0f}/s, prepare {len(dataset) / own[0]:5.0f}/s"
        print(f"{rates}: {shares[-1][0]:.0%}; by processor time {shares[-1][1]:.0%}")
    clock, processor = (statistics.median(each) for each in zip(*shares, strict=True))
    print(f"median: {clock:.0%} of the bare loop, {processor:.0%} by processor time")


if __name__ == "__main__":
    main()
