"""Partitions as GeoParquet files, which any GIS reads."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

_KIND, _SETTINGS, _RULE = b"kind", b"settings", b"rule"
_TEXT = ("cell_id", "name", "country", "parent")


def write_cells(
    columns: Mapping[str, Any], kind: str, settings: Mapping[str, Any], rule: Mapping[str, Any]
) -> bytes:
    """The bytes of a GeoParquet file (version 1.1, WKB, OGC:CRS84).

    Args:
        columns: Values by column; `geometry` as WKB or None.
        kind: The partition's kind, kept in the file's metadata with what follows.
        settings: What it was built with, JSON.
        rule: What it needs to assign points, JSON.
    """
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


def read_cells(path: Path) -> tuple[dict[str, list[Any]], str, dict[str, Any], dict[str, Any]]:
    """Read what `write_cells` gave.

    Returns:
        The columns, the kind (empty if the file names none), the settings and the rule.
    """
    table = pq.read_table(path)
    metadata = table.schema.metadata or {}
    settings, rule = (json.loads(metadata.get(key, b"{}")) for key in (_SETTINGS, _RULE))
    return table.to_pydict(), metadata.get(_KIND, b"").decode(), settings, rule
