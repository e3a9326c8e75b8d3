"""Does a photo answer better if it is looked at several times: mirrored, or its parts?

    python benchmarks/views_of_one.py MODEL DATASET:SPLIT ... --to benchmarks/results/views_of_one.md

Each photo is answered by the mean of the logits of its views. Every further view takes as long as the first.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from machine import machine, versions
from numpy.typing import NDArray
from parts import asked, part_of
from PIL import Image, ImageOps

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Samples
from lostfound.evaluation.comparison import difference, estimate
from lostfound.files import write_atomic
from lostfound.predict.engine import Seen
from lostfound.predict.locator import Locator

VIEWS = ("whole", "mirrored", "begin", "end", "middle")
WAYS = {
    "the whole photo": ("whole",),
    "and mirrored": ("whole", "mirrored"),
    "and the squares at both ends": ("whole", "begin", "end"),
    "and its middle, four fifths of each side": ("whole", "middle"),
    "all five": VIEWS,
}


def main() -> None:
    """Look at all photos in every way, and write a table."""
    given = asked(__doc__)
    locator = Locator.load(given.model)
    lines = [
        "# One photo, several views\n",
        f"`python benchmarks/views_of_one.py MODEL {' '.join(Path(each).name for each in given.datasets)}`",
        f"on {machine()}; {versions('onnxruntime', 'pillow')}.\n",
        "Right country, in percent, first answer and one of five; difference from the whole photo alone. "
        "Intervals are 95 % bootstrap intervals by place.\n",
        "| photos | views | first | one of five |",
        "|---|---|---|---|",
    ]
    for each in given.datasets:
        name, part = part_of(each)
        hits = {way: right(locator, part, outputs) for way, outputs in looked(locator, part)}
        for way, samples in hits.items():
            cells = [number(ours, base) for ours, base in zip(samples, hits[next(iter(WAYS))], strict=True)]
            lines.append(f"| {len(part)} of {name} | {way} | {' | '.join(cells)} |")
    write_atomic(given.to, ("\n".join(lines) + "\n").encode())


def looked(locator: Locator, dataset: Dataset) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """What the network says of all photos, for each way to look at them: (n, width)."""
    every = {}
    for view in VIEWS:
        photos = (viewed(dataset.read(row), view) for row in range(len(dataset)))
        seen = [each for each in locator.look(photos) if isinstance(each, Seen)]
        every[view] = np.stack([each.outputs for each in seen])
    for way, views in WAYS.items():
        yield way, np.mean([every[view] for view in views], axis=0)


def viewed(data: bytes, view: str) -> Image.Image:
    """A view of a photo."""
    photo = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    width, height = photo.size
    side = min(width, height)
    if view == "mirrored":
        return ImageOps.mirror(photo)
    if view == "begin":
        return photo.crop((0, 0, side, side))
    if view == "end":
        return photo.crop((width - side, height - side, width, height))
    if view == "middle":
        x, y = width // 10, height // 10
        return photo.crop((x, y, width - x, height - y))
    return photo


def right(locator: Locator, dataset: Dataset, outputs: NDArray[np.float64]) -> tuple[Samples, Samples]:
    """Whether the first answer, and one of five, is the country that each photo is of."""
    partition = locator.model.partition
    assert partition is not None
    cells = np.array(partition.cell_ids, dtype=object)
    order = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
    hit = cells[order] == strings(dataset.records, "country")[:, None]
    places = strings(dataset.records, "place_id")
    return Samples(places, hit[:, 0].astype(float)), Samples(places, hit.any(axis=1).astype(float))


def number(ours: Samples, base: Samples) -> str:
    """A share with its interval, and how far it is from that of the whole photo."""
    own = estimate([ours])
    assert own is not None
    said = f"{100 * own.value:.1f} ({100 * own.low:.1f} to {100 * own.high:.1f})"
    apart = difference([ours], [base])
    if ours is base or apart is None:
        return said
    return f"{said}; {100 * apart.value:+.1f} ({100 * apart.low:+.1f} to {100 * apart.high:+.1f})"


if __name__ == "__main__":
    main()
