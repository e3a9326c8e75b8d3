"""What `lostfound locate FOLDER --to RESULTS` holds in memory, from a thousand photos to a million.

    python benchmarks/locate_memory.py [--sizes 1000 10000 100000 1000000]

A folder of so many names is made of links to 200 photos: each name is listed, read, hashed, looked up and
written as any other, while the network answers the 200. Printed are the peak of the process, and its photos
a second; and the same of a second run, which finds nothing new.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from generated import PICTURES, write_photos
from machine import machine, versions

FOLDER = 1000
"""Photos of a folder."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    print(f"{machine()}; {versions('lostfound', 'onnxruntime', 'pyarrow')}")
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        write_photos(pictures, PICTURES, 320, 240)
        links, made = Path(folder) / "photos", 0
        for size in sorted(arguments.sizes):
            link(sorted(pictures.iterdir()), links, made, size)
            made = size
            results = Path(folder) / f"results-{size}"
            for run in ("first run", "second run"):
                seconds, mib = locate(links, results)
                print(f"{size:,} photos, {run}: {mib:.0f} MiB, {size / seconds:.0f} photos/s", flush=True)
    print(f"at the end: {machine()}")


def link(pictures: list[Path], folder: Path, start: int, stop: int) -> None:
    """More names for the pictures."""
    for number in range(start, stop):
        within = folder / f"{number // FOLDER:04}"
        if number % FOLDER == 0:
            within.mkdir(parents=True)
        os.link(pictures[number % len(pictures)], within / f"{number:07}.jpg")


def locate(folder: Path, results: Path) -> tuple[float, float]:
    """Seconds and MiB of a run in a process of its own."""
    command = [sys.executable, "-m", "lostfound", "locate", str(folder), "--to", str(results), "--quiet"]
    start = time.perf_counter()
    process = os.posix_spawn(
        sys.executable, command, dict(os.environ), file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)]
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
