"""Partitions: label spaces over the Earth, one interface for all kinds.

A partition has cells; each has an id, a name, a decoding point and a count of training images. What is
above this package knows cells by number and never asks which kind of partition it holds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lostfound.partitions.base import OUTSIDE, PARTITION_KINDS, Partition, PartitionKind
from lostfound.partitions.hierarchy import Hierarchy, hierarchy

if TYPE_CHECKING:
    from lostfound.partitions.build import build_partition
    from lostfound.partitions.compare import PartitionReport, compare_partitions

__all__ = [
    "OUTSIDE",
    "PARTITION_KINDS",
    "Hierarchy",
    "Partition",
    "PartitionKind",
    "PartitionReport",
    "build_partition",
    "compare_partitions",
    "hierarchy",
]

# A model that answers only reads its cells: what builds and compares them brings the borders and SciPy.
_MODULES = {
    "PartitionReport": "compare",
    "build_partition": "build",
    "compare_partitions": "compare",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"lostfound.partitions.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'lostfound.partitions' has no attribute {name!r}")
