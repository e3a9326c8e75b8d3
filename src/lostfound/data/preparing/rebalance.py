"""Which images to keep so that the countries are distributed as they should be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lostfound.data.preparing.target import country_counts
from lostfound.data.records import strings
from lostfound.errors import RecipeError
from lostfound.geo.sampling import SizeClass, size_class_targets

Absent = Literal["refuse", "leave-out"]

UNKNOWN = "country unknown"
TOO_MANY = "more than its country may have"


@dataclass(frozen=True)
class CountryBalance:
    """What became of one country.

    Attributes:
        images: Its images before.
        kept: Its images after.
        target: Its share of the target, 0 to 1, among the countries that stay; None without a target or
            where it was dropped.
        reason: Why it was dropped; empty where it was not.
    """

    images: int
    kept: int
    target: float | None
    reason: str


@dataclass(frozen=True)
class Balance:
    """A choice of images by country.

    Attributes:
        reasons: Why each image is dropped, (n,); None where it is kept.
        countries: What became of each country, most images first.
        total: What the targets are shares of; None without a target.
        limited_by: The country whose images allow no larger total; None without a target.
    """

    reasons: NDArray[np.object_]
    countries: dict[str, CountryBalance]
    total: int | None = None
    limited_by: str | None = None


def rebalance(
    records: pa.Table,
    *,
    target: Mapping[str, float] | None = None,
    min_share: float = 0.0,
    slack: float = 1.0,
    size_classes: Sequence[SizeClass] | None = None,
    max_images: int | None = None,
    countries: Sequence[str] | None = None,
    absent: Absent = "refuse",
    seed: int = 0,
) -> Balance:
    """Choose images so that the countries are distributed as they should be.

    Args:
        records: Image records.
        target: The share of each country, on any scale (see `country_quota`).
        min_share: The least share of all images that a country needs to stay, with a target.
        slack: The share of its target that a country must have to allow a total, with a target.
        size_classes: Places of each country by the size of its land (EUGuess), instead of a target.
        max_images: The most images of a country; the target is met with what that leaves.
        countries: The codes of those to keep; all if None.
        absent: What to do about countries of the target or the list that the data lacks: "refuse" them, or
            "leave-out".
        seed: Another seed chooses other images.

    Raises:
        RecipeError: The data lacks countries that were asked for, or no image would be left.
        CountryNameError: A country that has no boundary to tell its size by.
    """
    counts = country_counts(records)
    _check_absent(counts, target, countries, absent)
    left = {code: count for code, count in counts.items() if countries is None or code in countries}
    dropped = dict.fromkeys(counts.keys() - left.keys(), "not in rebalance.countries")
    if not left:
        raise RecipeError("rebalance would drop all images: none is of a country that is to be kept")
    left = {code: min(count, max_images or count) for code, count in left.items()}
    quota = None
    if target is not None:
        quota = country_quota(left, target, min_share=min_share, slack=slack)
        dropped |= quota.dropped
        left = quota.numbers
    kept = keep_up_to(records, left, seed=seed)
    if size_classes is not None:
        kept = keep_up_to(records, size_class_targets(left, size_classes), places=True, seed=seed)
        rows = np.flatnonzero(kept)
        kept[rows] = keep_up_to(records.take(rows), left, seed=seed)
    code = strings(records, "country")
    reasons = np.array(
        [UNKNOWN if each is None else dropped.get(each, TOO_MANY) for each in code], dtype=object
    )
    reasons[kept] = None
    after = country_counts(records.filter(pa.array(kept)))
    return Balance(
        reasons,
        {
            code: CountryBalance(
                count, after.get(code, 0), quota.shares.get(code) if quota else None, dropped.get(code, "")
            )
            for code, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        },
        quota.total if quota else None,
        quota.limited_by if quota else None,
    )


def _check_absent(
    counts: Mapping[str, int],
    target: Mapping[str, float] | None,
    countries: Sequence[str] | None,
    absent: Absent,
) -> None:
    wanted = {*(target or ()), *(countries or ())}
    missing = sorted(wanted - counts.keys())
    if missing and absent == "refuse":
        raise RecipeError(
            f"rebalance names {len(missing)} countries of which the data has no image: {', '.join(missing)}; "
            "collect some, take them out, or set rebalance.absent to leave-out"
        )


@dataclass(frozen=True)
class Quota:
    """How many images each country may have.

    Attributes:
        total: What the targets are shares of: the largest number that no country's slack forbids.
        numbers: Images for each country that stays.
        shares: The target's share of each country that stays; they sum to 1.
        dropped: Why each other country does not stay.
        limited_by: The country that no larger total would leave within its slack.
    """

    total: int
    numbers: dict[str, int]
    shares: dict[str, float]
    dropped: dict[str, str]
    limited_by: str


def country_quota(
    counts: Mapping[str, int], target: Mapping[str, float], *, min_share: float = 0.0, slack: float = 1.0
) -> Quota:
    """The largest set of images whose countries are distributed as a target says (Lost & Found).

    A country stays if it is in the target and has at least `min_share` of all images. The total is the
    largest of which each country that stays can give `slack` times its share; each gives what it has, up to
    its share. So slack 1 meets the target exactly, and 0.75 lets countries stay that almost meet it, which
    then have up to a quarter less than they should.

    Args:
        counts: Images of each country.
        target: The share of each country, on any scale; those that the data lacks have no part in it.
        min_share: The least share of all images, 0 to 1.
        slack: The share of its target that a country must have, above 0 to 1.

    Raises:
        RecipeError: No country stays.
    """
    everything = sum(counts.values())
    dropped = {}
    for code, count in counts.items():
        if target.get(code, 0) <= 0:
            dropped[code] = "not in the target"
        elif count < min_share * everything:
            dropped[code] = f"less than {100 * min_share:g} % of the images"
    kept = {code: target[code] for code in counts if code not in dropped}
    if not kept:
        raise RecipeError(
            f"rebalance would drop all {len(counts)} countries: none is in the target and has "
            f"{100 * min_share:g} % of the images; lower rebalance.min_share or take another target"
        )
    shares = {code: share / sum(kept.values()) for code, share in kept.items()}
    possible = {code: counts[code] / (slack * share) for code, share in shares.items()}
    limited_by = min(possible, key=lambda code: (possible[code], code))
    total = int(possible[limited_by] * (1 + 1e-12))
    numbers = {code: min(counts[code], round(total * share)) for code, share in shares.items()}
    return Quota(total, numbers, shares, dropped, limited_by)


def keep_up_to(
    records: pa.Table, limits: Mapping[str, int], *, places: bool = False, seed: int = 0
) -> NDArray[np.bool_]:
    """Choose images of each country, up to a limit, by the hash of their place.

    The choice does not depend on the order of the rows. Where rows are added, what was chosen is chosen
    again as far as the limit goes. The views of a place are chosen together, all but the last place's.

    Args:
        records: Image records.
        limits: How many of each country; a country that is not named loses all.
        places: Count places with all their views, not images.
        seed: Another seed gives another choice.

    Returns:
        Which rows are kept, (n,).
    """
    names, place = np.unique(strings(records, "place_id").astype(str), return_inverse=True)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort([hashlib.sha256(f"keep:{seed}:{name}".encode()).digest() for name in names])] = np.arange(
        len(names)
    )
    codes = sorted(limits)
    number = {code: index for index, code in enumerate(codes)}
    country = np.array([number.get(code, len(codes)) for code in strings(records, "country")], dtype=np.int64)
    ids = strings(records, "image_id").astype(str)
    order = np.lexsort((ids, rank[place], country))
    limit = np.array([*(limits[code] for code in codes), 0])[country[order]]
    counted = np.ones(len(order), dtype=np.int64)
    if places:
        ranked = np.stack([country[order], rank[place][order]])
        counted[1:] = (np.diff(ranked) != 0).any(axis=0)
    running = np.cumsum(counted)
    first = np.searchsorted(country[order], country[order])
    before = np.where(first > 0, running[first - 1], 0)
    kept = np.zeros(len(order), dtype=np.bool_)
    kept[order] = running - before <= limit
    return kept
