"""What a report draws, as numbers: curves, bins, countries, confusions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostfound.evaluation.bootstrap import Score, bootstrap, mean_intervals
from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.matching import Matched
from lostfound.evaluation.metrics import METRICS, wrong_answers
from lostfound.geo.continents import CONTINENTS, continent

BINS = 15
FARTHEST_KM = 20_037.5  # half way round the Earth
BY_COUNTRY = (
    "country_accuracy",
    "median_distance_km",
    "radius_50_coverage",
    "radius_90_coverage",
    "answered_share",
)
NOWHERE = "no country"
ELSEWHERE = "others"
_LIMITS = 41
_POINTS = 200


@dataclass(frozen=True)
class Curve:
    """A curve with its 95 % band by place.

    Attributes:
        at: Where, (k,).
        value: How much there, (k,).
        low: Lower end of the interval, (k,).
        high: Upper end.
    """

    at: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def distance_curve(matched: Matched, start_km: float) -> Curve | None:
    """The share of answers within each distance; None where no distance is known.

    Args:
        matched: The answers.
        start_km: The smallest distance; the others follow by equal factors up to the farthest.
    """
    where = matched.located
    if not where.any():
        return None
    limits = np.geomspace(start_km, FARTHEST_KM, _LIMITS)
    within = (matched.distance_km[where][:, None] <= limits).astype(np.float64)
    low, high = mean_intervals(matched.truth.places[where], within).T
    return Curve(limits, within.mean(axis=0), low, high)


def nearest_km(matched: Matched) -> float:
    """A power of ten below which few answers are: where curves of distances begin, 10 m to 10 km."""
    known = matched.distance_km[matched.located]
    if not len(known):
        return 1.0
    near = max(float(np.quantile(known, 0.02)), 0.01)
    return float(10 ** np.clip(np.floor(np.log10(near)), -2, 1))


def risk_curve(matched: Matched) -> NDArray[np.float64] | None:
    """Coverage and risk: the share answered, surest first, and the share of it that is wrong, (k, 2)."""
    found = wrong_answers(matched)
    if found is None or matched.confidence is None or not found[1].any():
        return None
    wrong, where = found
    sure = -matched.confidence[where]
    order = np.argsort(sure, kind="stable")
    ends = np.flatnonzero(np.diff(sure[order], append=np.inf) > 0)  # the same confidence is answered together
    risks = np.cumsum(wrong[where][order])[ends] / (ends + 1)
    curve = np.stack([(ends + 1) / len(order), risks], axis=1)
    if len(curve) > _POINTS:
        curve = curve[np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int))]
    return np.asarray(curve, dtype=np.float64)


@dataclass(frozen=True)
class Bin:
    """Answers that are about equally sure.

    Attributes:
        confidence: Their mean probability.
        accuracy: How many of them are right, 0 to 1.
        images: How many they are.
    """

    confidence: float
    accuracy: float
    images: int


def reliability(matched: Matched) -> list[Bin]:
    """Bins of equal mass, as the expected calibration error has them; none without probabilities."""
    probabilities = matched.predictions.probabilities
    if probabilities is None:
        return []
    where = matched.truth.labelled & np.isfinite(probabilities[:, 0])
    sure, right = probabilities[where, 0], matched.hits[where, 0]
    groups = np.array_split(np.argsort(sure, kind="stable"), min(BINS, max(len(sure), 1)))
    return [Bin(float(sure[g].mean()), float(right[g].mean()), len(g)) for g in groups if len(g)]


@dataclass(frozen=True)
class CountryRow:
    """What answers to one country's images are worth.

    Attributes:
        country: ISO alpha-2.
        images: How many.
        places: Places that they show.
        scores: Those of `BY_COUNTRY` that can be told.
        taken_for: Other countries that were guessed, with how often, most often first.
    """

    country: str
    images: int
    places: int
    scores: Mapping[str, Score]
    taken_for: Sequence[tuple[str, int]]


def by_country(evaluation: Evaluation, matched: Matched) -> list[CountryRow]:
    """A row for each true country, those with most images first."""
    truth, guess = matched.truth.countries, _stated(matched.predictions.guessed_countries)
    found = []
    for country, images in Counter(code for code in truth if code is not None).most_common():
        rows = np.flatnonzero(truth == country)
        own = evaluation.on(rows)
        samples = {name: METRICS[name].samples(own) for name in BY_COUNTRY}
        others = Counter(guess[row] for row in rows if guess[row] != country)
        found.append(
            CountryRow(
                country,
                images,
                len(set(own.truth.places)),
                {name: bootstrap(each) for name, each in samples.items() if each is not None},
                others.most_common(),
            )
        )
    return found


@dataclass(frozen=True)
class Confusion:
    """What each true class was taken for.

    Attributes:
        classes: In order; `ELSEWHERE` may be among them.
        counts: Images by true class and guessed class, (n, n).
    """

    classes: Sequence[str]
    counts: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of each true class's images, (n, n)."""
        total = self.counts.sum(axis=1, keepdims=True)
        return np.asarray(self.counts / np.maximum(total, 1), dtype=np.float64)


