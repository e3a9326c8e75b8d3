"""What a study found: each entry's metrics over the seeds, and its differences from the baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lostfound.evaluation.bootstrap import Samples
from lostfound.evaluation.comparison import Difference, Estimate, difference, estimate, holm
from lostfound.evaluation.evaluate import PREDICTIONS, report_samples
from lostfound.evaluation.matching import Matched, Truth, cells_key
from lostfound.evaluation.metrics import METRICS
from lostfound.partitions import Partition
from lostfound.predict.model_folder import PARTITION
from lostfound.predict.predictions import Predictions
from lostfound.studies.runs import Key, StudyRun
from lostfound.studies.study import Study

Average = Literal["collections", "countries"]
"""Where collections are held out: what a metric is averaged over, each of them counting as much."""
AVERAGES: tuple[Average, ...] = ("collections", "countries")

Number = tuple[str, Average | None]
"""A metric, and what it is averaged over; None: the samples."""


@dataclass(frozen=True)
class ScoredModel:
    """One trained model's scores; where collections are held out, those of the models of all folds.

    Attributes:
        samples: By number; those that the data or the model can't give are missing.
        cells: What its cells are, so that metrics of cells are compared only where they mean the same; None
            for a model without cells.
    """

    samples: Mapping[Number, Samples]
    cells: str | None

    @classmethod
    def read(cls, runs: Sequence[StudyRun], metrics: Collection[str]) -> ScoredModel:
        """The scores of finished runs, from the predictions that their reports kept.

        Args:
            runs: One, or one a fold.
            metrics: Which.
        """
        partitions = [_partition(run) for run in runs]
        if runs[0].fold is None:
            found = report_samples(runs[0].report, partitions[0], list(metrics))
            samples: dict[Number, Samples] = {(name, None): each for name, each in found.items()}
        else:
            folds = [_of_fold(run, each, metrics) for run, each in zip(runs, partitions, strict=True)]
            common = [number for number in folds[0] if all(number in each for each in folds)]
            samples = {number: _together([each[number] for each in folds]) for number in common}
        return cls(samples, cells_key(partitions[0]))


def _partition(run: StudyRun) -> Partition | None:
    file = run.model / PARTITION
    return Partition.load(file) if file.is_file() else None


def _of_fold(run: StudyRun, partition: Partition | None, metrics: Collection[str]) -> dict[Number, Samples]:
    """The numbers of what was held out, to be resampled by collection."""
    table = pq.read_table(run.report / PREDICTIONS)
    table = table.set_column(table.column_names.index("place_id"), "place_id", table["source"])
    matched = Matched(Predictions.from_table(table, partition), Truth(table))
    countries = np.array([code or "no country" for code in matched.truth.countries], dtype=object)
    over: dict[Average | None, NDArray[np.object_] | None] = {
        None: None,
        "collections": matched.truth.places,
        "countries": countries,
    }
    found = {
        (name, average): METRICS[name].samples(matched, classes)
        for name in metrics
        for average, classes in over.items()
    }
    return {number: each for number, each in found.items() if each is not None}


def _together(samples: Sequence[Samples]) -> Samples:
    def joined(name: str) -> Any:
        parts = [getattr(each, name) for each in samples]
        return None if parts[0] is None else np.concatenate(parts)

    names = ("places", "values", "classes", "confidences")
    return replace(samples[0], **{name: joined(name) for name in names})


@dataclass(frozen=True)
class ResultRow:
    """One entry by one metric.

    Attributes:
        metric: Its name.
        entry: The entry's.
        seeds: Those whose models were judged.
        estimate: The mean over them; None if the data or the model can't give the metric.
        difference: From the baseline; None for the baseline itself, and where they can't be compared.
        p_holm: The difference's p-value, corrected for the metric's comparisons in this study (Holm 1979).
        unit: What was scored: image or place.
        average: What it is the mean over; None: the samples.
    """

    metric: str
    entry: str
    seeds: list[int]
    estimate: Estimate | None
    difference: Difference | None
    p_holm: float | None
    unit: str | None
    average: Average | None = None

    @property
    def heading(self) -> str:
        """The metric with its unit, and what it is averaged over."""
        return METRICS[self.metric].heading + (f", mean of {self.average}" if self.average else "")


@dataclass(frozen=True)
class StudyResults:
    """What a study found so far.

    Attributes:
        study: What was compared.
        rows: By metric, then by entry.
        failed: What went wrong, by entry, seed and fold.
        missing: Runs that are yet to be done.
    """

    study: Study
    rows: list[ResultRow]
    failed: Mapping[Key, str]
    missing: list[Key]


def judge(study: Study, runs: list[StudyRun], failed: Mapping[Key, str]) -> StudyResults:
    """Put together what the finished runs scored.

    Args:
        study: What is compared.
        runs: Its plan.
        failed: What went wrong with runs.
    """
    file = study.file
    done = {run.key: run for run in runs if run.state() == "done"}
    models: dict[tuple[str, int], list[StudyRun]] = {}
    for run in done.values():
        models.setdefault((run.entry, run.seed), []).append(run)
    whole = {
        key: folds for key, folds in models.items() if folds[0].fold is None or len(folds) == folds[0].fold.of
    }
    scored = {key: ScoredModel.read(folds, file.metrics) for key, folds in whole.items()}
    averages: Sequence[Average | None] = (*AVERAGES, None) if file.hold_out else (None,)
    numbers = [(metric, average) for metric in file.metrics for average in averages]
    numbers = [each for each in numbers if each[1] is None or METRICS[each[0]].statistic == "mean"]
    rows = [row for number in numbers for row in _by_number(study, scored, whole, number)]
    missing = [run.key for run in runs if run.key not in done and run.key not in failed]
    return StudyResults(study, rows, dict(failed), missing)


def _by_number(
    study: Study,
    scored: Mapping[tuple[str, int], ScoredModel],
    done: Mapping[tuple[str, int], list[StudyRun]],
    number: Number,
) -> list[ResultRow]:
    file = study.file
    metric, average = number
    found: list[ResultRow] = []
    base = {seed: scored[file.baseline, seed] for seed in file.seeds if (file.baseline, seed) in scored}
    for entry in file.variants:
        ours = {seed: scored[entry, seed] for seed in file.seeds if (entry, seed) in scored}
        samples = [each.samples[number] for each in ours.values() if number in each.samples]
        against = None
        if entry != file.baseline and samples and _comparable(number, ours, base):
            against = difference(samples, [each.samples[number] for each in base.values()])
        value = estimate(samples) if samples else None
        unit = done[entry, next(iter(ours))][0].scored if ours else None
        found.append(ResultRow(metric, entry, list(ours), value, against, None, unit, average))
    corrected = iter(holm([row.difference.p for row in found if row.difference is not None]))
    return [row if row.difference is None else replace(row, p_holm=next(corrected)) for row in found]


def _comparable(number: Number, ours: Mapping[int, ScoredModel], base: Mapping[int, ScoredModel]) -> bool:
    """Did the baseline get the metric too, and does it mean the same?"""
    if not base or any(number not in each.samples for each in base.values()):
        return False
    return not METRICS[number[0]].of_cells or {each.cells for each in ours.values()} == {
        each.cells for each in base.values()
    }
