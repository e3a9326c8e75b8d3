"""The steps of a preparation before the images are written: what is corrected, and what is left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset, read_info
from lostfound.data.grouping import HASH_BITS, RowNumbers
from lostfound.data.preparing.corrections import Corrections
from lostfound.data.preparing.duplicates import (
    Repeats,
    repeated_bytes,
    repeated_coordinates,
    repeated_pictures,
)
from lostfound.data.preparing.enrich import Enriched, enrich
from lostfound.data.preparing.quality import MEASURES, measure_quality
from lostfound.data.preparing.rebalance import Balance, rebalance
from lostfound.data.preparing.recipe import (
    NEAREST_PLACE,
    Duplicates,
    Enrich,
    PrepareRecipe,
    Quality,
    Rebalance,
)
from lostfound.data.preparing.target import country_counts, read_target
from lostfound.data.records import Records, set_column, strings
from lostfound.data.splits import SplitSettings, assign_splits
from lostfound.errors import RecipeError, UsageError
from lostfound.files import digest
from lostfound.geo.regions import Regions


@dataclass(frozen=True)
class Drop:
    """One image that was left out.

    Attributes:
        image_id: Its id.
        original: Its file below its source.
        step: The step that dropped it, such as "quality".
        reason: Why, with the numbers.
    """

    image_id: str
    original: str
    step: str
    reason: str


@dataclass
class PreparationPlan:
    """What is to be written.

    Attributes:
        records: The records that are left.
        drops: The images that are not, in the order in which they went.
        steps: For each step and reason how many it dropped and how many were left.
        about: What else is worth knowing: the balance of the countries, what was enriched.
    """

    records: Records
    drops: list[Drop] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def drop(self, step: str, reason: str, rows: RowNumbers, reasons: list[str], **more: int) -> None:
        """Leave out rows of the records, each with its own reason."""
        named = self.records.select(["image_id", "original"]).take(rows).to_pylist()
        self.drops += [
            Drop(each["image_id"], each["original"] or "", step, why)
            for each, why in zip(named, reasons, strict=True)
        ]
        kept = np.ones(self.records.num_rows, dtype=np.bool_)
        kept[rows] = False
        self.records = self.records.filter(pa.array(kept))
        left = self.records.num_rows
        self.steps.append({"step": step, "reason": reason, "dropped": len(rows), "left": left, **more})
        if not left:
            raise RecipeError(f"{step} would drop the last of the images ({reason}): nothing would remain")


def files_of(recipe: PrepareRecipe) -> dict[str, str]:
    """The hashes of the files and data sets that a recipe names.

    Raises:
        UsageError: One of them is missing.
    """
    named = []
    if recipe.enrich:
        named += [recipe.enrich.corrections, recipe.enrich.region]
    if recipe.rebalance:
        named.append(recipe.rebalance.target)
    return {name: _hash(name) for name in named if name not in (None, NEAREST_PLACE, "uniform", "natural")}


def _hash(name: str) -> str:
    path = Path(name)
    if path.is_dir():
        return str(read_info(path)["records_sha256"])
    try:
        return digest(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{name}, which the recipe names, does not exist") from None


def plan(dataset: Dataset, recipe: PrepareRecipe, *, parts: Path, jobs: int | None = None) -> PreparationPlan:
    """Do all steps of a recipe but the writing of the images.

    Args:
        dataset: What to prepare.
        recipe: The steps.
        parts: A folder in which measurements are kept, so that a run that was stopped goes on.
        jobs: Processes for measuring; all cores if None.

    Raises:
        RecipeError: A step would drop everything, or asks for countries that the data lacks.
        UsageError: A file that the recipe names is wrong.
    """
    planned = PreparationPlan(dataset.stored)
    splits = recipe.split.settings() if recipe.split else None
    if recipe.enrich:
        found = _enrich(planned, recipe.enrich)
        if found.moved and splits is None:
            splits = SplitSettings(**dataset.info["splits"])  # of places that are elsewhere now
    _drop_bad(planned, dataset, recipe.quality, parts, jobs)
    _drop_duplicates(planned, recipe.duplicates)
    if recipe.rebalance:
        _rebalance(planned, recipe.rebalance)
    if splits is not None:
        empty = pa.nulls(planned.records.num_rows, pa.string())
        planned.records = assign_splits(set_column(planned.records, "split", empty), splits)
    return planned


def _enrich(planned: PreparationPlan, settings: Enrich) -> Enriched:
    regions = None
    if settings.region == NEAREST_PLACE:
        regions = Regions.nearest_place()
    elif settings.region is not None:
        regions = Regions.natural_earth(Path(settings.region))
    planned.records, found = enrich(
        planned.records,
        corrections=Corrections.read(Path(settings.corrections)) if settings.corrections else None,
        country=settings.country,
        regions=regions,
        city=settings.city,
    )
    planned.about["enriched"] = asdict(found)
    return found


def _drop_bad(
    planned: PreparationPlan, dataset: Dataset, settings: Quality, parts: Path, jobs: int | None
) -> None:
    thresholds = settings.thresholds()
    if not thresholds:
        return
    measured = measure_quality(dataset, size=settings.size, parts=parts, jobs=jobs)
    unreadable = np.flatnonzero(np.isnan(measured).any(axis=1))
    if len(unreadable):
        planned.drop("quality", "unreadable", unreadable, ["unreadable"] * len(unreadable))
        measured = np.delete(measured, unreadable, axis=0)
    resolved, low = [], []
    for threshold in thresholds:
        values = measured[:, MEASURES.index(threshold.measure)]
        resolved.append(threshold.resolved(values))
        low.append(threshold.below(values))
    if np.any(low, axis=0).all():
        raise RecipeError(
            f"the thresholds of quality would together drop all {len(measured)} images "
            f"({' and '.join(str(int(each.sum())) for each in low)}): lower one of them"
        )
    gone = np.zeros(len(measured), dtype=np.bool_)
    for threshold, least, own in zip(thresholds, resolved, low, strict=True):
        name = threshold.measure.replace("_", " ")
        values = measured[:, MEASURES.index(threshold.measure)]
        chosen = np.flatnonzero(own & ~gone)
        rows = chosen - np.cumsum(gone)[chosen]  # among the records that are left
        reasons = [f"{name} {value:.1f}, below {least:g}" for value in values[chosen]]
        planned.drop("quality", f"{name} below {least:.4g}", rows, reasons)
        gone |= own


def _drop_duplicates(planned: PreparationPlan, settings: Duplicates) -> None:
    if settings.coordinates:
        _drop_repeats(planned, "same coordinates", repeated_coordinates(planned.records))
    if settings.bytes:
        _drop_repeats(planned, "same bytes", repeated_bytes(planned.records))
    if settings.distance is not None:
        reason = f"near-duplicate, at most {settings.distance} bits of {HASH_BITS}"
        _drop_repeats(planned, reason, repeated_pictures(planned.records, settings.distance))


def _drop_repeats(planned: PreparationPlan, reason: str, repeats: Repeats) -> None:
    own = planned.records.select(["image_id", "country"])
    country, ids = strings(own, "country"), own["image_id"].take(repeats.of).to_pylist()
    near = reason.startswith("near")
    reasons = [
        f"near-duplicate of {first}, {bits} bits" if near else f"{reason} as {first}"
        for first, bits in zip(ids, repeats.distance, strict=True)
    ]
    other = int((country[repeats.rows] != country[repeats.of]).sum())
    planned.drop("duplicates", reason, repeats.rows, reasons, with_another_country=other)


def _rebalance(planned: PreparationPlan, settings: Rebalance) -> None:
    counts = country_counts(planned.records)
    target = None if settings.target is None else read_target(settings.target, counts, settings.power)
    balance = rebalance(
        planned.records,
        target=target,
        min_share=settings.min_share,
        slack=settings.slack,
        size_classes=settings.classes(),
        max_images=settings.max_images,
        countries=settings.countries,
        absent=settings.absent,
        seed=settings.seed,
    )
    planned.about["balance"] = {
        "total": balance.total,
        "limited_by": balance.limited_by,
        "countries": {code: asdict(each) for code, each in balance.countries.items()},
    }
    _drop_unbalanced(planned, balance)


def _drop_unbalanced(planned: PreparationPlan, balance: Balance) -> None:
    reasons: NDArray[np.object_] = balance.reasons
    for reason in sorted({each for each in reasons if each is not None}):
        rows = np.flatnonzero(reasons == reason)
        country = strings(planned.records, "country")[rows]
        planned.drop(
            "rebalance", reason, rows, [f"{reason} ({code})" if code else reason for code in country]
        )
        reasons = np.delete(reasons, rows)
