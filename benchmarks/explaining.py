"""Are explanations true to the model? Deletion and insertion curves of real photos, against random masks.

    python benchmarks/explaining.py DATA [--photos 160] [--kind street] > benchmarks/results/explaining.md

DATA is a folder with `labels.csv` (path, collection, kind) and the photos. A map orders the 14 x 14 cells of
the picture. Deletion (Petsiuk et al. 2018) paints them in the photo's mean colour, the most relevant first:
the better the map, the sooner the probability of the model's answer falls, and the smaller the area under its
curve. Insertion starts from the blurred photo and brings the cells back: the larger, the better. All maps are
judged on the same photos; intervals are of the bootstrap over photos, and differences are paired.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine, versions
from numpy.typing import NDArray
from PIL import Image

from lostfound.evaluation.bootstrap import Samples, Score, bootstrap
from lostfound.predict.explain import class_activation, decode_all, explain_head, occlusion, probability_of
from lostfound.predict.guess import Candidate
from lostfound.predict.head import LinearHead
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import STARTER
from lostfound.predict.occlusion import blurred

SIDE = 14
STEPS = 10
Image8 = NDArray[np.uint8]
Map = NDArray[np.float32]


def main() -> None:
    """Read the arguments, judge every map, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=160)
    parser.add_argument("--kind", default="street")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    locator = Locator.load(arguments.model or STARTER, threads=1)
    photos = chosen(arguments.data, arguments.kind, arguments.photos, arguments.seed)
    areas: dict[str, list[tuple[float, float]]] = {}
    seconds: dict[str, float] = {}
    for number, photo in enumerate(photos):
        judge(locator, locator.model.preprocessing(photo), np.random.default_rng(number), areas, seconds)
        if number % 10 == 9:
            print(f"{number + 1} of {len(photos)} photos", file=sys.stderr, flush=True)
    table = {name: np.array(values) for name, values in areas.items()}
    print(report(table, seconds, arguments, len(photos)))


def chosen(data: Path, kind: str, count: int, seed: int) -> list[Path]:
    """Some photos of a kind, drawn at random."""
    with (data / "labels.csv").open(encoding="utf-8") as file:
        paths = [data / row["path"] for row in csv.DictReader(file) if row["kind"] == kind]
    order = np.random.default_rng(seed).permutation(len(paths))[:count]
    return [paths[index] for index in sorted(order)]


def judge(
    locator: Locator,
    image: Image8,
    generator: np.random.Generator,
    areas: dict[str, list[tuple[float, float]]],
    seconds: dict[str, float],
) -> None:
    """Add the areas under both curves for one photo, for every kind of map."""
    guess = locator.locate(image)
    answer = guess.best
    head, _ = explain_head(locator, image)
    assert head is not None, "choose a model with class activation"

    def timed(name: str, make: Callable[[], Map]) -> Map:
        start = time.perf_counter()
        made = make()
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
        return made

    maps = {
        "class activation": timed(
            "class activation", lambda: class_activation(locator, image, head, [("answer", answer)])[0].values
        ),
        "class activation, less the mean of all answers": contrasted(locator, image, head, answer, "all"),
        "class activation, less that of its rivals": contrasted(locator, image, head, answer, "rivals"),
        "occlusion": timed(
            "occlusion", lambda: occlusion(locator, image, guess, [("answer", answer)])[0].values
        ),
    }
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    maps["the middle first"] = -np.hypot(rows, columns).astype(np.float32)
    found = {name: curves(locator, image, resized(values), answer) for name, values in maps.items()}
    for name, size in (("random cells", SIDE), ("random blobs", 5)):
        mask = generator.standard_normal((size, size)).astype(np.float32)
        found[name] = curves(locator, image, resized(mask), answer)
    for name, (deletion, insertion) in found.items():
        areas.setdefault(name, []).append((float(deletion), float(insertion)))


