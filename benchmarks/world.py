"""How fast the generated world is drawn on one core.

python benchmarks/world.py > benchmarks/results/world.txt
"""

import io
import os
import platform
import time
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from lostfound.world import render, sample_places
from lostfound.world.write import QUALITY, view_headings

PLACES = 240
VIEWS = 4


def measure(size: int) -> tuple[float, float]:
    """Images a second by the clock and by this process's processor time, JPEG encoding included."""
    places = sample_places(PLACES, seed=size)
    render(0.0, 20.0, 0.0, country="CD", size=size)
    wall, processor = time.perf_counter(), time.process_time()
    for place in places:
        for heading in view_headings(place, VIEWS, size):
            spot = (place.latitude, place.longitude)
            pixels = render(*spot, heading, country=place.country, size=size, seed=size)
            Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=QUALITY)
    images = PLACES * VIEWS
    return images / (time.perf_counter() - wall), images / (time.process_time() - processor)


def processor_name() -> str:
    """The processor's name where the system tells it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    """Print the table."""
    print(f"{processor_name()}, {os.cpu_count()} cores, one used; {platform.system()}")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, Pillow {PIL.__version__}")
    print(f"{PLACES} places, {VIEWS} views of each, drawn and encoded as JPEG in one process\n")
    print("size  images/s by the clock  images/s of processor time")
    for size in (64, 128, 256):
        clock, processor = measure(size)
        print(f"{size:4d}  {clock:21.0f}  {processor:26.0f}")
    print(f"\nLoad of the machine (1 minute): {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
