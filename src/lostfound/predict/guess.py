"""What locating returns: a guess, with the candidates that it was chosen from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lostfound.predict.predictions import Predictions


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

    Example:
        >>> import lostfound
        >>> best = lostfound.load().locate("photo.jpg").candidates[0]
        >>> best.cell_id == best.country, 0 < best.probability < 1
        (True, True)
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
        warning: Why the answer is worth nothing, if that is known: the picture holds nothing to see.

    Example:
        >>> import lostfound
        >>> guess = lostfound.load().locate("photo.jpg")
        >>> sorted(guess.as_dict())
        ['candidates', 'country', 'latitude', 'longitude', 'probability']
        >>> guess.country == guess.best.country
        True
    """

    candidates: tuple[Candidate, ...]
    warning: str | None = None

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
        """The guess as plain values; `warning` only where there is one."""
        return {
            "latitude": self.latitude,
            "longitude": self.longitude,
            "country": self.country,
            "probability": self.probability,
            "candidates": [asdict(candidate) for candidate in self.candidates],
            **({"warning": self.warning} if self.warning else {}),
        }


def guesses(predictions: Predictions) -> list[Guess]:
    """The guess that each prediction of a model stands for, in order."""
    partition, cells = predictions.partition, predictions.cells
    if partition is None or cells is None:
        return [
            Guess((_bare(float(latitude), float(longitude), country),))
            for (latitude, longitude), country in zip(
                predictions.points, predictions.guessed_countries, strict=True
            )
        ]
    number = {cell_id: index for index, cell_id in enumerate(partition.cell_ids)}
    probabilities, points = predictions.probabilities, predictions.cell_points

    def candidate(row: int, rank: int, cell_id: str) -> Candidate:
        cell = number[cell_id]
        latitude, longitude = partition.centroids[cell] if points is None else points[row, rank]
        return Candidate(
            cell_id,
            partition.names[cell],
            None if probabilities is None else float(probabilities[row, rank]),
            float(latitude),
            float(longitude),
            partition.countries[cell],
        )

    return [
        Guess(tuple(candidate(row, rank, cell) for rank, cell in enumerate(ranked) if cell is not None))
        for row, ranked in enumerate(cells)
    ]


def _bare(latitude: float, longitude: float, country: str | None) -> Candidate:
    """The answer of a model that knows no cells: a point, in the country that holds it."""
    from lostfound.geo.countries import country_name  # names are needed by such models alone

    return Candidate(
        None, "open sea" if country is None else country_name(country), None, latitude, longitude, country
    )
