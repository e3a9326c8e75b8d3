"""What a recipe makes of a data set: the cells, and the images that have one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.errors import RecipeError
from lostfound.geo.partitions import OUTSIDE, Partition, build_partition
from lostfound.training.recipe import Recipe, Task


@dataclass(frozen=True)
class Targets:
    """Images to train and validate on, and their cells.

    Attributes:
        partition: The cells, built from the training images.
        train: The training images that lie in a cell.
        train_cells: Their cells, (n,).
        val: All validation images.
        val_cells: Their cells, (n,); `OUTSIDE` for those that count as wrong whatever is answered.
        left_out: Countries without enough training images: (code, images), most first.
    """

    partition: Partition
    train: Dataset
    train_cells: NDArray[np.int64]
    val: Dataset
    val_cells: NDArray[np.int64]
    left_out: list[tuple[str, int]]


def build_targets(recipe: Recipe, dataset: Dataset) -> Targets:
    """Divide a data set as a recipe asks.

    Raises:
        RecipeError: There is nothing to train on, to validate on or to tell apart, or a cell has a single
            image.
    """
    train, val = dataset.split("train"), dataset.split("val")
    if not len(train) or not len(val):
        raise RecipeError(
            f"{dataset.folder} has {len(train)} training and {len(val)} validation images: training needs "
            "both; import more places, or change the shares with `lostfound prepare --resplit`"
        )
    partition = _build_partition(recipe.task, train)
    cells = _cells(partition, train)
    outside = strings(train.records, "country")[cells == OUTSIDE]
    codes, numbers = np.unique(outside.astype(str), return_counts=True)
    left_out = sorted(zip(codes.tolist(), numbers.tolist(), strict=True), key=lambda pair: -pair[1])
    val_cells = _cells(partition, val)
    if (val_cells == OUTSIDE).all():
        raise RecipeError(
            f"none of the {len(val)} validation images of {dataset.folder} lies in one of the "
            f"{len(partition)} cells, so no epoch could be called the best: import more places, or lower "
            "task.min_images"
        )
    kept = cells != OUTSIDE
    return Targets(
        partition, train.with_records(train.records.filter(kept)), cells[kept], val, val_cells, left_out
    )


def _build_partition(task: Task, train: Dataset) -> Partition:
    points, countries = coordinates(train.records), strings(train.records, "country")
    partition = build_partition(
        task.partition, points, countries, min_images=task.min_images, **task.settings
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
            f"only one cell ({partition.names[0]}) has {task.min_images} training images or more: "
            "there is nothing to tell apart; lower task.min_images or import more"
        )
    return partition


def _cells(partition: Partition, dataset: Dataset) -> NDArray[np.int64]:
    return partition.assign(coordinates(dataset.records), strings(dataset.records, "country"))
