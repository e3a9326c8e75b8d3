"""The one interface of all partitions: cells with a number, an id, a name and a decoding point."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import shapely
from numpy.typing import NDArray

from lostfound.errors import DatasetError, refused_as
from lostfound.geo.sphere import as_points, is_coordinate, wrap_longitude

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from lostfound.partitions.shapes import Pairs

PartitionKind = Literal["countries", "regions", "cities", "square", "voronoi", "s2", "quadtree", "polygons"]
PARTITION_KINDS: tuple[str, ...] = get_args(PartitionKind)
GALLERY = "gallery"
"""The kind of mere points that published models answer with; it is not built from recipes."""

OUTSIDE = -1
"""The number of the cell of a point that lies in none."""

Find = Callable[[NDArray[np.float64]], NDArray[np.int64]]
"""From places (n, 2), all known and in range, to cell numbers (n,)."""

_KIND, _SETTINGS, _RULE = b"kind", b"settings", b"rule"
_TEXT = ("cell_id", "name", "country", "parent")


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

    Examples:
        >>> import lostfound
        >>> cells = lostfound.build_partition("countries", [(48.86, 2.35), (45.76, 4.84), (52.52, 13.4)])
        >>> cells.cell_ids
        ('DE', 'FR')
        >>> number = cells.assign([(43.3, 5.4), (0.0, -30.0)])  # Marseille, and the open Atlantic
        >>> number.tolist()
        [1, -1]
        >>> cells.decode(number).round(1).tolist()
        [[47.3, 3.6], [nan, nan]]
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
        if countries is not None and kinds()[self.kind].labelled:
            number = {code: index for index, code in enumerate(self.cell_ids)}
            labels = np.asarray(countries, dtype=object)
            labelled = np.array([code is not None for code in labels], dtype=bool)
            cells[labelled] = [number.get(code, OUTSIDE) for code in labels[labelled]]
            known &= ~labelled
        if known.any():
            with refused_as(
                DatasetError, f"the cells of kind {self.kind} can't be used, their file is damaged"
            ):
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
        return _write_cells(columns, self.kind, self.settings, self.rule)

    @classmethod
    def load(cls, path: Path) -> Partition:
        """Read what `to_parquet` gave.

        Raises:
            ValueError: The file is no partition of a known kind.
        """
        columns, kind, settings, rule = _read_cells(path)
        if kind not in (*PARTITION_KINDS, GALLERY):
            raise ValueError(f"{path} holds no partition of a known kind")
        centroids = np.stack([columns["latitude"], columns["longitude"]], axis=1).astype(np.float64)
        counts = np.asarray(columns["count"], dtype=np.int64)
        texts = [*columns["cell_id"], *columns["name"]]
        if not is_coordinate(centroids[:, 0], centroids[:, 1]).all() or (counts < 0).any():
            raise ValueError(f"{path} holds a cell whose point is none on the Earth, or a count below 0")
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{path} holds a cell without an id or a name")
        return cls(
            kind,
            tuple(columns["cell_id"]),
            tuple(columns["name"]),
            centroids,
            counts,
            tuple(columns["country"]),
            tuple(columns.get("parent", ())),
            np.asarray(shapely.from_wkb(columns.get("geometry", [])), dtype=object),
            settings,
            rule,
        )

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each cell by its id."""
        return {cell_id: number for number, cell_id in enumerate(self.cell_ids)}

    @cached_property
    def id_array(self) -> NDArray[np.object_]:
        """The cells' ids, (n,)."""
        return np.array(self.cell_ids, dtype=object)

    @property
    def of_points(self) -> bool:
        """Whether its cells are mere points, as those of a gallery are."""
        return self.kind == GALLERY

    @cached_property
    def _find(self) -> Find:
        return kinds()[self.kind].finder(self)

    @cached_property
    def _neighbours(self) -> list[NDArray[np.int64]]:
        from lostfound.partitions.shapes import delaunay_pairs, neighbour_lists, touching_pairs

        surrounding = kinds()[self.kind].surrounding
        if surrounding is not None:
            pairs = surrounding(self)
        elif all(shape is not None for shape in self.polygons):
            pairs = touching_pairs(self.polygons)
        else:
            pairs = delaunay_pairs(self.centroids)
        return neighbour_lists(pairs, len(self))


@dataclass(frozen=True)
class TrainingPlaces:
    """The training images.

    Attributes:
        places: Degrees, (n, 2), longitudes in [-180, 180); NaN where unknown.
        known: Which places are known, (n,).
        countries: ISO alpha-2 or None, (n,).
    """

    places: NDArray[np.float64]
    known: NDArray[np.bool_]
    countries: NDArray[np.object_]

    @property
    def located(self) -> NDArray[np.float64]:
        """The known places, (m, 2)."""
        return self.places[self.known]


@dataclass(frozen=True)
class Kind:
    """What a kind of partition must be able to do.

    Attributes:
        build: From the training images and the kind's settings to a partition.
        finder: Prepare the search for the cells of points.
        surrounding: Pairs of cells and what lies just outside each, on every side and at every corner, for
            kinds whose cells are nested squares; None for kinds whose polygons tell the neighbours.
        ancestors: The ids of the larger units that hold the cells at a level; None for kinds without levels.
        labelled: Whether an image's stated country goes before its point.
    """

    build: Callable[[TrainingPlaces, Any], Partition]
    finder: Callable[[Partition], Find]
    surrounding: Callable[[Partition], Pairs] | None = None
    ancestors: Callable[[Partition, int], tuple[str, ...]] | None = None
    labelled: bool = False


def kinds() -> Mapping[str, Kind]:
    """Every kind by its name. Reading a partition needs none, and starts faster without what they need."""
    from lostfound.partitions.registry import KINDS

    return KINDS


def _write_cells(
    columns: Mapping[str, Any], kind: str, settings: Mapping[str, Any], rule: Mapping[str, Any]
) -> bytes:
    """The bytes of a GeoParquet file (version 1.1, WKB, OGC:CRS84).

    Args:
        columns: Values by column; `geometry` as WKB or None.
        kind: The partition's kind, kept in the file's metadata with what follows.
        settings: What it was built with, JSON.
        rule: What it needs to assign points, JSON.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {**dict.fromkeys(_TEXT, pa.string()), "geometry": pa.binary(), "count": pa.int64()}
    table = pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})
    shapes = shapely.from_wkb(columns["geometry"])
    found = {shape.geom_type for shape in shapes if shape is not None}
    bounds = shapely.total_bounds(shapes)
    geometry = {"encoding": "WKB", "geometry_types": sorted(found), "edges": "planar"}
    if np.isfinite(bounds).all():
        geometry["bbox"] = bounds.tolist()
    metadata = {
        b"geo": {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}},
        _SETTINGS: dict(settings),
        _RULE: dict(rule),
    }
    encoded = {key: json.dumps(value).encode() for key, value in metadata.items()}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({_KIND: kind, **encoded}), buffer, compression="zstd")
    return buffer.getvalue()


def _read_cells(path: Path) -> tuple[dict[str, list[Any]], str, dict[str, Any], dict[str, Any]]:
    """Read what `_write_cells` gave.

    Returns:
        The columns, the kind (empty if the file names none), the settings and the rule.
    """
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()  # what `read_table` loads for many files takes longer than this
    metadata = table.schema.metadata or {}
    settings, rule = (json.loads(metadata.get(key, b"{}")) for key in (_SETTINGS, _RULE))
    return table.to_pydict(), metadata.get(_KIND, b"").decode(), settings, rule
