"""What estimating an album's countries is worth: photos answered alone, and with the album's own prior.

python benchmarks/albums.py MODEL DATASET:SPLIT
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from machine import machine, versions

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.predict.belief import Belief
from lostfound.predict.locator import Locator
from lostfound.predict.priors import estimated_shares, read_prior, reweighted

ALBUMS, SIZES, FEWEST = 150, (1, 2, 5, 20), 20


def main() -> None:
    """Measure and print a Markdown text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", metavar="DATASET:SPLIT")
    arguments = parser.parse_args()
    locator = Locator.load(arguments.model)
    folder, _, split = arguments.dataset.partition(":")
    part = Dataset.open(folder).split(split or "test")
    truth, ids = strings(part.records, "country"), strings(part.records, "image_id")
    belief, _, _ = locator.believe(locator.see(part), ids, ids)
    truth = truth[np.argsort(ids.astype(str), kind="stable")]  # as the belief's rows are
    partition = belief.partition
    assert partition is not None
    trained = np.array(locator.model.calibration.prior)
    countries = np.array(partition.countries, dtype=object)
    known = np.flatnonzero(np.isin(truth.astype(str), partition.cell_ids))
    common = [code for code, n in Counter(truth[known]).items() if n >= FEWEST]
    generator = np.random.default_rng(0)
    print("# What an album's own prior is worth\n")
    print(f"`python benchmarks/albums.py MODEL {Path(folder).name}:{split}` on {machine()};")
    print(f"{versions('onnxruntime', 'numpy')}. {ALBUMS} albums each; shares of photos that are right, %,")
    print("with 95 % bootstrap intervals over albums of the difference.\n")
    print("| album of | photos | without | with | difference |\n|---|---|---|---|---|")
    for kind in ("one country", "all countries"):
        for size in SIZES:
            found = np.zeros((ALBUMS, 2))
            for album in range(ALBUMS):
                of = (
                    known if kind == "all countries" else np.flatnonzero(truth == common[album % len(common)])
                )
                rows = generator.choice(of, size, replace=False)
                alone = Belief(belief.ids[rows], partition, belief.probabilities[rows])
                shares = read_prior(estimated_shares(alone, trained, countries), partition, trained)
                for column, each in enumerate((alone, reweighted(alone, shares, trained))):
                    best = countries[np.argmax(each.probabilities, axis=1)]
                    found[album, column] = (best == truth[rows]).mean()
            gain = found[:, 1] - found[:, 0]
            means = gain[generator.integers(0, ALBUMS, (1000, ALBUMS))].mean(axis=1)
            low, high = 100 * np.percentile(means, [2.5, 97.5])
            without, with_prior = 100 * found.mean(axis=0)
            numbers = (
                f"{without:.1f} | {with_prior:.1f} | {100 * gain.mean():+.1f} ({low:+.1f} to {high:+.1f})"
            )
            print(f"| {kind} | {size} | {numbers} |")


if __name__ == "__main__":
    main()
