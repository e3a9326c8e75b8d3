"""Restrictions: where a photo is known to be, or known not to be, before it is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.countries import country_name, parse_country
from lostfound.geo.sphere import destination, haversine_km, is_coordinate, wrap_longitude
from lostfound.partitions import OUTSIDE, Partition
from lostfound.predict.belief import Belief
from lostfound.predict.support import Support

_GRID = 20  # points of an area along each side
_PARTLY = 0.02
"""The share that a cell keeps of which an area holds some land, but none of the points that stand for it."""

Box = tuple[float, float, float, float]
"""South, west, north, east, degrees; over the date line where the west is east of the east."""
Circle = tuple[float, float, float]
"""Latitude, longitude, degrees, and the radius in kilometres."""


@dataclass(frozen=True)
class Restriction:
    """Where photos may be: all conditions hold at once.

    Attributes:
        countries: Only these, ISO alpha-2; None: any.
        excluded: None of these.
        box: Only in it.
        near: Only in this circle.

    Raises:
        UsageError: The conditions make no sense, or contradict each other.

    Examples:
        >>> import lostfound
        >>> within = lostfound.Restriction(countries=frozenset({"FR", "ES"}), near=(43.3, 1.5, 500))
        >>> guess = lostfound.load().using(within=within).locate("photo.jpg")
        >>> guess.country in within.countries, 0 <= guess.left_out <= 1
        (True, True)
    """

    countries: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    box: Box | None = None
    near: Circle | None = None

    def __post_init__(self) -> None:
        both = self.excluded & (self.countries or frozenset())
        if both:
            raise UsageError(f"{', '.join(sorted(both))} can't be both the country and not: leave one out")
        if self.box is not None:
            south, west, north, east = self.box
            if not (
                is_coordinate(south, wrap_longitude(west)) and is_coordinate(north, wrap_longitude(east))
            ):
                raise UsageError(f"a box of {self.box}: give south,west,north,east in degrees")
            if south >= north or west == east:
                raise UsageError(
                    f"a box of {self.box} holds nothing: give south,west,north,east, the south below the "
                    "north; west may be east of east where it crosses the date line"
                )
        if self.near is not None:
            latitude, longitude, radius = self.near
            if not is_coordinate(latitude, wrap_longitude(longitude)) or not 0 < radius < np.inf:
                raise UsageError(
                    f"near {self.near}: give latitude,longitude in degrees and kilometres above 0"
                )

    @property
    def of_area(self) -> bool:
        """Whether it says more than countries."""
        return self.box is not None or self.near is not None

    def allows(self, points: NDArray[np.float64], countries: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Whether places may be the photo's, (n,).

        Args:
            points: Degrees, (n, 2).
            countries: Their countries, (n,), or None.
        """
        allowed = np.ones(len(points), dtype=bool)
        if self.countries is not None:
            allowed &= np.array([code in self.countries for code in countries], dtype=bool)
        if self.excluded:
            allowed &= np.array([code not in self.excluded for code in countries], dtype=bool)
        return allowed & self.holds(points)

    def holds(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (..., 2), degrees, lie in its box and circle, (...)."""
        inside = np.ones(points.shape[:-1], dtype=bool)
        if self.box is not None:
            south, west, north, east = self.box
            width = (east - west) % 360 or 360
            inside &= (points[..., 0] >= south) & (points[..., 0] <= north)
            inside &= (points[..., 1] - west) % 360 <= width
        if self.near is not None:
            inside &= haversine_km(points, self.near[:2]) <= self.near[2]
        return inside

    def grid(self) -> NDArray[np.float64]:
        """Points all over its area, (n, 2), degrees; none if it has no area."""
        if self.near is not None:
            angle, share = np.meshgrid(np.arange(_GRID) * 360 / _GRID, np.sqrt(np.arange(_GRID) / _GRID))
            points = destination(np.array(self.near[:2]), angle.ravel(), share.ravel() * self.near[2])
        elif self.box is not None:
            south, west, north, east = self.box
            steps = (np.arange(_GRID) + 0.5) / _GRID
            latitude, longitude = np.meshgrid(
                south + steps * (north - south), west + steps * ((east - west) % 360 or 360)
            )
            points = np.column_stack([latitude.ravel(), wrap_longitude(longitude.ravel())])
        else:
            points = np.zeros((0, 2))
        return np.asarray(points)

    def __str__(self) -> str:
        parts = []
        if self.countries is not None:
            parts.append(f"only {', '.join(country_name(code) for code in sorted(self.countries))}")
        if self.excluded:
            parts.append(f"not {', '.join(country_name(code) for code in sorted(self.excluded))}")
        if self.box is not None:
            parts.append("in the box {:g},{:g},{:g},{:g}".format(*self.box))
        if self.near is not None:
            parts.append("within {2:g} km of {0:g},{1:g}".format(*self.near))
        return " and ".join(parts)


def parse_restriction(
    countries: str | None = None, excluded: str | None = None, box: str | None = None, near: str | None = None
) -> Restriction | None:
    """A restriction as users write it; None without any condition.

    Args:
        countries: Codes or names, separated by commas.
        excluded: The same, of countries that it is not.
        box: "south,west,north,east", degrees.
        near: "latitude,longitude,kilometres".

    Raises:
        UsageError: A number is none, or one too many or too few; or the conditions contradict each other.
        CountryNameError: A country is unknown; the nearest is named.
    """
    if countries is excluded is box is near is None:
        return None
    return Restriction(
        None if countries is None else _codes(countries),
        frozenset() if excluded is None else _codes(excluded),
        None if box is None else _numbers(box, "south,west,north,east"),  # type: ignore[arg-type]
        None if near is None else _numbers(near, "latitude,longitude,kilometres"),  # type: ignore[arg-type]
    )


def _codes(text: str) -> frozenset[str]:
    names = [each.strip() for each in text.split(",") if each.strip()]
    if not names:
        raise UsageError(f"{text!r} names no country: give codes or names with commas, such as FR,ES")
    # two letters are a code, in whatever case
    return frozenset(parse_country(each.upper() if len(each) == 2 else each, guess=False) for each in names)


def _numbers(text: str, names: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(each) for each in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != len(names.split(",")):
        raise UsageError(f"{text!r} is not {names}: give as many numbers, separated by commas")
    return numbers


@dataclass(frozen=True)
class Allowed:
    """What a restriction leaves of a partition's cells.

    Attributes:
        shares: How much of each cell, (cells,), 0 to 1.
        support: Where in them photos may be.
        points: The point that answers for each cell, (cells, 2): its own where allowed; None: as ever.
        restriction: What allows it.
    """

    shares: NDArray[np.float64]
    support: Support
    points: NDArray[np.float64] | None
    restriction: Restriction


def allowed_cells(partition: Partition, support: Support | None, restriction: Restriction) -> Allowed:
    """What a restriction leaves of a model's cells.

    A cell keeps the share of its photos' places that it allows.

    Raises:
        UsageError: Nothing is left.
    """
    if support is None:
        cells = np.arange(len(partition), dtype=np.int64)
        support = Support(partition.centroids, np.ones(len(partition)), cells)
    inside = restriction.allows(support.points, _countries(partition, support.points, support.cells))
    shares = np.bincount(support.cells[inside], support.weights[inside], len(partition)).astype(np.float64)
    points, weights, cells = support.points[inside], support.weights[inside], support.cells[inside]
    if restriction.of_area:
        grid = restriction.grid()
        of = partition.assign(grid)
        kept = (of != OUTSIDE) & (shares[of] == 0)
        kept[kept] = restriction.allows(grid[kept], _countries(partition, grid[kept], of[kept]))
        counts = np.bincount(of[kept], minlength=len(partition))
        shares = np.where(counts > 0, _PARTLY, shares)
        points = np.concatenate([points, grid[kept]])
        cells = np.concatenate([cells, of[kept]])
        weights = np.concatenate([weights, _PARTLY / counts[of[kept]]])
    if not shares.any():
        known = sorted({code for code in partition.countries if code})
        raise UsageError(
            f"{restriction} leaves none of the model's {len(partition)} cells: it knows places in "
            f"{', '.join(known[:40])}{' and others' if len(known) > 40 else ''}"
        )
    weights = weights / shares[cells]
    answers = None
    if restriction.of_area:
        order = np.lexsort([-weights, cells])
        first = order[np.unique(cells[order], return_index=True)[1]]
        numbers = np.arange(len(partition))
        outside = ~restriction.allows(
            partition.centroids, _countries(partition, partition.centroids, numbers)
        )
        moved = outside[cells[first]]
        answers = partition.centroids.copy()
        answers[cells[first][moved]] = points[first][moved]
    return Allowed(shares, Support(points, weights, cells), answers, restriction)


def restricted(belief: Belief, allowed: Allowed) -> tuple[Belief, NDArray[np.float64]]:
    """The belief about what is allowed, and how probable all else was, (n,), 0 to 1."""
    left = np.maximum(belief.probabilities, 1e-12) * allowed.shares
    total = left.sum(axis=1, keepdims=True)
    points = belief.points
    if allowed.points is not None:
        answers = np.broadcast_to(allowed.points, (len(belief), *allowed.points.shape))
        if points is None:
            points = answers
        else:  # the model's own point in a cell, where the area holds it
            points = np.where(allowed.restriction.holds(points)[..., None], points, answers)
    found = replace(belief, probabilities=left / total, points=points)
    return found, np.clip(1 - total[:, 0], 0.0, 1.0)


def _countries(
    partition: Partition, points: NDArray[np.float64], cells: NDArray[np.int64]
) -> NDArray[np.object_]:
    from lostfound.geo.boundaries import label_countries

    return label_countries(points, np.array([*partition.countries, None], dtype=object)[cells])
