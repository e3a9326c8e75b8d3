"""The cells that images are told apart by: building them, and what goes wrong in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import RecipeError
from lostfound.partitions import OUTSIDE, Partition, build_partition
from lostfound.training.images import LabelledImages
from lostfound.training.settings import CellSettings


def build_cells(settings: CellSettings, train: LabelledImages) -> Partition:
    """The partition that a recipe asks for.

    Raises:
        RecipeError: There is nothing to tell apart, a city has too few images, or a cell has a single one.
    """
    partition = build_partition(
        settings.partition,
        train.points,
        train.countries,
        min_images=settings.min_images,
        **settings.settings,
    )
    named = [city["name"] for city in partition.settings.get("cities", ())]
    empty = [name for name in named if name not in partition.names]
    if empty:
        raise RecipeError(
            f"{len(empty)} of the {len(named)} cities have fewer than {settings.min_images} training images "
            f"({', '.join(empty)}): leave them out of task.settings.cities, or import images of them"
        )
    thin = [name for name, count in zip(partition.names, partition.counts, strict=True) if count < 2]
    if thin:
        more = f" and {len(thin) - 10} more" if len(thin) > 10 else ""
        raise RecipeError(
            f"{len(thin)} cell(s) have a single training image ({', '.join(thin[:10])}{more}): nothing can "
            "be learnt from one; set task.min_images=2 or more to leave them out, or import more of them"
        )
    if len(partition) < 2:
        raise RecipeError(
            f"only one cell ({partition.names[0]}) has {settings.min_images} training images or more: "
            "there is nothing to tell apart; lower task.min_images or import more"
        )
    return partition


def in_cells(
    partition: Partition, train: LabelledImages
) -> tuple[LabelledImages, NDArray[np.int64], list[tuple[str, int]]]:
    """The training images that lie in a cell, their cells, and how many of which country lie in none."""
    cells = partition.assign(train.points, train.countries)
    codes, numbers = np.unique(train.countries[cells == OUTSIDE].astype(str), return_counts=True)
    left_out = sorted(zip(codes.tolist(), numbers.tolist(), strict=True), key=lambda pair: -pair[1])
    kept = cells != OUTSIDE
    return train.take(kept), cells[kept], left_out


def need_coordinates(images: LabelledImages, what: str) -> None:
    """Refuse training images without coordinates.

    Raises:
        RecipeError: There are some.
    """
    missing = int((~images.located).sum())
    if missing:
        raise RecipeError(
            f"{missing} of the {len(images)} training images have a country but no coordinates, which {what} "
            "needs: leave them out with data.located=true, or train on another data set"
        )
