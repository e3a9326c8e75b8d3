"""Priors: what is known of where photos come from before they are looked at, by Bayes' rule."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import UsageError
from lostfound.geo.cities import city_table
from lostfound.geo.countries import parse_country
from lostfound.partitions import OUTSIDE, Partition
from lostfound.predict.belief import Belief

NAMED = ("training", "uniform", "population", "estimate")
PHOTOS = 30.0
"""So many photos as training had them go into an estimate: with fewer, albums of many countries are told to
be of few (docs/priors.md)."""
_PEOPLE = 1000.0  # in a cell without a city of the table
_STEPS, _ENOUGH = 500, 1e-6


def read_prior(
    prior: str | Path | Mapping[str, float], partition: Partition, trained: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The shares of cells, (cells,), that a prior means; they sum to 1.

    Args:
        prior: "uniform"; "population", by the people of the cities in each cell; shares by country or cell
            id; or a CSV file of them with the columns `country` (or `cell`) and `share`.
        partition: The cells. What is not named has none.
        trained: The classes' shares as training drew them, (cells,): so a country's share is divided among
            its cells.

    Raises:
        UsageError: There is no such prior, the file can't be read, a name is unknown, or nothing is left.
    """
    if prior == "uniform":
        return np.full(len(partition), 1 / len(partition))
    if prior == "population":
        return _population(partition)
    shares = prior if isinstance(prior, Mapping) else _read_file(Path(prior))
    number = {cell_id: index for index, cell_id in enumerate(partition.cell_ids)}
    found = np.zeros(len(partition))
    countries = np.array([code or "" for code in partition.countries])
    for name, share in shares.items():
        if not 0 <= share < np.inf:
            raise UsageError(f"a prior of {share} for {name!r}: give 0 or more")
        if name in number:
            found[number[name]] += share
        else:
            own = countries == (parse_country(name, guess=False) if name else "")
            found[own] += share * trained[own] / trained[own].sum()
    if not found.sum():
        raise UsageError(f"the prior leaves none of the {len(partition)} cells of the model")
    return np.asarray(found / found.sum())


def reweighted(belief: Belief, shares: NDArray[np.float64], trained: NDArray[np.float64]) -> Belief:
    """The belief with another prior in the place of the one that a model was trained with.

    Args:
        belief: Over cells, of n samples.
        shares: The prior, (cells,).
        trained: The classes' shares as training drew them, (cells,).
    """
    return _normalised(belief, belief.probabilities * (shares / trained))


def estimated_shares(
    belief: Belief, trained: NDArray[np.float64], countries: NDArray[np.object_], *, photos: float = PHOTOS
) -> dict[str, float]:
    """The countries' shares among some samples, by expectation-maximisation (Saerens et al. 2002).

    A Dirichlet prior of as much as some photos, which lie as training's did, keeps an album of few photos
    from being told to be all of one country by chance.

    Args:
        belief: Over cells, of n samples, with training's prior.
        trained: The classes' shares as training drew them, (cells,).
        countries: Of the cells, (cells,), or None.
        photos: How many photos the Dirichlet prior weighs.

    Returns:
        The shares by country code, largest first; "" is what lies in no single country.
    """
    names, group = np.unique([code or "" for code in countries], return_inverse=True)
    before = np.bincount(group, trained)
    likelihood = _sums(belief.probabilities, group, len(names)) / before
    shares = before
    for _ in range(_STEPS):
        posterior = likelihood * shares
        posterior /= posterior.sum(axis=1, keepdims=True)
        new = (posterior.sum(axis=0) + photos * before) / (len(belief) + photos)
        done = np.abs(new - shares).max() < _ENOUGH
        shares = new
        if done:
            break
    order = np.argsort(-shares)
    return {str(names[each]): float(shares[each]) for each in order}


def _sums(values: NDArray[np.float64], group: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    found = np.zeros((len(values), count))
    np.add.at(found.T, group, values.T)
    return found


def _normalised(belief: Belief, probabilities: NDArray[np.float64]) -> Belief:
    total = probabilities.sum(axis=1, keepdims=True)
    return replace(belief, probabilities=probabilities / np.maximum(total, 1e-300))


def _population(partition: Partition) -> NDArray[np.float64]:
    table = city_table()
    points = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    cells = partition.assign(points, table["country"].to_numpy(zero_copy_only=False))
    inside = cells != OUTSIDE
    people = np.bincount(cells[inside], table["population"].to_numpy()[inside], len(partition)) + _PEOPLE
    return np.asarray(people / people.sum())


def _read_file(path: Path) -> dict[str, float]:
    if not path.is_file():
        raise UsageError(
            f"no prior {str(path)!r}: choose of {', '.join(NAMED)}, or give a CSV file with the columns "
            "country and share"
        )
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        name = next((each for each in ("country", "cell") if each in (rows.fieldnames or ())), None)
        if name is None or "share" not in (rows.fieldnames or ()):
            raise UsageError(f"{path} lacks the columns country (or cell) and share: {rows.fieldnames}")
        found: dict[str, float] = {}
        for row in rows:
            try:
                share = float(row["share"])
            except (TypeError, ValueError):
                raise UsageError(
                    f"{path}, line {rows.line_num}: the share {row['share']!r} is no number"
                ) from None
            if row[name] in found:
                raise UsageError(f"{path}, line {rows.line_num}: {row[name]!r} stands there twice")
            found[row[name]] = share
    return found