def confusion(
    truth: NDArray[np.object_], guess: NDArray[np.object_], classes: Sequence[str], name: Callable[[str], str]
) -> Confusion:
    """Count what was taken for what.

    Args:
        truth: True classes, (n,).
        guess: Guessed ones, (n,).
        classes: Those of the table, in order.
        name: The class of the table that a class belongs to.
    """
    number = {each: index for index, each in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, ([number[name(each)] for each in truth], [number[name(each)] for each in guess]), 1)
    return Confusion(classes, counts)


def continent_of(country: str) -> str:
    """The name of a country's continent; `NOWHERE` of what is no country."""
    code = continent(country)
    return NOWHERE if code is None else CONTINENTS[code]


def country_confusion(matched: Matched, most: int) -> tuple[Confusion, list[int]]:
    """Countries by continent, and how many each continent has.

    Only the `most` frequent true countries stand there by themselves; the others of a continent together, as
    `ELSEWHERE` with the continent's name.
    """
    truth, guess = _known_countries(matched)
    shown = {code for code, _ in Counter(truth).most_common(most)}

    def name(country: str) -> str:
        return country if country in shown else f"{ELSEWHERE} {continent_of(country)}"

    found = {name(country) for country in (*truth, *guess)}
    groups = [*CONTINENTS.values(), NOWHERE]

    def place(each: str) -> tuple[int, bool, str]:
        other = each not in shown
        group = each.removeprefix(f"{ELSEWHERE} ") if other else continent_of(each)
        return groups.index(group), other, each

    classes = sorted(found, key=place)
    sizes = Counter(place(each)[0] for each in classes)
    return confusion(truth, guess, classes, name), [sizes[group] for group in sorted(sizes)]


def continent_confusion(matched: Matched) -> Confusion:
    """Continents taken for continents."""
    truth, guess = _known_countries(matched)
    found = {continent_of(country) for country in (*truth, *guess)}
    classes = [each for each in (*CONTINENTS.values(), NOWHERE) if each in found]
    return confusion(truth, guess, classes, continent_of)


def _known_countries(matched: Matched) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """The countries of images and answers, where the image's is known."""
    known = np.array([code is not None for code in matched.truth.countries], dtype=bool)
    return matched.truth.countries[known], _stated(matched.predictions.guessed_countries[known])


def _stated(countries: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.array([NOWHERE if code is None else code for code in countries], dtype=object)


def guesses_by_class(matched: Matched, *, by_cells: bool) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """What the images of each true class were taken for.

    Args:
        matched: The answers.
        by_cells: Classes are the model's cells, else countries.

    Returns:
        Class, images, and guesses with how often, most often first; the classes with most images first.
    """
    if by_cells:
        assert matched.predictions.cells is not None
        truth = matched.classes[matched.truth.labelled]
        guess = _stated(matched.predictions.cells[matched.truth.labelled, 0])
    else:
        truth, guess = _known_countries(matched)
    guesses: dict[str, Counter[str]] = {}
    for true, guessed in zip(truth, guess, strict=True):
        guesses.setdefault(true, Counter())[guessed] += 1
    rows = [(name, counter.total(), counter.most_common()) for name, counter in guesses.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))
