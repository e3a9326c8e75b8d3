"""Do other devices give the processor's answers, and how much more quickly?

    python benchmarks/devices.py FOLDER_OF_PHOTOS --device cuda [--photos 2000]

Locates the same photos with the starter on the processor and on a device, each in a process of its own, after
64 photos that don't count. Where a network is quick, reading the photos is what takes time: both do the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from machine import machine, versions

import lostfound

WARM = 64


def located(device: str, files: list[Path]) -> tuple[float, list[tuple[str, float]]]:
    """Seconds for all photos, and the best candidate of each: its country and probability."""
    locator = lostfound.load(device=device)
    list(locator.locate(files[:WARM]))
    start = time.perf_counter()
    guesses = list(locator.locate(files))
    seconds = time.perf_counter() - start
    return seconds, [(str(each.candidates[0].country), each.candidates[0].probability) for each in guesses]


def main() -> None:
    """Locate twice, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    files = sorted(each for each in given.folder.rglob("*") if each.is_file())[: given.photos]
    if given.alone:
        print(json.dumps(located(given.device, files)))
        return
    found = {}
    for device in (given.device, "cpu"):
        command = [sys.executable, __file__, *sys.argv[1:], "--device", device, "--alone"]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        found[device] = json.loads(result.stdout.splitlines()[-1])
    (seconds, answers), (plain, expected) = found[given.device], found["cpu"]
    same = sum(own[0] == other[0] for own, other in zip(answers, expected, strict=True))
    apart = max(abs(own[1] - other[1]) for own, other in zip(answers, expected, strict=True))
    print(f"{machine()}; {versions('lostfound', 'numpy', 'pillow')}")
    print(f"{given.device} {len(files) / seconds:.0f} photos/s, cpu {len(files) / plain:.0f}, ", end="")
    print(f"ratio {plain / seconds:.2f}; the same first answer for {same} of {len(files)}, ", end="")
    print(f"its probability within {apart:.4f}")


if __name__ == "__main__":
    main()
