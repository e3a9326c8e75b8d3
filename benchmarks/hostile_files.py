"""What damaged and hostile images cost, and whether any of them makes us raise what is not our error.

Measures, each in a process of its own: a small PNG of 177 million pixels; the peak memory of locating a
folder of mutants among which are images of many pixels; a long run of mutants through decoding and importing.

Run:
    python benchmarks/hostile_files.py [--mutants 100000] [--seed 1] [--source OTHER/src]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from machine import machine, versions

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "helpers"))
from mutants import image_mutants, png_bomb  # noqa: E402

RESULT = HERE / "results" / "hostile_files.md"
BOMB = (13_300, 13_300)
FOLDER, LARGE = 560, 16
LARGE_SIDES = (6_000, 6_000)
THREADS = 8

# Locates a folder, in as many threads as on a machine of eight cores, and says what memory it took.
LOCATE = f"""
import json, os, resource, sys, time
from pathlib import Path
os.cpu_count = lambda: {THREADS}
from lostfound.predict.locator import Locator
from lostfound.predict.photos import locate_photos
Locator.load()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.monotonic()
located = locate_photos([Path(sys.argv[1])])
seconds = time.monotonic() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused = sum(each.guess is None for each in located)
print(json.dumps([seconds, peak / 2**20, (peak - before) / 2**20, refused]))
"""


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", type=Path, help="the sources of another version, to compare with")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "bomb.png").write_bytes(png_bomb(*BOMB))
        mutants = folder / "mutants"
        mutants.mkdir()
        for name, data in image_mutants(FOLDER - LARGE, chosen.seed):
            (mutants / name).write_bytes(data)
        large = png_bomb(*LARGE_SIDES)
        for number in range(LARGE):
            (mutants / f"large{number:02d}.png").write_bytes(large)
        sources = {"now": None, **({"before": chosen.source} if chosen.source else {})}
        rows = []
        folders = {"the bomb": folder / "bomb.png", f"{FOLDER} files, {LARGE} of them large": mutants}
        for what, path in folders.items():
            for version, source in reversed(list(sources.items())):
                seconds, peak, more, refused = located(path, source)
                rows.append((what, version, f"{seconds:.1f}", f"{peak:.2f}", f"{more:.2f}", f"{refused:.0f}"))
                print(*rows[-1], flush=True)
        size = (folder / "bomb.png").stat().st_size
    outcomes, unexpected, printed, took = fuzzed(chosen.mutants, chosen.seed)
    write(size, rows, chosen, outcomes, unexpected, printed, took)


def located(path: Path, source: Path | None) -> list[float]:
    """Seconds, peak memory in GiB, how much of it came with the images, and how many were refused."""
    environment = {**os.environ, **({"PYTHONPATH": str(source.resolve())} if source else {})}
    command = [sys.executable, "-c", LOCATE, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


def fuzzed(number: int, seed: int) -> tuple[Counter[str], Counter[str], int, float]:
    """What became of mutants: by outcome, errors that are not ours, bytes printed, and the seconds."""
    from lostfound.data.images import Preprocessing
    from lostfound.data.importers.encoding import encode_source_image
    from lostfound.data.importers.source import SourceImage
    from lostfound.errors import ImageError

    outcomes: Counter[str] = Counter()
    unexpected: Counter[str] = Counter()
    prepare = Preprocessing(64, 64)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryFile() as errors:
        kept = os.dup(2)
        os.dup2(errors.fileno(), 2)  # libraries print there, past Python
        try:
            for index, (name, data) in enumerate(image_mutants(number, seed)):
                try:
                    assert prepare(data).dtype == np.uint8
                    outcomes["located"] += 1
                except ImageError:
                    outcomes["refused"] += 1
                except Exception as error:
                    unexpected[f"locating: {type(error).__name__}: {error}"] += 1
                if index % 4 == 0:
                    path = Path(made) / name
                    path.write_bytes(data)
                    try:
                        image = SourceImage(str(path), name, latitude=1.0, longitude=2.0)
                        _, skipped = encode_source_image(("fuzz", image), size=32)
                        outcomes["skipped" if skipped else "imported"] += 1
                        if skipped and "unexpected" in skipped[0][1]:
                            unexpected[f"importing: {skipped[0][1]}"] += 1
                    except Exception as error:
                        unexpected[f"importing: {type(error).__name__}: {error}"] += 1
                    path.unlink()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        printed = errors.seek(0, os.SEEK_END)
    return outcomes, unexpected, printed, time.monotonic() - start


def write(
    size: int,
    rows: list[tuple[str, ...]],
    chosen: argparse.Namespace,
    outcomes: Counter[str],
    unexpected: Counter[str],
    printed: int,
    took: float,
) -> None:
    """Write the result as Markdown."""
    names = ("what is located", "version", "s", "peak, GiB", "of it for images, GiB", "refused")
    command = f"python benchmarks/hostile_files.py --mutants {chosen.mutants} --seed {chosen.seed}"
    counts = ", ".join(f"{count:,} {what}" for what, count in outcomes.most_common())
    lines = [
        "# Damaged and hostile images",
        "",
        f"`{command}` on {machine()}; {versions('pillow', 'numpy', 'onnxruntime')}.",
        "",
        f"The bomb is a PNG of {size / 1000:,.0f} kB and {BOMB[0]}x{BOMB[1]} pixels; a large file one of "
        f"{LARGE_SIDES[0]}x{LARGE_SIDES[1]}, below the limit and answered. Located in {THREADS} threads.",
        "",
        f"| {' | '.join(names)} |",
        f"|{'|'.join('---' for _ in names)}|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"{chosen.mutants:,} mutants of small JPEG, PNG, WebP, TIFF, GIF and BMP files, every fourth "
        f"imported as well, in {took:,.0f} s: {counts}. Errors that are not ours: {unexpected.total()}. "
        f"Bytes that libraries printed: {printed}.",
        "",
        *(f"- {count} x {what}" for what, count in unexpected.most_common(20)),
    ]
    RESULT.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    if shutil.which("nice") and os.nice(0) < 5:
        os.nice(5)
    main()
