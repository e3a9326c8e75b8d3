"""Preparing: a data set made anew from another one, by the steps of a recipe."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lostfound.data.adding import refuse_other
from lostfound.data.chunks import run_chunks, tidy
from lostfound.data.dataset import Dataset, StoredImages, read_info, write_dataset
from lostfound.data.importers.encoding import JPEG_QUALITY
from lostfound.data.preparing.recipe import MIN_SIZE, PrepareRecipe, Split, load_prepare_recipe
from lostfound.data.preparing.resize import resize_image
from lostfound.data.preparing.steps import Drop, PreparationPlan, files_of, plan
from lostfound.data.splits import SplitSettings
from lostfound.data.writing import writing
from lostfound.errors import UsageError
from lostfound.files import digest, write_atomic
from lostfound.parallel.processes import WorkEngine
from lostfound.texts import csv_text

DROPPED = "dropped.csv"
_BATCH = 8192


@dataclass(frozen=True)
class Preparation:
    """What a preparation made.

    Attributes:
        datasets: The new data sets, one for each size, of the same images.
        report: What each step did, as `dataset.json` holds it under "prepared".
    """

    datasets: list[Dataset]
    report: dict[str, Any]

    @property
    def dataset(self) -> Dataset:
        """The new data set; the first of several."""
        return self.datasets[0]


def prepare(
    dataset: Dataset | str | Path,
    to: str | Path,
    recipe: PrepareRecipe | str | Path | None = None,
    *,
    size: int | None = None,
    splits: SplitSettings | None = None,
    jobs: int | None = None,
    engine: WorkEngine | None = None,
) -> Preparation:
    """Make a data set anew: corrected, filtered, rebalanced, divided and resized; a stopped run goes on.

    What was left out, and why, is listed in `dropped.csv` and counted in `dataset.json`.

    Args:
        dataset: What to prepare, or its folder; it stays as it is.
        to: The new folder. With several sizes each has a folder beside it: `to`-128, `to`-64.
        recipe: What to do: the name of a recipe in the package, such as "clean", the path of a YAML file, or
            a recipe; None keeps everything.
        size: The shorter side in pixels, instead of the recipe's; images that are smaller stay as they are.
        splits: Divide the places anew so, instead of as the recipe says.
        jobs: Processes; all cores if None.
        engine: Where images are encoded, such as `lostfound.parallel.cluster.RayEngine`; in processes of this
            machine if None.

    Raises:
        UsageError: The new folder is a file or holds something else, the size is too small, or a file that
            the recipe names is missing or wrong.
        RecipeError: The recipe is missing or wrong, a step would drop everything, or it asks for countries
            that the data lacks.
        DatasetError: The data set is damaged, or another process writes to the new folder.
        DiskFullError: The disk became full; the same command goes on.

    Examples:
        >>> import lostfound
        >>> made = lostfound.prepare("data/streets", "data/streets-32", size=32)
        >>> made.dataset.info["settings"]["size"]
        32
    """
    chosen = _chosen(recipe, size, splits)
    if not isinstance(dataset, Dataset):
        dataset = Dataset.open(dataset)
    key = _key(dataset, chosen)
    sizes = chosen.sizes or (int(dataset.info["settings"]["size"]),)
    folders = _folders(Path(to), sizes)
    with ExitStack() as held:
        for folder in folders:
            held.enter_context(writing(folder))
        todo = [
            (folder, size) for folder, size in zip(folders, sizes, strict=True) if not _holds(folder, key)
        ]
        if todo:
            parts = todo[0][0] / f".import-measured-{_measure_key(dataset, chosen)}"
            planned = plan(dataset, chosen, parts=parts, jobs=jobs)
            for folder, own_size in todo:
                _write(dataset, planned, folder, own_size, chosen, key, jobs, engine)
        datasets = [Dataset.open(folder) for folder in folders]
        for each in datasets:
            tidy(each.folder, each.stored)
    return Preparation(datasets, datasets[0].info["prepared"])


def _chosen(
    recipe: PrepareRecipe | str | Path | None, size: int | None, splits: SplitSettings | None
) -> PrepareRecipe:
    """The recipe, with another size or other splits."""
    if not isinstance(recipe, PrepareRecipe):
        recipe = load_prepare_recipe(recipe)
    changes: dict[str, Any] = {}
    if size is not None:
        if size < MIN_SIZE:
            raise UsageError(
                f"a shorter side of {size} pixels is too small to show a place: give {MIN_SIZE} or more"
            )
        changes["sizes"] = (size,)
    if splits is not None:
        changes["split"] = Split(**vars(splits))
    return recipe.model_copy(update=changes)


def _key(dataset: Dataset, recipe: PrepareRecipe) -> str:
    """A hash of everything that determines the result."""
    parts = [dataset.info["records_sha256"], recipe.model_dump(mode="json"), files_of(recipe), JPEG_QUALITY]
    return digest(json.dumps(parts).encode())


def _measure_key(dataset: Dataset, recipe: PrepareRecipe) -> str:
    """The measurements stay good when a threshold changes."""
    return digest(json.dumps([dataset.info["records_sha256"], recipe.quality.size]).encode())[:16]


def _folders(to: Path, sizes: tuple[int, ...]) -> list[Path]:
    folders = [to] if len(sizes) == 1 else [to.with_name(f"{to.resolve().name}-{size}") for size in sizes]
    for folder in folders:
        refuse_other(folder)
    return folders


def _holds(folder: Path, key: str) -> bool:
    """Is this very preparation finished there?"""
    if not (folder / "dataset.json").exists():
        return False
    if read_info(folder).get("prepared", {}).get("key") != key:
        raise UsageError(f"{folder} holds a data set: choose another folder")
    return True


def _write(
    dataset: Dataset,
    planned: PreparationPlan,
    folder: Path,
    size: int,
    recipe: PrepareRecipe,
    key: str,
    jobs: int | None,
    engine: WorkEngine | None,
) -> None:
    """Encode the images of a plan and write the data set."""
    records, unreadable = run_chunks(
        StoredImages(dataset.with_records(planned.records)),
        partial(resize_image, size=size),
        folder=folder,
        key=_work_key(planned, key, size),
        title="Preparing",
        jobs=jobs,
        engine=engine,
    )
    drops, steps = [*planned.drops], [*planned.steps]
    for label, why in unreadable:
        image_id, _, original = label.partition("/")
        drops.append(Drop(image_id, original, "resize", why))
    if unreadable:
        gone = {"dropped": len(unreadable), "left": len(records)}
        steps.append({"step": "resize", "reason": "unreadable", **gone})
    splits = recipe.split.settings() if recipe.split else None
    info: dict[str, Any] = {
        **dataset.info,
        "made_by": "lostfound prepare",
        "settings": {"size": size, "quality": JPEG_QUALITY},
        "splits": vars(splits) if splits else dataset.info["splits"],
        "prepared_from": dataset.info["records_sha256"],
        "prepared": {
            "key": key,
            "recipe": recipe.model_dump(mode="json"),
            "images": len(dataset),
            "steps": steps,
            **planned.about,
        },
    }
    _write_dropped(folder / DROPPED, drops)
    write_dataset(folder, records, info)


def _work_key(planned: PreparationPlan, key: str, size: int) -> str:
    """A hash of everything that determines the images of one size, those that are left among it."""
    hashed = hashlib.sha256(f"{key}:{size}:".encode())
    for batch in planned.records.select(["image_id"]).to_batches(_BATCH):
        hashed.update("".join(batch["image_id"].to_pylist()).encode())
    return hashed.hexdigest()


def _write_dropped(path: Path, drops: list[Drop]) -> None:
    rows = ((each.image_id, each.original, each.step, each.reason) for each in drops)
    write_atomic(path, csv_text([("image_id", "original", "step", "reason"), *rows]).encode())
