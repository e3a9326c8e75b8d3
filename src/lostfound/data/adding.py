"""Adding records to a data set, new or existing: what an import and a collection share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lostfound.data.chunks import work_folders
from lostfound.data.dataset import Dataset, read_info, write_dataset
from lostfound.data.grouping import first_of
from lostfound.data.records import AnyRecords, coordinates, numbers, set_column, strings
from lostfound.data.splits import SplitSettings, assign_splits
from lostfound.data.stored import StoredRecords
from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries

COLLECTIONS = "collect"
"""Below a data set's folder: what collections keep of their work."""
_NO_ONES = frozenset({".lock", ".DS_Store", ".localized", "Thumbs.db", "desktop.ini", "lost+found"})
"""What a folder that is as good as empty may hold: our own lock, and what systems leave."""


@dataclass(frozen=True)
class Added:
    """What came of adding records.

    Attributes:
        dataset: The data set as it is now.
        duplicates: Records left out because their image was there already.
        other_label: Those of the duplicates that had another place or country.
    """

    dataset: Dataset
    duplicates: int
    other_label: int


def refuse_other(folder: Path) -> None:
    """Refuse a folder that is neither a data set nor free to become one; nothing in it is touched.

    A data set's is one with a `dataset.json`, or one in which a run was begun.

    Raises:
        UsageError: It is a file, or holds something else.
        DatasetError: Its `dataset.json` is not one of ours.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file: give the folder of a data set, new or existing")
    if (folder / "dataset.json").exists():
        read_info(folder)
        return
    collections = folder / COLLECTIONS
    if work_folders(folder) or (collections / ".lock").exists() or any(collections.glob("*.sqlite")):
        return
    others = sorted(path.name for path in folder.iterdir() if path.name not in _NO_ONES)
    if others:
        raise UsageError(
            f"{folder} exists and is not a data set (it holds {others[0]!r}): choose another folder, or an "
            "empty one"
        )


def existing_dataset(folder: Path, settings: Mapping[str, Any]) -> Dataset | None:
    """The data set to add to, if it is there.

    Args:
        folder: The data set's.
        settings: How the images to come are stored: `size` and `quality`.

    Raises:
        UsageError: Its images are stored otherwise, or the folder is something else's.
        DatasetError: It is damaged.
    """
    refuse_other(folder)
    if not (folder / "dataset.json").is_file():
        return None
    before = read_info(folder)["settings"]
    if before != settings:
        raise UsageError(
            f"{folder} was made with {before}, not {settings}: use the same settings to add to it "
            f"(--size {before['size']}), or another folder"
        )
    return Dataset.open(folder)


def add_records(
    folder: Path,
    existing: Dataset | None,
    added: StoredRecords,
    *,
    info: Mapping[str, Any],
    splits: SplitSettings,
    done: Mapping[str, Any],
) -> Added:
    """Write a data set anew with records added, each image once.

    Args:
        folder: The data set's.
        existing: The data set that they are added to; None for a new one.
        added: The records, with their countries and where their images are stored.
        info: What `dataset.json` is to say besides the splits and the imports.
        splits: How places without a split are divided.
        done: What `dataset.json` says of this import.
    """
    records = existing.stored.followed_by(added) if existing else added
    records, duplicates, other_label = _without_repeats(records)
    imports = [*(existing.info.get("imports", []) if existing else []), done]
    records = assign_splits(records, splits)
    dataset = write_dataset(folder, records, {**info, "splits": vars(splits), "imports": imports})
    return Added(dataset, duplicates, other_label)


def with_country(records: AnyRecords, boundaries: Boundaries) -> AnyRecords:
    """Fill in the country of records that have coordinates and none stated.

    A stated country stays, wherever the coordinates lie: who took the photo knows of territories and
    borders what a map of the world does not.
    """
    needed = records.select(["country", "latitude", "longitude"])
    points, stated = coordinates(needed), needed["country"]
    unknown = np.isfinite(points).all(axis=1) & stated.is_null().to_numpy()
    if not unknown.any():
        return records
    codes = pa.array([*boundaries.codes, None], pa.string())
    number = np.full(len(points), len(boundaries.codes))
    number[unknown] = boundaries.index_at(points[unknown]) % len(codes)  # -1 is the last: none
    return set_column(records, "country", pc.coalesce(stated, codes.take(pa.array(number))))


def _without_repeats(records: AnyRecords) -> tuple[AnyRecords, int, int]:
    """Each image once, the first stays.

    Returns:
        The records, the number of those dropped, and how many of these had another label.
    """
    first = first_of(numbers(records, "image_id")[0])
    fresh = first == np.arange(len(first))
    if fresh.all():
        return records, 0, 0
    labels = records.select(["country", "latitude", "longitude"])
    repeats, originals = labels.filter(pa.array(~fresh)), labels.take(pa.array(first[~fresh]))
    other = np.zeros(repeats.num_rows, dtype=bool)
    for column in labels.column_names:
        other |= strings(repeats, column).astype(str) != strings(originals, column).astype(str)
    return records.filter(pa.array(fresh)), repeats.num_rows, int(other.sum())
