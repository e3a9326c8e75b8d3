"""How well is a country named that a model has not learnt, by what it has learnt of the countries around it?

    python benchmarks/every_country.py MODEL:DATASET[:SPLIT] ... --to benchmarks/results/every_country.md

MODEL tells countries apart, by one linear layer, and was not made with --every-country. Of each country that
the data set has photos of, the row in that layer is left out and estimated from the others, as
`lostfound average --every-country` does for those without images: how many countries then come before the
right one? The photos that the network learnt from include those of the country, so its features know more of
it than of a country that they never saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine, versions
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.files import write_atomic
from lostfound.models.every_country import kriging_weights
from lostfound.partitions import Partition
from lostfound.predict.engine import Engine, Unanswered
from lostfound.predict.model_folder import ModelFolder

FEWEST = 3
"""Photos of a country that is left out."""
REACHES = (500.0, 1000.0, 2000.0, 4000.0)


def main() -> None:
    """Leave each country out in turn, with several reaches, and write a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pairs", nargs="+")
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    lines = [
        "# A country without photos, named by those around it",
        "",
        f"`python benchmarks/every_country.py {' '.join(map(shown_pair, given.pairs))}` on "
        f"{machine()}; {versions('lostfound', 'onnxruntime', 'numpy')}.",
        "",
        "The right country's row in the head is left out and estimated from the others. Countries before the "
        "right one: the median over photos, and the mean of the countries' medians.",
        "",
        "| model, photos | row | countries before it, by photo | by country | among five |",
        "|---|---|---|---|---|",
    ]
    for pair in given.pairs:
        lines += rows(*pair.split(":"))
    write_atomic(given.to, ("\n".join(lines) + "\n").encode())


def rows(model: str, data: str, split: str = "all") -> list[str]:
    """The lines of a model on a data set's photos."""
    folder = ModelFolder.open(model)
    cells = folder.partition
    assert cells is not None
    dataset = Dataset.open(data) if split == "all" else Dataset.open(data).split(split)
    outputs = list(Engine(folder).outputs(dataset.read(row) for row in range(len(dataset))))
    answered = [row for row, each in enumerate(outputs) if not isinstance(each, Unanswered)]
    logits = np.stack([outputs[row] for row in answered]).astype(np.float64)
    truth = np.array([cells.numbers.get(each, -1) for each in strings(dataset.records, "country")])[answered]
    shown = [cell for cell in range(len(cells)) if (truth == cell).sum() >= FEWEST]
    name = (
        f"{folder.path.name}, {int(np.isin(truth, shown).sum())} of {Path(data).name}, {len(shown)} countries"
    )
    found = {"its own": ranks(logits, truth, shown, lambda cell: logits[:, cell])}
    for reach in REACHES:
        found[f"estimated, reach {reach:.0f} km"] = ranks(
            logits, truth, shown, lambda cell, reach=reach: logits @ weights_without(cells, cell, reach)
        )
    middle, five = (len(cells) - 1) / 2, 5 / len(cells)
    lines = [f"| {name} | {row} | {told(each)} |" for row, each in found.items()]
    return [*lines, f"| {name} | by chance | {middle:.0f} | {middle:.0f} | {100 * five:.1f} % |"]


def shown_pair(pair: str) -> str:
    """A pair without the folders above."""
    return ":".join(Path(each).name for each in pair.split(":"))


def weights_without(cells: Partition, cell: int, reach: float) -> NDArray[np.float64]:
    """How much of each row goes into one country's, (cells,): nothing of its own."""
    known = [each for each in range(len(cells)) if each != cell]
    mixed = np.zeros(len(cells))
    mixed[known] = kriging_weights(cells.centroids, known, cells.counts[known], reach_km=reach)[cell]
    return mixed


def ranks(
    logits: NDArray[np.float64],
    truth: NDArray[np.int64],
    shown: list[int],
    estimate: Callable[[int], NDArray[np.float64]],
) -> dict[int, NDArray[np.float64]]:
    """How many countries come before the right one, for each photo of each country."""
    found = {}
    for cell in shown:
        own = truth == cell
        others = np.delete(logits[own], cell, axis=1)
        found[cell] = (others > estimate(cell)[own][:, None]).sum(axis=1).astype(np.float64)
    return found


def told(found: dict[int, NDArray[np.float64]]) -> str:
    """The columns of a line."""
    every = np.concatenate(list(found.values()))
    by_country = np.mean([np.median(each) for each in found.values()])
    return f"{np.median(every):.0f} | {by_country:.0f} | {100 * np.mean(every < 5):.1f} %"


if __name__ == "__main__":
    main()
