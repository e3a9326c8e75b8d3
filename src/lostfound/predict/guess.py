"""What locating returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """A cell that a photo may be from, or a bare point.

    Attributes:
        cell_id: The cell's id; for countries the ISO 3166-1 alpha-2 code; None from a model that answers with
            bare coordinates.
        name: Its name; of bare coordinates the country's.
        probability: 0 to 1, calibrated on the validation split; None from a model without cells.
        latitude: Of the point the cell decodes to, degrees.
        longitude: Of the same point, degrees.
        country: The country that the cell lies in, if it lies in one.
    """

    cell_id: str | None
    name: str
    probability: float | None
    latitude: float
    longitude: float
    country: str | None


@dataclass(frozen=True)
class Guess:
    """Where a photo was taken, as far as its pixels tell. An estimate, never a measurement.

    Attributes:
        candidates: The most probable cells, best first.
    """

    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The most probable cell."""
        return self.candidates[0]

    @property
    def latitude(self) -> float:
        """Of the best coordinate, degrees."""
        return self.best.latitude

    @property
    def longitude(self) -> float:
        """Of the best coordinate, degrees."""
        return self.best.longitude

    @property
    def country(self) -> str | None:
        """ISO 3166-1 alpha-2 code of the best candidate's country."""
        return self.best.country

    @property
    def probability(self) -> float | None:
        """Of the best candidate, 0 to 1; None from a model without cells."""
        return self.best.probability

    def as_dict(self) -> dict[str, Any]:
        """The guess as plain values."""
        return {
            "latitude": self.latitude,
            "longitude": self.longitude,
            "country": self.country,
            "probability": self.probability,
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }
