"""The table and the pictures of docs/partitions.md.

DATA=../shared/data
lostfound import $DATA/street-panoramas $DATA/street-croatia --to union --size 32 --val 0 --test 0.25
python benchmarks/partition_table.py union docs/images > benchmarks/results/partition_table.md
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from machine import machine, versions
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.partitions import Partition, build_partition, compare_partitions
from lostfound.partitions.plot import draw_partition

# S2's usual settings, 50 and 1000 images, are made for data sets a hundred times as large.
PARTITIONS: dict[str, tuple[str, dict[str, object]]] = {
    "countries": ("countries", {}),
    "regions": ("regions", {}),
    "square": ("square", {"cells": 100}),
    "voronoi": ("voronoi", {"cells": 100, "seed": 1}),
    "s2": ("s2", {"min_images": 4, "max_images": 80}),
    "quadtree": ("quadtree", {"split_at": 110}),
}
_HEADINGS = (
    "cells", "no test image", "test images outside", "images a cell: min", "median", "max", "Gini",
    "radius km: median", "p90", "oracle km: median", "mean", "oracle score",
)  # fmt: skip


def main() -> None:
    """Print the table and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    arguments = parser.parse_args()
    dataset = Dataset.open(arguments.dataset)
    train, test = dataset.split("train").records, dataset.split("test").records
    points, countries = coordinates(train), strings(train, "country")
    built = {
        name: build_partition(kind, points, countries, **settings)
        for name, (kind, settings) in PARTITIONS.items()
    }
    for name, each in built.items():
        _draw(each, name, arguments.pictures / f"partition-{name}.png")
    reports = compare_partitions(built, coordinates(test), strings(test, "country"))
    places = [len(np.unique(strings(part, "place_id").astype(str))) for part in (train, test)]
    about = versions("lostfound", "numpy", "shapely")
    print(f"Written by `benchmarks/partition_table.py`. {machine()}; {about}\n")
    print(
        f"Built from {train.num_rows:,} training images of {places[0]:,} places, judged by {test.num_rows:,} "
        f"test images of {places[1]:,} other places.\n"
    )
    print(f"| partition | settings | {' | '.join(_HEADINGS)} |")
    print("|---|---|" + "---:|" * len(_HEADINGS))
    for name, (_, settings) in PARTITIONS.items():
        each = reports[name]
        chosen = ", ".join(f"{key} {value}" for key, value in settings.items())
        numbers = (
            f"{each.cells:,}", f"{each.empty_cells:,}", f"{each.outside:,}",
            f"{each.images_min:,}", f"{each.images_median:,.0f}", f"{each.images_max:,}",
            f"{each.images_gini:.2f}", _km(each.radius_km_median), _km(each.radius_km_p90),
            _km(each.oracle_median_km), _km(each.oracle_mean_km), f"{each.oracle_score:,.0f}",
        )  # fmt: skip
        print(f"| {name} | {chosen} | {' | '.join(numbers)} |")


def _draw(drawn: Partition, name: str, target: Path) -> None:
    """A small picture: few colours compress well."""
    png = draw_partition(drawn, title=f"{name}: {len(drawn)} cells", width=7.5, dpi=96)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(target, optimize=True)


def _km(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:,.0f}"


if __name__ == "__main__":
    main()
