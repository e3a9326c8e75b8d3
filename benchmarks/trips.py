"""Do photos that belong together help each other? --same-trip and --prior estimate against single answers.

    python benchmarks/trips.py MODEL DATASET:SPLIT ...

Of each data set albums are drawn: runs of so many photos within a country, then a jump to another; photos of
one country; and photos at random, which are no trip and must not suffer. Only photos of countries that the
model has are drawn, no photo twice in an album, and one of each place. Differences are paired, with 95 %
bootstrap intervals by album.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from machine import machine, versions
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.predict.belief import Belief
from lostfound.predict.locator import Locator
from lostfound.predict.priors import estimated_shares, read_prior, reweighted
from lostfound.predict.trips import smooth_trip

ALBUMS, DRAWS = 150, 1000
RUNS = {
    "20 photos, runs of 2": (20, 2),
    "20 photos, runs of 5": (20, 5),
    "20 photos, runs of 10": (20, 10),
    "5 photos of one country": (5, 5),
    "20 photos of one country": (20, 20),
    "20 photos at random": (20, 0),
    "100 photos at random": (100, 0),
}
PSEUDO = (10.0, 30.0, 100.0)


def main() -> None:
    """Measure and print a Markdown text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("datasets", nargs="+", metavar="DATASET:SPLIT")
    arguments = parser.parse_args()
    locator = Locator.load(arguments.model)
    ways = ways_of(locator)
    print(f"# Photos that belong together, by {locator.model.config['name']}\n")
    print(f"`python benchmarks/trips.py MODEL {' '.join(Path(each).name for each in arguments.datasets)}`")
    print(f"on {machine()}; {versions('onnxruntime', 'numpy')}.")
    print(
        f"{ALBUMS} albums of each kind; points of country accuracy against single answers, 95 % intervals.\n"
    )
    print("| photos | album | single: right | log loss | " + " | ".join(ways) + " |")
    print("|" + "---|" * (len(ways) + 4))
    for text in arguments.datasets:
        folder, _, split = text.partition(":")
        belief, truth, source, place = beliefs(locator, Path(folder), split or "test")
        for name in ("all", *sorted(set(source))) if len(set(source)) > 1 else ("all",):
            rows = np.flatnonzero((truth >= 0) & ((source == name) | (name == "all")))
            for kind, (size, run) in RUNS.items():
                albums = list(drawn(np.random.default_rng(0), rows, truth, place, size, run))
                if albums:
                    label = f"{Path(folder).name} {split}" + ("" if name == "all" else f", {name}")
                    cells = compared(belief, truth, albums, ways)
                    print(f"| {label} | {kind}, {len(albums)} albums | {cells} |", flush=True)


def beliefs(
    locator: Locator, folder: Path, split: str
) -> tuple[Belief, NDArray[np.int64], NDArray[np.object_], NDArray[np.object_]]:
    """What the model believes of a split, the photos' countries as cells (-1: none), sources and places."""
    dataset = Dataset.open(folder)
    part = dataset if split == "all" else dataset.split(split)
    seen = locator.see(part)
    ids = strings(part.records, "image_id")
    partition = locator.model.partition
    assert partition is not None
    number = {code: row for row, code in enumerate(partition.cell_ids)}
    truth = np.array([number.get(code, -1) for code in strings(part.records, "country")])
    order = np.argsort(ids)  # `believe` answers in the order of names
    belief, _, first = locator.believe(seen, ids, ids)
    assert np.array_equal(order, first)
    return (
        belief,
        truth[first],
        strings(part.records, "source")[first],
        strings(part.records, "place_id")[first],
    )


def drawn(
    generator: np.random.Generator,
    rows: NDArray[np.int64],
    truth: NDArray[np.int64],
    place: NDArray[np.object_],
    size: int,
    run: int,
) -> Iterator[NDArray[np.int64]]:
    """Rows of albums; none where there are too few photos."""
    rows = rows[np.unique(place[rows].astype(str), return_index=True)[1]]
    cells, counts = np.unique(truth[rows], return_counts=True)
    if run == 0:
        if len(rows) >= 2 * size:
            for _ in range(ALBUMS):
                yield generator.choice(rows, size, replace=False)
        return
    enough = cells[counts >= run]
    if len(enough) < min(2, size // run):
        return
    for _ in range(ALBUMS):
        album: list[int] = []
        while len(album) < size:
            left = np.setdiff1d(rows, album)
            others = [cell for cell in enough if not album or cell != truth[album[-1]]] or list(enough)
            own = left[truth[left] == generator.choice(others)]
            if len(own) >= run:
                album += generator.choice(own, run, replace=False).tolist()
        yield np.array(album)


def ways_of(locator: Locator) -> dict[str, Callable[[Belief], Belief]]:
    """How an album is answered, by name."""
    trained = np.array(locator.model.calibration.prior)
    partition = locator.model.partition
    assert partition is not None
    countries = np.array(partition.countries, dtype=object)

    def trip(album: Belief) -> Belief:
        times = np.arange(len(album), dtype=np.float64)
        return smooth_trip(
            album, times, locator.model.levels, trained, np.zeros(len(album), dtype=bool)
        ).belief

    def estimate(pseudo: float) -> Callable[[Belief], Belief]:
        def way(album: Belief) -> Belief:
            found = estimated_shares(album, trained, countries, photos=pseudo)
            return reweighted(album, read_prior(found, partition, trained), trained)

        return way

    uniform = read_prior("uniform", partition, trained)
    return {
        "same trip": trip,
        "prior uniform": lambda album: reweighted(album, uniform, trained),
        **{f"prior estimate, {pseudo:g} pseudo-photos": estimate(pseudo) for pseudo in PSEUDO},
    }


def compared(
    belief: Belief,
    truth: NDArray[np.int64],
    albums: list[NDArray[np.int64]],
    ways: dict[str, Callable[[Belief], Belief]],
) -> str:
    """How right single answers are, and what each way changes; albums are what is drawn anew."""
    draws = np.random.default_rng(1).integers(0, len(albums), (DRAWS, len(albums)))
    right, losses = {}, {}
    for name, way in {"single": lambda album: album, **ways}.items():
        found = [
            way(Belief(belief.ids[rows], belief.partition, belief.probabilities[rows])) for rows in albums
        ]
        right[name] = np.array(
            [
                (np.argmax(each.probabilities, axis=1) == truth[rows]).mean()
                for each, rows in zip(found, albums, strict=True)
            ]
        )
        losses[name] = np.mean(
            [
                -np.log(np.maximum(each.probabilities[np.arange(len(rows)), truth[rows]], 1e-12)).mean()
                for each, rows in zip(found, albums, strict=True)
            ]
        )
    cells = [f"{100 * right['single'].mean():.1f} %", f"{losses['single']:.2f}"]
    for name in ways:
        gain = 100 * (right[name] - right["single"])
        low, high = np.quantile(gain[draws].mean(axis=1), (0.025, 0.975))
        cells.append(f"{gain.mean():+.1f} ({low:+.1f} to {high:+.1f}), {losses[name]:.2f}")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
