"""Which images a benchmark is given: DATASET or DATASET:SPLIT."""

from __future__ import annotations

from pathlib import Path

from lostfound.data.dataset import Dataset


def part_of(text: str) -> tuple[str, Dataset]:
    """What to call them, and the images; without a split, all of the data set's."""
    folder, _, split = text.partition(":")
    dataset = Dataset.open(folder)
    part = dataset if split in ("", "all") else dataset.split(split)
    return f"{Path(folder).name} {split or 'all'}", part
