"""The one interface of all partitions: cells with a number, an id, a name and a decoding point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from lostfound.geo.sphere import as_points, wrap_longitude
from lostfound.partitions.storage import read_cells, write_cells

OUTSIDE = -1
"""The number of the cell of a point that lies in none."""

Find = Callable[[NDArray[np.float64]], NDArray[np.int64]]
"""From places (n, 2), all known and in range, to cell numbers (n,)."""


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
        parents: The id of the larger unit that holds each cell, or None: a region's country, an S2 or
            quadtree cell's ancestor.
        polygons: The cells' shapes (shapely, x the longitude in [-180, 180], y the latitude), (n,); None for
            cells without one.
        settings: What it was built with, as plain JSON values.
        rule: What the kind needs to assign points, as plain JSON values.
    """

    kind: str
    cell_ids: tuple[str, ...]
    names: tuple[str, ...]
    centroids: NDArray[np.float64]
    counts: NDArray[np.int64]
    countries: tuple[str | None, ...]
    parents: tuple[str | None, ...] = ()
    polygons: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    settings: Mapping[str, Any] = field(default_factory=dict)
    rule: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.cell_ids)
        if not self.parents:
            object.__setattr__(self, "parents", (None,) * count)
        if not len(self.polygons):
            object.__setattr__(self, "polygons", np.full(count, None, dtype=object))
        columns = (self.names, self.centroids, self.counts, self.countries, self.parents, self.polygons)
        if any(len(column) != count for column in columns):
            raise ValueError("a partition needs one of everything for each cell")
        if len(set(self.cell_ids)) != count:
            raise ValueError("the ids of a partition's cells must differ")

    def __len__(self) -> int:
        return len(self.cell_ids)

    def assign(
        self,
        points: NDArray[np.float64],
        countries: Sequence[str | None] | NDArray[np.object_] | None = None,
    ) -> NDArray[np.int64]:
        """The cells of images, from what is known of them.

        Args:
            points: Coordinates in degrees, (n, 2); NaN where unknown.
            countries: Their countries, ISO alpha-2, (n,); None where unknown. Only a partition of countries
                uses them: a label goes before the point.

        Returns:
            Cell numbers, (n,); `OUTSIDE` where an image lies in no cell or too little is known.

        Raises:
            ValueError: Not of shape (n, 2), or a value out of range; the message names the row.
        """
        places = as_points(points, unknown=True)
        known = ~np.isnan(places).any(axis=1)
        if (places[:, 1] == 180.0).any():
            places = np.column_stack([places[:, 0], wrap_longitude(places[:, 1])])
        cells = np.full(len(places), OUTSIDE, dtype=np.int64)
        if self.kind == "countries" and countries is not None:
            number = {code: index for index, code in enumerate(self.cell_ids)}
            labels = np.asarray(countries, dtype=object)
            labelled = np.array([code is not None for code in labels], dtype=bool)
            cells[labelled] = [number.get(code, OUTSIDE) for code in labels[labelled]]
            known &= ~labelled
        if known.any():
            cells[known] = self._find(places if known.all() else places[known])
        return cells

    def decode(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """The decoding points of cells, (..., 2) degrees; NaN for `OUTSIDE`."""
        numbers = np.asarray(cells)
        points = self.centroids[numbers]
        return np.where((numbers == OUTSIDE)[..., None], np.nan, points)

    def polygon(self, cell: int) -> BaseGeometry | None:
        """The shape of a cell, if it has one."""
        shape: BaseGeometry | None = self.polygons[cell]
        return shape

    def neighbours(self, cell: int) -> NDArray[np.int64]:
        """The cells next to a cell, in order: those it touches, across the date line too.

        Cells without polygons are neighbours when the Voronoi cells of their centroids are.
        """
        return self._neighbours[cell]

    def to_parquet(self) -> bytes:
        """The cells as the bytes of a GeoParquet file."""
        columns: dict[str, Any] = {
            "cell_id": self.cell_ids,
            "name": self.names,
            "latitude": self.centroids[:, 0],
            "longitude": self.centroids[:, 1],
            "count": self.counts,
            "country": self.countries,
            "parent": self.parents,
            "geometry": shapely.to_wkb(self.polygons),
        }
        return write_cells(columns, self.kind, self.settings, self.rule)

    @classmethod
    def load(cls, path: Path) -> Partition:
        """Read what `to_parquet` gave.

        Raises:
            ValueError: The file is no partition of a known kind.
        """
        from lostfound.partitions.registry import KINDS

        columns, kind, settings, rule = read_cells(path)
        if kind not in KINDS:
            raise ValueError(f"{path} holds no partition of a known kind")
        return cls(
            kind,
            tuple(columns["cell_id"]),
            tuple(columns["name"]),
            np.stack([columns["latitude"], columns["longitude"]], axis=1).astype(np.float64),
            np.asarray(columns["count"], dtype=np.int64),
            tuple(columns["country"]),
            tuple(columns.get("parent", ())),
            np.asarray(shapely.from_wkb(columns.get("geometry", [])), dtype=object),
            settings,
            rule,
        )

    @cached_property
    def _find(self) -> Find:
        from lostfound.partitions.registry import KINDS

        return KINDS[self.kind].finder(self)

    @cached_property
    def _neighbours(self) -> list[NDArray[np.int64]]:
        from lostfound.partitions.neighbours import neighbour_lists

        return neighbour_lists(self)