def contrasted(locator: Locator, image: Image8, head: LinearHead, answer: Candidate, against: str) -> Map:
    """Class activation, less the mean of other answers; not what is shipped."""
    (outputs,), (features,) = locator.feature_map(image[None])
    cell = locator.model.partition.cell_ids.index(answer.cell_id)  # type: ignore[union-attr]
    weights = np.full(len(outputs), 1 / len(outputs))
    if against == "rivals":
        every = decode_all(locator, outputs[None], image)
        by_id = dict(zip(every.cells[0], every.probabilities[0], strict=True))  # type: ignore[index]
        weights = np.array([by_id[each] for each in locator.model.partition.cell_ids])  # type: ignore[union-attr]
        weights[cell] = 0
        weights /= weights.sum()
    return np.tensordot(head.weight[cell] - weights @ head.weight, features, axes=1).astype(np.float32)


def resized(values: Map) -> Map:
    """A map on the grid of cells."""
    return np.array(Image.fromarray(values, mode="F").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def curves(locator: Locator, image: Image8, values: Map, answer: Candidate) -> NDArray[np.float64]:
    """The areas under the curves of deletion and insertion."""
    height, width = image.shape[:2]
    order = np.argsort(-values.ravel(), kind="stable")
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    pixel = rank.reshape(SIDE, SIDE)[
        (np.arange(height) * SIDE // height)[:, None], np.arange(width) * SIDE // width
    ]
    counts = np.linspace(0, len(order), STEPS + 1).round()
    taken = (pixel[None] < counts[:, None, None])[..., None]
    grey = image.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    pictures = np.concatenate([np.where(taken, grey, image), np.where(taken, image, blurred(image))])
    probability = probability_of(decode_all(locator, locator.run(pictures), image), answer)
    return np.trapezoid(probability.reshape(2, -1), dx=1 / STEPS, axis=1)


def report(
    areas: dict[str, NDArray[np.float64]], seconds: dict[str, float], arguments: argparse.Namespace, n: int
) -> str:
    """The tables."""

    def score(values: NDArray[np.float64]) -> Score:
        return bootstrap(Samples(np.arange(len(values)).astype(str).astype(object), values))

    def cell(values: NDArray[np.float64], sign: str = "") -> str:
        found = score(values)
        return f"{found.value:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})"

    lines = [
        "# Are explanations true to the model?",
        "",
        f"`python benchmarks/explaining.py DATA --kind {arguments.kind} --photos {arguments.photos} --seed "
        f"{arguments.seed}` on {machine()}; {versions('onnxruntime', 'numpy', 'pillow')}. Starter "
        f"model, n = {n} photos that it was not trained on.",
        "",
        "Area under the curve of the answer's probability, with 95 % bootstrap intervals over photos.",
        "",
        "| order of the cells | deletion (less is better) | insertion (more is better) |",
        "|---|---|---|",
        *(f"| {name} | {cell(each[:, 0])} | {cell(each[:, 1])} |" for name, each in areas.items()),
        "",
        "Paired differences; below 0 for deletion and above 0 for insertion the first is better.",
        "",
        "| pair | deletion | insertion |",
        "|---|---|---|",
    ]
    pairs = [
        (one, other)
        for one in ("class activation", "occlusion")
        for other in ("random cells", "random blobs", "the middle first")
    ]
    contrasts = [("class activation", name) for name in areas if name.startswith("class activation,")]
    for one, other in [*pairs, ("occlusion", "class activation"), *contrasts]:
        difference = areas[one] - areas[other]
        better = (difference * [-1, 1] > 0).mean(axis=0)
        lines.append(
            f"| {one} - {other} | {cell(difference[:, 0], '+')}, better on {100 * better[0]:.0f} % | "
            f"{cell(difference[:, 1], '+')}, better on {100 * better[1]:.0f} % |"
        )
    took = ", ".join(f"{name} {1000 * each / n:.0f} ms" for name, each in seconds.items())
    return "\n".join([*lines, "", f"A photo takes: {took}."])


if __name__ == "__main__":
    main()
