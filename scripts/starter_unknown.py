"""To which photos the starter says "I don't know", and to which pictures of no place."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Samples, bootstrap
from lostfound.predict.answering import DOUBTFUL
from lostfound.predict.locator import Locator

PLACELESS = Path(__file__).with_name("placeless.txt")
"""Pictures of world-photos that show a room, food, a face or paper, but no place; chosen by hand.

From what ImageNet's network took for rooms, food, animals or paper, of all collections; and from what a
regression fitted to these took for no place, of those that none of the halves holds.
"""
WORLD = "world-photos"
SHARES = ("answered", "doubtful", "no_place", "right_where_answered", "right")


def placeless(data: Path, held_out: Sequence[str] = ()) -> list[Path]:
    """The pictures of no place, but for those of collections that are held out."""
    apart = {Path(each).name for each in held_out}
    names = PLACELESS.read_text(encoding="utf-8").split()
    return [data / WORLD / each for each in names if Path(each).parent.name not in apart]


def unknown(data: Path, models: Sequence[tuple[Path, Dataset]]) -> dict[str, dict[str, Any]]:
    """What models answer of their photos, by the kind of photo: shares with intervals by place."""
    with (data / WORLD / "labels.csv").open(encoding="utf-8", newline="") as file:
        kinds = {row["path"]: row["kind"] for row in csv.DictReader(file)}
    kinds |= dict.fromkeys(PLACELESS.read_text(encoding="utf-8").split(), "no place")
    parts = [answers(Locator.load(model), part, kinds) for model, part in models]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {kind: shares(columns, columns["kind"] == kind) for kind in sorted(set(columns["kind"]))}


def answers(locator: Locator, part: Dataset, kinds: dict[str, str]) -> dict[str, NDArray[Any]]:
    """Of each photo its kind, its place, whether and why it was not answered, and what is right."""
    found = locator.predict(part, unit="image").to_table()
    order = {id_: row for row, id_ in enumerate(strings(part.records, "image_id"))}
    rows = [order[id_] for id_ in strings(found, "image_id")]
    records = part.records.take(rows)
    away = np.char.startswith(strings(records, "source").astype(str), f"{WORLD}/")
    names = strings(records, "original")
    reasons = strings(found, "abstained")
    return {
        "kind": np.array([kinds[name] if far else "street" for name, far in zip(names, away, strict=True)]),
        "place": strings(records, "place_id"),
        "doubtful": np.array([str(why).startswith(DOUBTFUL[:20]) for why in reasons]),
        "answered": np.array([why is None for why in reasons]),
        "right": strings(found, "guess_country") == strings(records, "country"),
    }


def shares(columns: dict[str, NDArray[Any]], kept: NDArray[np.bool_]) -> dict[str, Any]:
    """How many of these photos are answered, doubted, and right."""
    of = {name: column[kept] for name, column in columns.items()}
    of["no_place"] = ~of["answered"] & ~of["doubtful"]
    of["right_where_answered"] = of["right"]
    found: dict[str, Any] = {"images": int(kept.sum())}
    for name in SHARES:
        rows = of["answered"] if name == "right_where_answered" else np.ones(len(of["place"]), dtype=bool)
        if rows.any():
            found[name] = asdict(bootstrap(Samples(of["place"][rows], of[name][rows].astype(float))))
    return found
