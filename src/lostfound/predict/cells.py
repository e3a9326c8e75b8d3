"""The cells that somebody names: those of a model, or of a partition's file."""

from __future__ import annotations

from pathlib import Path

from lostfound.errors import UsageError
from lostfound.partitions import Partition
from lostfound.predict.model_folder import ModelFolder


def read_cells(path: Path) -> Partition:
    """The cells of a model folder, or of a file of a partition.

    Raises:
        UsageError: It holds none.
    """
    if path.is_dir():
        partition = ModelFolder.open(path).partition
        if partition is None:
            raise UsageError(f"{path} has no cells: give a model of cities, or a partition's file")
        return partition
    if not path.is_file():
        raise UsageError(f"{path} does not exist: give a model folder, or a partition's file (Parquet)")
    try:
        return Partition.load(path)
    except Exception as error:  # whatever a file that is no partition's raises
        raise UsageError(f"{path} can't be read as cells: {error}") from None
