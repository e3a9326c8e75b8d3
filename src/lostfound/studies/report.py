"""The report of a study: one table as Markdown, CSV and JSON, and a picture."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lostfound.evaluation.comparison import RESAMPLES, p_text
from lostfound.evaluation.metrics import METRICS
from lostfound.files import write_atomic
from lostfound.studies.plot import draw_study
from lostfound.studies.results import ResultRow, StudyResults
from lostfound.studies.study import Claim
from lostfound.texts import csv_text

SIGNIFICANT = 0.05

NOTE = f"""\
Each value is the mean over the seeds. Its 95 % interval is a bootstrap by place ({RESAMPLES:,} resamples)
with these trainings as they are; the spread is the standard deviation over the seeds. A difference is that
from the baseline on the places that both were judged on, resampled together; p is two-sided, and p (Holm) is
corrected for the comparisons by the same metric in this table."""


def write_report(outcome: StudyResults, to: Path) -> None:
    """Write `results.md`, `results.csv`, `results.json` and `results.png`."""
    write_atomic(to / "results.md", markdown(outcome).encode())
    write_atomic(to / "results.csv", _csv(outcome).encode())
    text = json.dumps(as_dict(outcome), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(to / "results.json", text.encode())
    if any(row.estimate for row in outcome.rows):
        write_atomic(to / "results.png", draw_study(outcome))


def cells(row: ResultRow) -> dict[str, str]:
    """A row in words: what each column of the table says."""
    found, against = row.estimate, row.difference
    said = {
        "metric": METRICS[row.metric].heading,
        "entry": row.entry,
        "value": "-",
        "95 % interval": "-",
        "spread": "-",
        "difference": "-",
        "its 95 % interval": "-",
        "p": "-",
        "p (Holm)": "-",
        "seeds": str(len(row.seeds)),
        "scored": "-",
    }
    if found is not None:
        said["value"] = METRICS[row.metric].number(found.value)
        said["95 % interval"] = _span(row.metric, found.low, found.high)
        said["spread"] = "-" if found.spread is None else METRICS[row.metric].number(found.spread)
        said["scored"] = f"{found.places} places"
        if row.unit == "image":
            said["scored"] = f"{found.n} images of {found.places} places"
    if against is not None:
        assert row.p_holm is not None
        said["difference"] = METRICS[row.metric].number(against.value, signed=True)
        said["its 95 % interval"] = _span(row.metric, against.low, against.high, signed=True)
        said["p"], said["p (Holm)"] = p_text(against.p), p_text(row.p_holm)
    return said


def markdown(outcome: StudyResults) -> str:
    """The table with what it means, what the source said, and what failed."""
    file = outcome.study.file
    lines = [f"# {file.name}", "", *([file.about.strip(), ""] if file.about else [])]
    lines += [f"Recipe `{file.recipe}`, baseline `{file.baseline}`.", ""]
    said = [cells(row) for row in outcome.rows]
    lines += [f"| {' | '.join(said[0])} |", f"|{'|'.join('---' for _ in said[0])}|"]
    lines += [f"| {' | '.join(each.values())} |" for each in said]
    lines += ["", NOTE, ""]
    if file.claims:
        lines += ["## What the source says, and what was measured", ""]
        for entry, claim in file.claims.items():
            lines.append(f"- **{entry}**: {claim if isinstance(claim, str) else claim.says}")
            if isinstance(claim, Claim):
                lines.append(f"  - {verdict(outcome, entry, claim).capitalize()}.")
            for row in outcome.rows:
                if row.entry == entry and row.difference:
                    lines.append(f"  - {_measured(row, file.baseline)}")
        lines.append("")
    if outcome.failed:
        lines += ["## Failed", ""]
        lines += [
            f"- {entry}, seed {seed}: {' '.join(message.split())}"
            for (entry, seed), message in outcome.failed.items()
        ]
        lines.append("")
    if outcome.missing:
        missing = ", ".join(f"{entry} seed {seed}" for entry, seed in outcome.missing)
        lines += [f"Yet to be run: {missing}.", ""]
    return "\n".join(lines)


def as_dict(outcome: StudyResults) -> dict[str, Any]:
    """Everything, as plain values."""
    file = outcome.study.file
    return {
        "study": file.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "results": [asdict(row) for row in outcome.rows],
        "verdicts": {
            entry: verdict(outcome, entry, claim)
            for entry, claim in file.claims.items()
            if isinstance(claim, Claim)
        },
        "failed": [
            {"entry": entry, "seed": seed, "message": message}
            for (entry, seed), message in outcome.failed.items()
        ],
        "missing": [{"entry": entry, "seed": seed} for entry, seed in outcome.missing],
    }


def verdict(outcome: StudyResults, entry: str, claim: Claim) -> str:
    """Does a claim hold here? It does where the corrected p-value of its difference is below 0.05."""
    metric = claim.metric or outcome.study.file.metrics[0]
    row = next((row for row in outcome.rows if (row.entry, row.metric) == (entry, metric)), None)
    if row is None or row.difference is None or row.p_holm is None:
        return f"not measured by {METRICS[metric].heading}"
    if row.p_holm >= SIGNIFICANT:
        return f"not to be told here, by {METRICS[metric].heading} on {row.difference.places} places"
    better = (row.difference.value > 0) == METRICS[metric].higher_is_better
    found = "holds here" if better == (claim.expects == "better") else "the opposite holds here"
    return f"{found}, by {METRICS[metric].heading} on {row.difference.places} places"


_COLUMNS = (
    "metric", "entry", "unit", "seeds", "value", "low", "high", "spread", "n", "places",
    "difference", "difference_low", "difference_high", "p", "p_holm", "common_places",
)  # fmt: skip


def _csv(outcome: StudyResults) -> str:
    rows: list[tuple[object, ...]] = [_COLUMNS]
    for row in outcome.rows:
        found, against = row.estimate, row.difference
        ours = (
            (found.value, found.low, found.high, found.spread, found.n, found.places) if found else [""] * 6
        )
        theirs: tuple[object, ...] = ("",) * 6
        if against:
            theirs = (against.value, against.low, against.high, against.p, row.p_holm, against.places)
        rows.append((row.metric, row.entry, row.unit, len(row.seeds), *ours, *theirs))
    return csv_text(rows)


def _measured(row: ResultRow, baseline: str) -> str:
    said = cells(row)
    against = f"{said['difference']} to {baseline} [{said['its 95 % interval']}]"
    return f"{said['metric']}: {said['value']}, {against}, p (Holm) {said['p (Holm)']}"


def _span(metric: str, low: float, high: float, *, signed: bool = False) -> str:
    return f"{METRICS[metric].number(low, signed=signed)} to {METRICS[metric].number(high, signed=signed)}"
