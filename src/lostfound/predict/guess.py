"""What locating returns: a guess, with the candidates that it was chosen from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lostfound.geo.countries import country_name
from lostfound.predict.levels import LEVELS, Area, Level
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

    Examples:
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
        point: The (latitude, longitude) that answers, degrees; None: that of the best candidate.
        radius_50_km: How far from the point the truth lies at most, one time in two; None from a model that
            was not calibrated for it.
        radius_90_km: The same, nine times in ten.
        warning: Why the answer is worth little, if that is known.
        abstained: Whether the model would rather say "I don't know"; files and pages then give no place.
        areas: From coarse to fine the most probable continents, countries, and of a model that tells them
            apart regions or cities; best first, each as probable as its cells together.
        left_out: How probable what was left out by a restriction was, 0 to 1; None without one.

    Examples:
        >>> import lostfound
        >>> guess = lostfound.load().locate("photo.jpg")
        >>> guess.country == guess.best.country
        True
        >>> guess.as_dict()["abstained"] == guess.abstained
        True
    """

    candidates: tuple[Candidate, ...]
    point: tuple[float, float] | None = None
    radius_50_km: float | None = None
    radius_90_km: float | None = None
    warning: str | None = None
    abstained: bool = False
    areas: Mapping[Level, tuple[Area, ...]] = field(default_factory=dict, hash=False)
    left_out: float | None = None

    @property
    def best(self) -> Candidate:
        """The most probable cell."""
        return self.candidates[0]

    @property
    def latitude(self) -> float:
        """Of the point that answers, degrees."""
        return self.best.latitude if self.point is None else self.point[0]

    @property
    def longitude(self) -> float:
        """Of the same point, degrees."""
        return self.best.longitude if self.point is None else self.point[1]

    @property
    def country(self) -> str | None:
        """ISO 3166-1 alpha-2 code of the most probable country, by the sum of its cells."""
        countries = self.areas.get("countries")
        return countries[0].area_id if countries else self.best.country

    @property
    def country_name(self) -> str | None:
        """The name of that country, as English speakers say it."""
        return None if self.country is None else country_name(self.country)

    @property
    def probability(self) -> float | None:
        """Of the best candidate, 0 to 1; None from a model without cells."""
        return self.best.probability

    @property
    def radii_km(self) -> dict[int, float]:
        """The radii that are known, by how many times in a hundred they hold the truth; the smaller first."""
        radii = {50: self.radius_50_km, 90: self.radius_90_km}
        return {share: radius for share, radius in radii.items() if radius is not None}

    def within(self, left_out: float) -> Guess:
        """The guess without the candidates and areas that a restriction ruled out.

        Args:
            left_out: How probable all that it ruled out was, 0 to 1.
        """
        return replace(
            self,
            left_out=left_out,
            candidates=tuple(each for each in self.candidates if each.probability),
            areas={level: tuple(each for each in of if each.probability) for level, of in self.areas.items()},
        )

    def as_dict(self) -> dict[str, Any]:
        """The guess as plain values.

        Where the model abstained, the place and its radii are None: the candidates say what it thought of.
        """
        place = {
            "latitude": self.latitude,
            "longitude": self.longitude,
            "radius_50_km": self.radius_50_km,
            "radius_90_km": self.radius_90_km,
            "country": self.country,
            "probability": self.probability,
        }
        return {
            **(dict.fromkeys(place) if self.abstained else place),
            "abstained": self.abstained,
            **({"warning": self.warning} if self.warning else {}),
            **({} if self.left_out is None else {"left_out": self.left_out}),
            "candidates": [dict(vars(candidate)) for candidate in self.candidates],
            **{level: [dict(vars(each)) for each in areas] for level, areas in self.areas.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Guess:
        """The guess that `as_dict` gave these values of.

        One that abstained gets the place of its best candidate, which `as_dict` does not tell, and no radii.

        Raises:
            KeyError, TypeError, ValueError: They are no such values.
        """
        candidates = tuple(Candidate(**each) for each in values["candidates"])
        if not candidates:
            raise ValueError("no candidates")
        place = None
        if values["latitude"] is not None:
            place = (float(values["latitude"]), float(values["longitude"]))
        return cls(
            candidates,
            place,
            values["radius_50_km"],
            values["radius_90_km"],
            values.get("warning"),
            bool(values["abstained"]),
            {level: tuple(Area(**each) for each in values[level]) for level in LEVELS if level in values},
            values.get("left_out"),
        )


def guesses(predictions: Predictions, *, always_answer: bool = False) -> list[Guess]:
    """The guess that each prediction of a model stands for, in order.

    Args:
        predictions: Of n samples.
        always_answer: None of them says "I don't know".
    """
    candidates = _candidates(predictions)
    radii = [
        [None] * len(predictions) if values is None else values.tolist()
        for values in (predictions.radius_50_km, predictions.radius_90_km)
    ]
    reasons = predictions.abstained
    return [
        Guess(
            candidates[row],
            (float(latitude), float(longitude)),
            radii[0][row],
            radii[1][row],
            None if reasons is None else reasons[row],
            reasons is not None and reasons[row] is not None and not always_answer,
        )
        for row, (latitude, longitude) in enumerate(predictions.points)
    ]


def _candidates(predictions: Predictions) -> list[tuple[Candidate, ...]]:
    """The ranked cells of each prediction; of bare coordinates the point."""
    partition, cells = predictions.partition, predictions.cells
    if partition is None or cells is None:
        return [
            (_bare(float(latitude), float(longitude), country),)
            for (latitude, longitude), country in zip(
                predictions.points, predictions.guessed_countries, strict=True
            )
        ]
    number = partition.numbers
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
        tuple(candidate(row, rank, cell) for rank, cell in enumerate(ranked) if cell is not None)
        for row, ranked in enumerate(cells)
    ]


def _bare(latitude: float, longitude: float, country: str | None) -> Candidate:
    """The answer of a model that knows no cells: a point, in the country that holds it."""
    from lostfound.geo.countries import country_name  # names are needed by such models alone

    return Candidate(
        None, "open sea" if country is None else country_name(country), None, latitude, longitude, country
    )
