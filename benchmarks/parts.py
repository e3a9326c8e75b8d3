"""Which images a benchmark is given: DATASET or DATASET:SPLIT."""

from __future__ import annotations

import argparse
from pathlib import Path

from lostfound.data.dataset import Dataset


def part_of(text: str) -> tuple[str, Dataset]:
    """What to call them, and the images; without a split, all of the data set's."""
    folder, _, split = text.partition(":")
    dataset = Dataset.open(folder)
    part = dataset if split in ("", "all") else dataset.split(split)
    return f"{Path(folder).name} {split or 'all'}", part


def asked(about: str | None) -> argparse.Namespace:
    """What a benchmark of one model on some images was asked for: `model`, `datasets` and `to`."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("datasets", nargs="+", metavar="DATASET:SPLIT")
    parser.add_argument("--to", type=Path, required=True)
    return parser.parse_args()
