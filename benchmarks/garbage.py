"""What Python's garbage collector costs commands, as often as it looks by default and as the program sets it.

    python benchmarks/garbage.py DATASET --to benchmarks/results/garbage.md

Processor time of whole commands, each in a process of its own, both settings in turn.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import machine, versions

from lostfound.files import write_atomic

ROUNDS = 7
PHOTOS = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "cli" / "demo_photos"
# `main` sets the threshold; the default is kept by taking that away from it.
START = "import gc, sys; {} from lostfound.cli import main; sys.argv[0] = 'lostfound'; main()"
SETTINGS = {"default": "gc.set_threshold = lambda *_: None;", "ours": ""}


def main() -> None:
    """Run each command both ways, and write a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = ["--set", "input.size=[32, 32]", "--set", "trainer.epochs=1", "--overwrite"]
        commands = {
            "`locate`, six photos": ["locate", PHOTOS],
            "`stats`": ["stats", given.dataset],
            "`train demo`, one epoch of small images": [
                *("train", "demo", "--data", given.dataset, "--to", Path(folder) / "model", *small),
            ],
        }
        lines = [
            "# Garbage collection\n",
            f"`python benchmarks/garbage.py {given.dataset.name}` on {machine()}; {versions('torch')}. "
            f"Processor seconds, medians of {ROUNDS}; Python looks after {gc.get_threshold()[0]} new "
            "objects, the program has it wait for 10 000.\n",
            "| command | default | ours | ratio (smallest and largest of the pairs) |",
            "|---|---|---|---|",
        ]
        for name, command in commands.items():
            pairs = [[seconds(command, how) for how in SETTINGS.values()] for _ in range(ROUNDS)]
            default, ours = (statistics.median(each) for each in zip(*pairs, strict=True))
            ratios = sorted(mine / theirs for theirs, mine in pairs)
            spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            lines.append(f"| {name} | {default:.2f} | {ours:.2f} | {spread} |")
    write_atomic(given.to, ("\n".join(lines) + "\n").encode())


def seconds(command: list[str | Path], how: str) -> float:
    """The processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", START.format(how), *command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
