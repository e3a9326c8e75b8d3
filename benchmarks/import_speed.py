"""What an import and a preparation cost beside their codecs.

    python benchmarks/import_speed.py FOLDER [FOLDER ...] [--pairs 3] [--size 256]
    python benchmarks/import_speed.py --generated 3000 --photo 1000x750
    python benchmarks/import_speed.py --memory 1000 10000 100000

In turn: `lostfound`'s import of the folders into a fresh data set and its preparation at half the size, and a
bare loop on as many processes that only decodes, resizes and encodes the same files with the same library and
quality, and writes nothing down. The import also lists, hashes and fingerprints the images, finds their
countries and duplicates, divides them into splits, and writes shards and table; its share of the bare loop's
speed says what that costs, starting and ending included. Plain JPEGs that are small enough it keeps as they
are; the bare loop encodes them like all others, so that `--size 224` is the stricter comparison for files of
256 pixels. Last, the share of the codecs in the work on each file, in one process.

With `--memory`, the largest memory of `lostfound import`, of `lostfound prepare` and of their workers for so
many photos of 64 pixels.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
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

from generated import write_photos
from machine import machine, versions
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.importers import encoding
from lostfound.data.importers.encoding import JPEG_QUALITY
from lostfound.data.importers.importing import import_images
from lostfound.data.importers.layouts import list_source
from lostfound.data.importers.source import SourceImage
from lostfound.data.preparing.prepare import prepare


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


def bare_stored(image: tuple[Path, int, int], size: int) -> int:
    """Decode, resize and encode one stored image, and nothing else."""
    path, offset, length = image
    with path.open("rb") as file:
        file.seek(offset)
        picture = Image.open(io.BytesIO(file.read(length))).convert("RGB")
    scale = size / min(picture.size)
    view = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.LANCZOS)
    buffer = io.BytesIO()
    view.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return len(buffer.getvalue())


def bare_loop(function: Callable[..., int], images: list[Any], size: int) -> float:
    """Seconds of a bare loop on all cores, the processes' start included."""
    start = time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        sum(pool.map(partial(function, size=size), images, chunksize=64))
    return time.perf_counter() - start


def pair(folders: list[Path], images: list[SourceImage], size: int) -> float:
    """Our import and preparation beside the bare loops; gives the share of their speed."""
    loop = bare_loop(bare, images, size)
    with tempfile.TemporaryDirectory() as to:
        start = time.perf_counter()
        dataset = import_images(folders, Path(to) / "dataset", size=size).dataset
        ours = time.perf_counter() - start
        rows = dataset.records.select(["shard", "offset", "size"]).to_pylist()
        stored = [(dataset.folder / "images" / row["shard"], row["offset"], row["size"]) for row in rows]
        second_loop = bare_loop(bare_stored, stored, size // 2)
        start = time.perf_counter()
        prepare(Dataset.open(dataset.folder), Path(to) / "small", size=size // 2)
        prepared = time.perf_counter() - start
    print(
        f"  import {ours:.2f} s, bare {loop:.2f} s ({100 * loop / ours:.0f} %); "
        f"prepare {prepared:.2f} s, bare {second_loop:.2f} s ({100 * second_loop / prepared:.0f} %); "
        f"together {100 * (loop + second_loop) / (ours + prepared):.0f} % of the bare speed"
    )
    return (loop + second_loop) / (ours + prepared)


_MEMORY = """
import resource, sys
from lostfound.cli import main
if __name__ == "__main__":
    sys.argv[0] = "lostfound"
    try:
        main()
    except SystemExit:
        who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        print("used", *(resource.getrusage(each).ru_maxrss / 1024 for each in who))
        raise
"""


def memory(numbers: list[int]) -> None:
    """The largest resident memory of importing and preparing so many small photos by the command line."""
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            write_photos(Path(folder) / "photos", number, 64, 64)
            (Path(folder) / "run.py").write_text(_MEMORY)
            used = []
            for command in ("import photos --to data --size 64", "prepare data --to small --size 32"):
                start = time.perf_counter()
                run = [sys.executable, "run.py", *command.split()]
                done = subprocess.run(run, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
                own, worker = map(float, done.stdout.split("used")[-1].split())
                seconds = time.perf_counter() - start
                used.append(f"{command.split()[0]} {own:.0f} MiB, a worker {worker:.0f} MiB, {seconds:.1f} s")
        print(f"  {number:7} images: {'; '.join(used)}", flush=True)


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
        setattr(encoding, name, timed(getattr(encoding, name)))
    start = time.perf_counter()
    for image in images:
        encoding.encode_source_image(("benchmark", image), size=size)
    return codecs, time.perf_counter() - start


def compare(folders: list[Path], pairs: int, size: int) -> None:
    """Measure the folders' images."""
    images = list(chain.from_iterable(list_source(folder)[1].images for folder in folders))
    print(f"{len(images)} files from {', '.join(folder.name for folder in folders)}")
    ratio = statistics.median(pair(folders, images, size) for _ in range(pairs))
    print(f"median {100 * ratio:.0f} % of the bare loop's speed")
    codecs, total = codec_share(images, size)
    print(f"each file, in one process: {100 * codecs / total:.0f} % of {total:.1f} s in the codecs")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--generated", type=int, default=0)
    parser.add_argument("--photo", default="1000x750")
    parser.add_argument("--memory", type=int, nargs="*", default=[])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    print(f"{machine()}; {versions('pillow', 'numpy', 'pyarrow')}")
    if arguments.folders:
        compare(arguments.folders, arguments.pairs, arguments.size)
    if arguments.generated:
        width, height = map(int, arguments.photo.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            photos = Path(folder) / f"generated {arguments.photo}"
            write_photos(photos, arguments.generated, width, height)
            compare([photos], arguments.pairs, arguments.size)
    memory(arguments.memory)
    print(machine())


if __name__ == "__main__":
    main()
