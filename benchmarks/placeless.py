"""Are pictures of no place told from photos of places, by distance alone and once a model was shown some?

    python benchmarks/placeless.py MODEL DATASET:SPLIT LIST

LIST names the pictures of no place of the data set, as their files were called. MODEL was shown pictures of
no place (`lostfound calibrate --placeless`), best none of these. Its own probability is measured beside.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine, versions
from numpy.typing import NDArray
from parts import part_of
from scipy.stats import rankdata

from lostfound.data.records import strings
from lostfound.predict.locator import Locator
from lostfound.predict.outliers import Outliers

RESAMPLES = 1000
ALARMS = 0.05
Measure = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def main() -> None:
    """Measure and print a Markdown text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", metavar="DATASET:SPLIT")
    parser.add_argument("placeless", type=Path, metavar="LIST")
    given = parser.parse_args()
    text, part = part_of(given.dataset)
    locator = Locator.load(given.model)
    outliers = Outliers.of(locator.model.statistics)
    if outliers is None or outliers.placeless is None:
        raise SystemExit(f"{given.model} was shown no pictures of no place")
    names = set(given.placeless.read_text(encoding="utf-8").split())
    others = np.array([name in names for name in strings(part.records, "original")])
    seen = list(locator.see_each(part, features=True, doing="Looking"))
    features = np.stack([each.features for each in seen if each.features is not None])
    model = locator.model
    logits = model.decoder.logits(np.stack([each.outputs for each in seen]))
    best = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = {
        "how improbable the first answer is": -(best.max(axis=1) / best.sum(axis=1)),
        "distance": outliers.distance(features),
        "distance, and shown pictures of no place": outliers.strangeness(features),
    }
    print("# Pictures of no place\n")
    print("`python benchmarks/placeless.py MODEL DATASET:SPLIT placeless.txt`")
    print(f"on {machine()}; {versions('lostfound', 'onnxruntime', 'numpy')}.\n")
    print(
        "How often one of them is held to be less of a place than a photo of a place is (area under the ROC "
        f"curve; half by chance), and how many are found where {100 * ALARMS:.0f} % of the photos of places "
        "are lost (95 % bootstrap intervals).\n"
    )
    print("| of | pictures of no place, photos | told by | area | found |")
    print("|---|---|---|---|---|")
    for name, score in scores.items():
        area, found = (interval(score[others], score[~others], each) for each in (under_curve, at_level))
        print(f"| {text} | {others.sum()}, {(~others).sum()} | {name} | {area} | {found} |")


def under_curve(those: NDArray[np.float64], photos: NDArray[np.float64]) -> float:
    """The share of pairs in which the picture of no place has the larger score."""
    ranks = rankdata(np.concatenate([those, photos]))[: len(those)]
    return float((ranks.sum() - len(those) * (len(those) + 1) / 2) / (len(those) * len(photos)))


def at_level(those: NDArray[np.float64], photos: NDArray[np.float64]) -> float:
    """The share of pictures of no place beyond what few photos of places reach."""
    return float((those > np.quantile(photos, 1 - ALARMS)).mean())


def interval(those: NDArray[np.float64], photos: NDArray[np.float64], what: Measure) -> str:
    """A number with its interval, in percent."""
    random, kinds = np.random.default_rng(0), (those, photos)
    drawn = [what(*(random.choice(each, len(each)) for each in kinds)) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{100 * what(those, photos):.0f} ({100 * low:.0f} to {100 * high:.0f})"


if __name__ == "__main__":
    main()
