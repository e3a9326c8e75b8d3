"""Partitions: label spaces over the Earth, one interface for all kinds.

A partition has cells; each has an id, a name, a decoding point and a count of training images. What is
above this package knows cells by number and never asks which kind of partition it holds.
"""

from lostfound.partitions import registry  # noqa: F401 - it fills KINDS, which the others read
from lostfound.partitions.base import OUTSIDE, Partition
from lostfound.partitions.build import PARTITION_KINDS, PartitionKind, build_partition
from lostfound.partitions.compare import PartitionReport, compare_partitions
from lostfound.partitions.hierarchy import Hierarchy, hierarchy

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
