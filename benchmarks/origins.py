"""What brings a small geolocator further on photos of other origin, and what does it cost on known ones?

    python benchmarks/origins.py STREETS TRAVEL WEIGHTS --to benchmarks/results/origins.md

More images, more collections, or drawing them more evenly? STREETS and TRAVEL are data sets (street views in
a few large collections; travel pictures in many small ones), WEIGHTS the starter's ImageNet weights. The
starter's backbone is locked: features are computed once, and only a head is trained, so that each setting can
be tried on all collections in minutes. Of the travel pictures, each fifth of the collections is held out in
turn; of the street views one place in ten, and the largest collections, each as a whole. Images of countries
that were not learnt from count as wrong.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from machine import machine, versions
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.evaluation.bootstrap import Samples, bootstrap
from lostfound.evaluation.comparison import difference
from lostfound.files import write_atomic
from lostfound.geo.regions import nearest_places
from lostfound.geo.sphere import unit_vectors
from lostfound.models.heads import linear_head
from lostfound.partitions.kinds.s2 import leaf_ids
from lostfound.progress import note
from lostfound.studies.holding_out import deal_folds
from lostfound.training.build import build_network
from lostfound.training.features import cached_features
from lostfound.training.recipe import load_recipe

FOLDS, EPOCHS, BATCH, RATE = 5, 12, 256, 0.002
MIN_IMAGES = 10
"""A part of a country with fewer is the rest of its country."""
STREETS_HELD_OUT = 2
"""So many of the largest street collections are held out as a whole."""


@dataclass(frozen=True)
class Setting:
    """What is learnt from, and how it is drawn.

    Attributes:
        name: In the table.
        countries: A country of n images is drawn as n to this power.
        collections: The same by collection, times it.
        share: Of the travel pictures that are learnt from, drawn at random.
        of: What is drawn: images, or whole collections.
        streets: Learn from the street views, too.
        travel: Learn from travel pictures, too.
        under: Learn the parts of countries too, and add them up (PlaNet's sums, by country): "regions", or
            the level of S2 cells. A picture without coordinates tells its country alone.
    """

    name: str
    countries: float = 0.5
    collections: float = 0.75
    share: float = 1.0
    of: str = "images"
    streets: bool = True
    travel: bool = True
    under: str | int | None = None


BASE = Setting("countries to 0.5, collections to 0.75")
SETTINGS = (
    BASE,
    Setting("collections as they are", collections=1.0),
    Setting("collections to 0.5", collections=0.5),
    Setting("collections evenly", collections=0.0),
    Setting("countries as they are", countries=1.0),  # the starter's
    Setting("countries as they are, collections to 0.5", countries=1.0, collections=0.5),
    Setting("countries evenly", countries=0.0),
    Setting("no street views", streets=False),
    Setting("no travel pictures", travel=False),
    *(Setting(f"1/{n} of the travel pictures", share=1 / n) for n in (2, 4, 8)),
    *(Setting(f"1/{n} of their collections", share=1 / n, of="collections") for n in (2, 4, 8)),
    Setting("sums of regions", under="regions"),
    *(Setting(f"sums of S2 cells of level {level}", under=level) for level in (3, 4, 5)),
)


@dataclass(frozen=True)
class Images:
    """All images: features (n, length), points (n, 2), numbers of countries, collections, places, kinds."""

    features: NDArray[np.float32]
    points: NDArray[np.float64]
    classes: NDArray[np.int64]
    sources: NDArray[np.object_]
    places: NDArray[np.object_]
    travel: NDArray[np.bool_]

    @classmethod
    def read(cls, streets: Dataset, travel: Dataset, weights: Path) -> Images:
        """Compute the features, or find them in the cache."""
        recipe = load_recipe("starter")
        with torch.random.fork_rng():
            network, preprocessing, _ = build_network(recipe, _NoObjective(), weights)
        network.eval()
        parts = []
        for dataset in (streets, travel):
            values, rows = cached_features(
                network, dataset, preprocessing, workers=1, device=torch.device("cpu")
            )
            parts.append(np.asarray(values[rows]))
        records = [each.records for each in (streets, travel)]
        sources, places, countries = (
            np.concatenate([strings(each, name).astype(str) for each in records])
            for name in ("source", "place_id", "country")
        )
        return cls(
            np.concatenate(parts),
            np.concatenate([coordinates(each) for each in records]),
            np.unique(countries, return_inverse=True)[1],
            sources.astype(object),
            places.astype(object),
            np.arange(len(sources)) >= len(streets),
        )


class _NoObjective:
    """As much of a task as the building of a network asks for."""

    def build_head(self, length: int) -> torch.nn.Module:
        return linear_head(length, 1)


def main() -> None:
    """Try each setting on all that is held out, and write a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("streets", type=Path)
    parser.add_argument("travel", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", default="", help="the settings with this in their name, beside the first")
    given = parser.parse_args()
    streets, travel = Dataset.open(given.streets), Dataset.open(given.travel)
    images = Images.read(streets, travel, given.weights)
    parts = held_out(images, travel)
    right: dict[str, list[dict[str, NDArray[np.bool_]]]] = {}
    for setting in (each for each in SETTINGS if each is BASE or given.only in each.name):
        note(setting.name)
        right[setting.name] = [answers(images, parts, setting, seed) for seed in range(given.seeds)]
        write_atomic(given.to, text(images, parts, right, given).encode())


def held_out(images: Images, travel: Dataset) -> dict[str, list[NDArray[np.bool_]]]:
    """What is held out at a time, by what it is called in the table."""
    folds = [
        images.travel & np.isin(images.sources.astype(str), fold.sources)
        for fold in deal_folds(travel, FOLDS)
    ]
    names, counts = np.unique(images.sources[~images.travel].astype(str), return_counts=True)
    largest = names[np.argsort(-counts)][:STREETS_HELD_OUT]
    places, place = np.unique(images.places.astype(str), return_inverse=True)
    drawn = np.random.default_rng(0).random(len(places)) < 0.1
    known = drawn[place] & ~images.travel
    return {
        "travel": folds,
        "places of known streets": [known],
        **{str(name): [images.sources == name] for name in largest},
    }


def answers(
    images: Images, parts: dict[str, list[NDArray[np.bool_]]], setting: Setting, seed: int
) -> dict[str, NDArray[np.bool_]]:
    """For each part, whether the first answer, and one of five, is right: (n, 2)."""
    found = {}
    for name, folds in parts.items():
        both = np.zeros((len(images.classes), 2), bool)
        for out in folds:
            learnt = kept(images, ~out, setting, seed)
            head = trained(images, learnt, setting, seed)
            with torch.inference_mode():
                outputs = head(torch.from_numpy(images.features[out])).numpy()
            first = np.argsort(-outputs, axis=1, kind="stable")[:, :5] == images.classes[out][:, None]
            both[out] = np.stack([first[:, 0], first.any(axis=1)], axis=1)
        found[name] = both[np.any(folds, axis=0)]
    return found


def kept(images: Images, allowed: NDArray[np.bool_], setting: Setting, seed: int) -> NDArray[np.bool_]:
    """Which images are learnt from."""
    chosen = np.where(images.travel, setting.travel, setting.streets)
    if setting.share < 1:
        generator = np.random.default_rng(seed)
        units = images.sources if setting.of == "collections" else images.places
        names, unit = np.unique(units[images.travel].astype(str), return_inverse=True)
        drawn = generator.permutation(len(names)) < setting.share * len(names)
        chosen[images.travel] &= drawn[unit]
    return allowed & chosen


class Sums(torch.nn.Module):
    """A head that tells the parts of countries apart; its outputs are the countries' log probabilities.

    Args:
        length: Of the features.
        countries: The number of each part's country, (parts,).
    """

    def __init__(self, length: int, countries: NDArray[np.int64]) -> None:
        super().__init__()
        self.head = torch.nn.Sequential(torch.nn.Dropout(0.3), linear_head(length, len(countries)))
        self.countries = torch.from_numpy(countries)
        self.total = int(countries.max()) + 1

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Add up, (n, length) to (n, countries)."""
        return self.both(features)[1]

    def both(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The log probabilities of parts and of countries."""
        parts = torch.log_softmax(self.head(features), dim=1)
        sums = torch.zeros(len(features), self.total).index_add_(1, self.countries, parts.exp())
        return parts, sums.clamp_min(1e-9).log()


def parts_of(images: Images, learnt: NDArray[np.bool_], under: str | int | None) -> NDArray[np.int64]:
    """The number of the part of its country that each learnt image lies in, 0 where that is not known."""
    points = images.points[learnt]
    numbers = np.zeros(len(points), np.int64)
    located = np.isfinite(points).all(axis=1)
    if under is None or not located.any():
        return numbers
    if isinstance(under, str):
        found = nearest_places(points[located]).regions.astype(str)
    else:
        found = (leaf_ids(unit_vectors(points[located])) >> np.uint64(61 - 2 * under)).astype(str)
    of = np.char.add(np.char.add(images.classes[learnt][located].astype(str), "/"), found)
    _, part, counts = np.unique(of, return_inverse=True, return_counts=True)
    numbers[located] = np.where(counts[part] < MIN_IMAGES, 0, part + 1)
    return numbers


def trained(images: Images, learnt: NDArray[np.bool_], setting: Setting, seed: int) -> torch.nn.Module:
    """A head of the starter's kind: label smoothing, dropout, AdamW, drawn by country and collection.

    The loss of an image with a part is -log p(country) - log p(part | country).
    """
    features = torch.from_numpy(images.features[learnt])
    classes, sources = (
        images.classes[learnt],
        np.unique(images.sources[learnt].astype(str), return_inverse=True)[1],
    )
    chances = np.bincount(classes)[classes] ** (setting.countries - 1.0)
    chances *= np.bincount(sources)[sources] ** (setting.collections - 1.0)
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    # The first parts are the countries (where a part is not known), in order.
    number, total = parts_of(images, learnt, setting.under), int(images.classes.max()) + 1
    pairs, part = np.unique(np.stack([number, classes])[:, number > 0], axis=1, return_inverse=True)
    place = classes.copy()
    place[number > 0] = total + part.reshape(-1)
    head = Sums(features.shape[1], np.concatenate([np.arange(total), pairs[1].astype(np.int64)]))
    steps = EPOCHS * len(features) // BATCH
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    labels, drawn = torch.from_numpy(classes), torch.from_numpy(chances / chances.sum())
    places, known = torch.from_numpy(place), torch.from_numpy(number > 0)
    for _ in range(steps):
        rows = torch.multinomial(drawn, BATCH, replacement=True, generator=generator)
        by_part, by_country = head.both(features[rows])
        loss = torch.nn.functional.cross_entropy(by_country, labels[rows], label_smoothing=0.1)
        within = by_country.gather(1, labels[rows, None]) - by_part.gather(1, places[rows, None])
        loss = loss + (within[:, 0] * known[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return head.eval()


def text(
    images: Images,
    parts: dict[str, list[NDArray[np.bool_]]],
    right: dict[str, list[dict[str, NDArray[np.bool_]]]],
    given: argparse.Namespace,
) -> str:
    """The tables, Markdown."""
    only = f" --only '{given.only}'" if given.only else ""
    travel = np.any(parts["travel"], axis=0)
    sources = images.sources[travel]
    own = [name for name in parts if name != "travel"]
    counts = ", ".join(f"{int(np.any(parts[name], axis=0).sum())} of `{name}`" for name in own)
    lines = [
        "# Photos of collections that were not learnt from: what helps\n",
        f"`python benchmarks/origins.py{only}` on {machine()}; {versions('lostfound', 'torch', 'timm')}.\n",
        f"Heads on the starter's locked backbone, seeds: {given.seeds}. Right country, in percent, first "
        f"answer / one of five. Travel: {travel.sum()} pictures of {len(set(sources))} collections, each "
        "fifth of them held out in turn; interval and difference by collection (95 %, bootstrap). Streets, "
        f"as single photos: {counts}.\n",
        "| learnt from, and drawn | travel, by photo | mean of collections | difference | "
        f"{' | '.join(own)} |",
        f"|---|---|---|---|{'---|' * len(own)}",
    ]
    base = [samples(each["travel"], sources) for each in right[BASE.name]]
    for name, runs in right.items():
        mean = [sum(100 * run[part].mean(axis=0) for run in runs) / len(runs) for part in parts]
        ours = [samples(run["travel"], sources) for run in runs]
        spans = [bootstrap(ours[0][k]) for k in (0, 1)]
        values = [np.mean([each[k].value for each in ours]) for k in (0, 1)]
        collections = " / ".join(
            f"{100 * value:.1f} ({100 * span.low:.1f} to {100 * span.high:.1f})"
            for value, span in zip(values, spans, strict=True)
        )
        apart = "-"
        if name != BASE.name:
            both = [difference([each[k] for each in ours], [each[k] for each in base]) for k in (0, 1)]
            apart = " / ".join(
                f"{100 * each.value:+.1f} ({100 * each.low:+.1f} to {100 * each.high:+.1f})"
                for each in both
                if each
            )
        cells = [f"{first:.1f} / {five:.1f}" for first, five in mean]
        lines.append(f"| {name} | {cells[0]} | {collections} | {apart} | {' | '.join(cells[1:])} |")
    return "\n".join(lines) + "\n"


def samples(right: NDArray[np.bool_], sources: NDArray[np.object_]) -> list[Samples]:
    """First answers, and the best of five, as a mean of collections."""
    return [Samples(sources, right[:, k].astype(np.float64), "balanced", sources) for k in (0, 1)]


if __name__ == "__main__":
    main()
