"""How long a second start takes with decoded pixels in the cache.

    python benchmarks/pixel_cache.py [--images 40000] [--size 64]

Makes a data set of that many generated photos (256 pixels), decodes it into the cache, and starts again in
fresh processes: Python, imports, opening the data set, mapping the pixels, and one pass over all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generated import write_photos
from machine import machine, versions

from lostfound.data.cache import cached_pixels
from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.importers.importing import import_images

START = """
import sys, time
start = time.perf_counter()
from lostfound.data.cache import cached_pixels
from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
pixels = cached_pixels(Dataset.open(sys.argv[1]), Preprocessing(int(sys.argv[2]), int(sys.argv[2])))
ready = time.perf_counter()
everything = sum(int(pixels[row : row + 4096].sum()) for row in range(0, len(pixels), 4096))
print(ready - start, time.perf_counter() - ready)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOSTFOUND_CACHE"] = f"{folder}/cache"
        write_photos(Path(folder) / "photos", arguments.images, 256, 256)
        import_images([Path(folder) / "photos"], Path(folder) / "data", size=256)
        begin = time.perf_counter()
        dataset = Dataset.open(Path(folder) / "data")
        pixels = cached_pixels(dataset, Preprocessing(arguments.size, arguments.size))
        first = time.perf_counter() - begin
        starts = []
        for _ in range(5):
            command = [sys.executable, "-c", START, f"{folder}/data", str(arguments.size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            starts.append([float(each) for each in done.stdout.split()])
    ready, read = (statistics.median(column) for column in zip(*starts, strict=True))
    print(f"{len(pixels)} images at {arguments.size} pixels, {pixels.nbytes / 1e6:.0f} MB of pixels")
    print(f"{machine()}; {versions('pillow', 'numpy', 'pyarrow')}")
    print(f"first start, decoding on all cores: {first:.2f} s")
    print(f"second start until the pixels are ready, imports included, median of 5: {ready:.2f} s")
    print(f"then one pass over all pixels: {read:.2f} s")


if __name__ == "__main__":
    main()
