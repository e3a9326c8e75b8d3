"""Partitions: label spaces over the Earth, one interface for all kinds.

A partition has cells; each has an id, a name, a decoding point and a count of training images. What is
above this module knows cells by number and never asks which kind of partition it holds.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_name
from lostfound.geo.sphere import spherical_mean

OUTSIDE = -1
"""The number of the cell of a point that lies in none."""


@dataclass(frozen=True)
class Partition:
    """Cells that divide (part of) the Earth.

    Attributes:
        kind: Which rule assigns points, such as "countries".
        cell_ids: An id for each cell, unique; for countries the ISO code.
        names: A name for each cell.
        centroids: The point each cell decodes to, (n, 2), degrees.
        counts: Training images in each cell, (n,).
        countries: The country of each cell, ISO alpha-2, or None where a cell has no single one.
    """

    kind: str
    cell_ids: tuple[str, ...]
    names: tuple[str, ...]
    centroids: NDArray[np.float64]
    counts: NDArray[np.int64]
    countries: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.cell_ids)

    def assign(
        self, points: NDArray[np.float64], countries: Sequence[str | None] | NDArray[np.object_]
    ) -> NDArray[np.int64]:
        """The cells of images, from what is known of them.

        Args:
            points: Coordinates in degrees, (n, 2); NaN where unknown.
            countries: Their countries, ISO alpha-2, (n,); None where unknown.

        Returns:
            Cell numbers, (n,); `OUTSIDE` where an image lies in no cell or too little is known.
        """
        return _KINDS[self.kind].assign(self, points, countries)

    def decode(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """The decoding points of cells, (..., 2) degrees; NaN for `OUTSIDE`."""
        outside = np.asarray(cells) == OUTSIDE
        return np.where(outside[..., None], np.nan, self.centroids[cells])

    def to_parquet(self) -> bytes:
        """The cells as the bytes of a Parquet file."""
        table = pa.table(
            {
                "cell_id": pa.array(self.cell_ids, pa.string()),
                "name": pa.array(self.names, pa.string()),
                "latitude": self.centroids[:, 0],
                "longitude": self.centroids[:, 1],
                "count": self.counts,
                "country": pa.array(self.countries, pa.string()),
            }
        )
        buffer = io.BytesIO()
        pq.write_table(table.replace_schema_metadata({"kind": self.kind}), buffer, compression="zstd")
        return buffer.getvalue()

    @classmethod
    def load(cls, path: Path) -> Partition:
        """Read what `to_parquet` gave.

        Raises:
            ValueError: The file is no partition of a known kind.
        """
        table = pq.read_table(path)
        kind = (table.schema.metadata or {}).get(b"kind", b"").decode()
        if kind not in _KINDS:
            raise ValueError(f"{path} holds no partition of a known kind")
        columns = table.to_pydict()
        return cls(
            kind,
            tuple(columns["cell_id"]),
            tuple(columns["name"]),
            np.stack([columns["latitude"], columns["longitude"]], axis=1).astype(np.float64),
            np.asarray(columns["count"], dtype=np.int64),
            tuple(columns["country"]),
        )


class _Kind(Protocol):
    """What a kind of partition must be able to do."""

    @staticmethod
    def build(
        points: NDArray[np.float64], countries: NDArray[np.object_], *, min_images: int
    ) -> Partition: ...

    @staticmethod
    def assign(
        partition: Partition,
        points: NDArray[np.float64],
        countries: Sequence[str | None] | NDArray[np.object_],
    ) -> NDArray[np.int64]: ...


def build_partition(
    kind: str, points: NDArray[np.float64], countries: NDArray[np.object_], **settings: Any
) -> Partition:
    """Build a partition from the training images' places.

    Args:
        kind: One of `PARTITION_KINDS`.
        points: Coordinates in degrees, (n, 2); NaN where unknown.
        countries: ISO alpha-2 codes, (n,); None where unknown.
        settings: Of the kind; `min_images` is the least number of images of a cell.

    Raises:
        UsageError: The kind is unknown, or its settings leave no cell.
    """
    if kind not in _KINDS:
        raise UsageError(f"no partition {kind!r}: choose one of {', '.join(PARTITION_KINDS)}")
    return _KINDS[kind].build(points, countries, **settings)


class _Countries:
    """One cell a country."""

    @staticmethod
    def build(points: NDArray[np.float64], countries: NDArray[np.object_], *, min_images: int) -> Partition:
        codes, counts = np.unique([code for code in countries if code is not None], return_counts=True)
        kept = counts >= min_images
        if not kept.any():
            most = counts.max(initial=0)
            raise UsageError(
                f"no country has {min_images} training images (the most is {most}): lower "
                "task.min_images or import more"
            )
        codes, counts = codes[kept], counts[kept]
        located = np.isfinite(points).all(axis=1)
        centroids = []
        for code in codes:
            own = points[located & (countries == code)]
            centroids.append(spherical_mean(own) if len(own) else Boundaries.packed().centroid(code))
        names = tuple(country_name(code) for code in codes)
        ids = tuple(str(code) for code in codes)
        return Partition("countries", ids, names, np.array(centroids), counts.astype(np.int64), ids)

    @staticmethod
    def assign(
        partition: Partition,
        points: NDArray[np.float64],
        countries: Sequence[str | None] | NDArray[np.object_],
    ) -> NDArray[np.int64]:
        codes = np.array(countries, dtype=object)
        unknown = np.isfinite(points).all(axis=1) & np.array([code is None for code in codes], dtype=bool)
        if unknown.any():
            codes[unknown] = Boundaries.packed().country_at(points[unknown])
        number = {code: index for index, code in enumerate(partition.cell_ids)}
        return np.array([number.get(code, OUTSIDE) for code in codes], dtype=np.int64)


_KINDS: dict[str, type[_Kind]] = {"countries": _Countries}
PARTITION_KINDS = tuple(_KINDS)
