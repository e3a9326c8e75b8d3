"""When an approximate index pays over the exact search of a gallery.

    python benchmarks/gallery_index.py MODEL [--places 10000 94123 300000] [--queries 64] [--rounds 5]

MODEL is a converted GeoCLIP: its gallery is used, cut, or filled up with places of it with noise. Queries are
places with so much noise that they lie as far from the nearest as photos do (a cosine of some 0.3). The exact
way is the matrix product that answers here, in single precision, and all places' probabilities; the index
is HNSW by usearch, in half precision, as it comes, and finds ten places. Needs `pip install usearch`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, versions

from lostfound.predict.features import unit_length
from lostfound.predict.model_folder import ModelFolder

TOP = 10
LIKE_PHOTOS = 0.3
"""The cosine of queries with the place that they were made of."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--places", type=int, nargs="+", default=[10_000, 94_123, 300_000])
    parser.add_argument("--queries", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    decoder: Any = ModelFolder.open(arguments.model).decoder
    own = np.asarray(decoder.embeddings, dtype=np.float32)
    dice = np.random.default_rng(0)
    print("| places | way | building | memory | one query | 32 together, each | found of the ten |")
    print("|---|---|---|---|---|---|---|")
    for places in arguments.places:
        rows = dice.permutation(len(own))[:places]
        gallery = own[rows]
        if places > len(own):
            more = own[dice.integers(len(own), size=places - len(own))]
            gallery = np.concatenate([gallery, noisy(more, 0.95, dice)])
        queries = noisy(gallery[dice.integers(places, size=arguments.queries)], LIKE_PHOTOS, dice)
        exact = np.argsort(-(queries @ gallery.T), axis=1)[:, :TOP]
        for name, build in (("exact", exact_search), ("usearch", usearch_index)):
            start = time.perf_counter()
            search, size = build(gallery, decoder.scale)
            built = time.perf_counter() - start
            found = np.concatenate([search(queries[at : at + 1]) for at in range(len(queries))])
            share = np.mean([len({*a} & {*b}) / TOP for a, b in zip(found, exact, strict=True)])
            one, many = (
                1000 / number * timed(lambda n=number, s=search, q=queries: s(q[:n]), arguments.rounds)
                for number in (1, 32)
            )
            print(
                f"| {places} | {name} | {built:.1f} s | {size / 2**20:.0f} MiB | {one:.2f} ms "
                f"| {many:.2f} ms | {share:.1%} |",
                flush=True,
            )
    print(f"\n{machine()}; {versions('numpy', 'usearch')}")


def noisy(vectors: np.ndarray, cosine: float, dice: np.random.Generator) -> np.ndarray:
    """Vectors of length 1 with this cosine to those given."""
    noise = unit_length(dice.normal(size=vectors.shape))
    noise -= (noise * vectors).sum(axis=1, keepdims=True) * vectors
    return (cosine * vectors + np.sqrt(1 - cosine**2) * unit_length(noise)).astype(np.float32)


def exact_search(gallery: np.ndarray, scale: float) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """The matrix product, the probability of each place, and the ten best."""

    def search(queries: np.ndarray) -> np.ndarray:
        logits = scale * (queries @ gallery.T)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        raised /= raised.sum(axis=1, keepdims=True)
        return np.argpartition(-raised, TOP, axis=1)[:, :TOP]

    return search, gallery.nbytes


def usearch_index(gallery: np.ndarray, _: float) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """HNSW in half precision."""
    from usearch.index import Index

    index = Index(ndim=gallery.shape[1], metric="ip", dtype="f16")
    index.add(np.arange(len(gallery)), gallery, threads=os.cpu_count() or 1)

    def search(queries: np.ndarray) -> np.ndarray:
        found = np.asarray(index.search(queries, TOP, threads=os.cpu_count() or 1).keys)
        return found.reshape(len(queries), TOP)

    return search, float(index.memory_usage)


def timed(step: Callable[[], Any], rounds: int) -> float:
    """Seconds of the middle one of some rounds."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


if __name__ == "__main__":
    main()
