"""What a study found: each entry's metrics over the seeds, and its differences from the baseline."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lostfound.evaluation.bootstrap import Samples
from lostfound.evaluation.comparison import Difference, Estimate, difference, estimate, holm
from lostfound.evaluation.evaluate import report_samples
from lostfound.evaluation.matching import cells_key
from lostfound.evaluation.metrics import METRICS
from lostfound.partitions import Partition
from lostfound.predict.model_folder import PARTITION
from lostfound.studies.runs import StudyRun
from lostfound.studies.study import Study


@dataclass(frozen=True)
class ScoredModel:
    """One trained model's scores.

    Attributes:
        samples: By metric; those that the data or the model can't give are missing.
        cells: What its cells are, so that metrics of cells are compared only where they mean the same; None
            for a model without cells.
    """

    samples: Mapping[str, Samples]
    cells: str | None

    @classmethod
    def read(cls, run: StudyRun, metrics: Collection[str]) -> ScoredModel:
        """The scores of a finished run, from the predictions that its report kept."""
        file = run.model / PARTITION
        partition = Partition.load(file) if file.is_file() else None
        return cls(report_samples(run.report, partition, list(metrics)), cells_key(partition))


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
    """

    metric: str
    entry: str
    seeds: list[int]
    estimate: Estimate | None
    difference: Difference | None
    p_holm: float | None
    unit: str | None


@dataclass(frozen=True)
class StudyResults:
    """What a study found so far.

    Attributes:
        study: What was compared.
        rows: By metric, then by entry.
        failed: What went wrong, by entry and seed.
        missing: Runs that are yet to be done.
    """

    study: Study
    rows: list[ResultRow]
    failed: Mapping[tuple[str, int], str]
    missing: list[tuple[str, int]]


def judge(study: Study, runs: list[StudyRun], failed: Mapping[tuple[str, int], str]) -> StudyResults:
    """Put together what the finished runs scored.

    Args:
        study: What is compared.
        runs: Those to look at.
        failed: What went wrong with runs.
    """
    file = study.file
    done = {(run.entry, run.seed): run for run in runs if run.state() == "done"}
    scored = {key: ScoredModel.read(run, file.metrics) for key, run in done.items()}
    rows = [row for metric in file.metrics for row in _by_metric(study, scored, done, metric)]
    every = [(name, seed) for seed in file.seeds for name in file.variants]
    missing = [key for key in every if key not in done and key not in failed]
    return StudyResults(study, rows, dict(failed), missing)


def _by_metric(
    study: Study,
    scored: Mapping[tuple[str, int], ScoredModel],
    done: Mapping[tuple[str, int], StudyRun],
    metric: str,
) -> list[ResultRow]:
    file = study.file
    found: list[ResultRow] = []
    base = {seed: scored[file.baseline, seed] for seed in file.seeds if (file.baseline, seed) in scored}
    for entry in file.variants:
        ours = {seed: scored[entry, seed] for seed in file.seeds if (entry, seed) in scored}
        samples = [each.samples[metric] for each in ours.values() if metric in each.samples]
        against = None
        if entry != file.baseline and samples and _comparable(metric, ours, base):
            against = difference(samples, [each.samples[metric] for each in base.values()])
        value = estimate(samples) if samples else None
        unit = done[entry, next(iter(ours))].scored if ours else None
        found.append(ResultRow(metric, entry, list(ours), value, against, None, unit))
    corrected = iter(holm([row.difference.p for row in found if row.difference is not None]))
    return [
        row
        if row.difference is None
        else ResultRow(
            row.metric, row.entry, row.seeds, row.estimate, row.difference, next(corrected), row.unit
        )
        for row in found
    ]


def _comparable(metric: str, ours: Mapping[int, ScoredModel], base: Mapping[int, ScoredModel]) -> bool:
    """Did the baseline get the metric too, and does it mean the same?"""
    if not base or any(metric not in each.samples for each in base.values()):
        return False
    return not METRICS[metric].of_cells or {each.cells for each in ours.values()} == {
        each.cells for each in base.values()
    }
