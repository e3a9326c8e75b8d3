"""Building a partition of any kind from the training split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostfound.errors import UsageError
from lostfound.geo.boundaries import label_countries
from lostfound.geo.points import check_points
from lostfound.geo.sphere import wrap_longitude
from lostfound.partitions.base import Partition
from lostfound.partitions.build_cells import TrainingPlaces

PartitionKind = Literal["countries", "regions", "cities", "square", "voronoi", "s2", "quadtree", "polygons"]
PARTITION_KINDS: tuple[str, ...] = get_args(PartitionKind)


def build_partition(
    kind: str,
    points: ArrayLike,
    countries: Sequence[str | None] | NDArray[np.object_] | None = None,
    **settings: Any,
) -> Partition:
    """Build a partition from the training images' places, the same for the same arguments.

    Args:
        kind: One of `PARTITION_KINDS`.
        points: Coordinates in degrees, (n, 2), of the training split alone; NaN where unknown.
        countries: ISO alpha-2 codes, (n,); None where unknown, which is then looked up by point.
        settings: Of the kind, see `lostfound.partitions.settings`; `min_images` is the least number of
            images of a cell.

    Raises:
        UsageError: The kind or a setting is unknown or wrong, or the training split or the settings leave no
            cell.
        DatasetError: A point is no coordinate, latitude and longitude are swapped, or a file that the
            settings name can't be used.
    """
    # Only building needs pydantic; locating, which only loads a partition, starts faster without.
    from lostfound.partitions.registry import KINDS
    from lostfound.partitions.settings import check_settings

    checked = check_settings(kind, settings)
    places = check_points(points, "the training split", unknown=True)
    places = np.column_stack([places[:, 0], wrap_longitude(places[:, 1])])
    known = np.asarray(np.isfinite(places).all(axis=1))
    labels = label_countries(places, countries)
    usable = known | (np.array([code is not None for code in labels], dtype=bool) & (kind == "countries"))
    if not usable.any():
        lacking = "no images" if not len(places) else f"{len(places)} images, none of them with a place"
        raise UsageError(
            f"the training split has {lacking}: a partition is built from the training images' places; "
            "import images that have them, or give the training split a share"
        )
    return KINDS[kind].build(TrainingPlaces(places, known, labels), checked)
