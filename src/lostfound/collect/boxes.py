"""Boxes on the map: read, cut to the size that a service takes, and halved where they hold too much."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lostfound.errors import UsageError
from lostfound.geo.sphere import EARTH_RADIUS_KM

MAX_SIDE_DEG = 0.09
"""Mapillary's search takes boxes of less than 0.01 square degrees."""
MAX_BOXES = 200_000
_EDGE_DEG = 1e-6  # boxes are asked for with six decimals

_KM_PER_DEG = math.radians(1) * EARTH_RADIUS_KM


@dataclass(frozen=True)
class Box:
    """A box between two parallels and two meridians, in degrees; it does not cross the date line."""

    south: float
    west: float
    north: float
    east: float

    @classmethod
    def read(cls, text: str) -> Box:
        """Read "SOUTH,WEST,NORTH,EAST".

        Raises:
            UsageError: These are not four coordinates in that order.
        """
        try:
            south, west, north, east = (float(part) for part in text.split(","))
        except ValueError:
            raise UsageError(f"{text!r} is no box: write SOUTH,WEST,NORTH,EAST in degrees") from None
        if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
            raise UsageError(
                f"{text!r} is no box: SOUTH must lie below NORTH, within -90 to 90, and WEST before EAST, "
                "within -180 to 180; cut a box that crosses the date line into two"
            )
        return cls(south, west, north, east)

    @classmethod
    def around(cls, latitude: float, longitude: float, half_km: float) -> Box:
        """The box that reaches so far from a place to all sides, cut at the poles and the date line."""
        dlat = min(half_km / _KM_PER_DEG, MAX_SIDE_DEG / 2)
        dlon = min(dlat / max(math.cos(math.radians(latitude)), 0.01), MAX_SIDE_DEG / 2)
        return cls(
            max(latitude - dlat, -90.0),
            max(longitude - dlon, -180.0),
            min(latitude + dlat, 90.0),
            min(longitude + dlon, 180.0),
        )

    def holds(self, latitude: float, longitude: float) -> bool:
        """Does a place lie in it, or on its edge as a service writes it?"""
        return (
            self.south - _EDGE_DEG <= latitude <= self.north + _EDGE_DEG
            and self.west - _EDGE_DEG <= longitude <= self.east + _EDGE_DEG
        )

    def tiles(self) -> list[Box]:
        """Equal parts that the service's search takes.

        Raises:
            UsageError: There would be too many.
        """
        rows = math.ceil((self.north - self.south) / MAX_SIDE_DEG)
        columns = math.ceil((self.east - self.west) / MAX_SIDE_DEG)
        if rows * columns > MAX_BOXES:
            raise UsageError(
                f"the box {self} would take {rows * columns:,} searches: choose a smaller one, or draw "
                "places with --sampler"
            )
        return self._cut(rows, columns)

    def quarters(self) -> list[Box]:
        """The box cut in four."""
        return self._cut(2, 2)

    @property
    def height_km(self) -> float:
        """From south to north."""
        return (self.north - self.south) * _KM_PER_DEG

    def __str__(self) -> str:
        return ",".join(f"{value:.6f}" for value in (self.south, self.west, self.north, self.east))

    def _cut(self, rows: int, columns: int) -> list[Box]:
        high, wide = (self.north - self.south) / rows, (self.east - self.west) / columns
        return [
            Box(
                self.south + row * high,
                self.west + column * wide,
                self.south + (row + 1) * high,
                self.west + (column + 1) * wide,
            )
            for row in range(rows)
            for column in range(columns)
        ]
