"""How much quicker is a model of eight bits? Its network and the original's, in turn, in one process.

    lostfound quantize MODEL DATASET --to MODEL8
    python benchmarks/quantize.py MODEL MODEL8

Each is run with all cores on batches of 1, 8 and 32 photos; the medians of many rounds, of which each runs
both, so that what else the machine does meets both. What is lost is in the second model's card.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from machine import machine, versions

from lostfound.predict.bench import generated_photos
from lostfound.predict.locator import Locator

ROUNDS = 15
INSTRUCTIONS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


def main() -> None:
    """Measure and print a Markdown text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs=2, type=Path, metavar="MODEL")
    locators = [Locator.load(each) for each in parser.parse_args().models]
    about = locators[1].model.config["quantized"]
    size = [each.model.graph.stat().st_size / 1e6 for each in locators]
    took = {batch: seconds(locators, batch) for batch in (1, 8, 32)}
    print(f"# {about['of']} in eight bits\n")
    print(f"`python benchmarks/quantize.py {about['of']} {locators[1].model.name}`")
    print(f"on {machine()}, {instructions()}; {versions('onnxruntime', 'numpy')}.\n")
    print("| photos a batch | original, ms a photo | eight bits | quicker |\n|---|---|---|---|")
    for batch, (first, second) in took.items():
        print(f"| {batch} | {1000 * first:.2f} | {1000 * second:.2f} | {first / second:.2f} times |")
    print(f"\nThe graph: {size[0]:.1f} MB (filters kept in 8 bits) and {size[1]:.1f} MB.")
    print(
        f"On the {about['split']} split of `{about['dataset']}` it loses {about['lost']:.2%} of right answers"
    )
    print(f"(95 % interval {about['lost_low']:.2%} to {about['lost_high']:.2%});")
    print(f"ranges from {about['images']} training images.")


def seconds(locators: list[Locator], batch: int) -> list[float]:
    """The median seconds a photo of each model's network."""
    photos = list(generated_photos())
    images = np.stack([locators[0].model.preprocessing(photos[row % len(photos)]) for row in range(batch)])
    took: list[list[float]] = [[] for _ in locators]
    for number in range(ROUNDS + 1):
        for locator, times in zip(locators, took, strict=True):
            start = time.perf_counter()
            locator.session.run(["outputs", "mean_features"], {"images": images})
            if number:  # the first one warms
                times.append((time.perf_counter() - start) / batch)
    return [statistics.median(times) for times in took]


def instructions() -> str:
    """Which instructions for eight bits the processor has."""
    info = Path("/proc/cpuinfo")
    words = set(info.read_text().split()) if info.is_file() else set()
    return "with " + (
        ", ".join(each for each in INSTRUCTIONS if each in words) or "no instructions for eight bits"
    )


if __name__ == "__main__":
    main()
