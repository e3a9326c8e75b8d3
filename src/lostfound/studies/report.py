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
from lostfound.studies.runs import Key
from lostfound.studies.study import Claim
from lostfound.texts import csv_text

SIGNIFICANT = 0.05

NOTE = f"""\
Each value is the mean over the seeds. Its 95 % interval is a bootstrap by place ({RESAMPLES:,} resamples)
with these trainings as they are; the spread is the standard deviation over the seeds. A difference is that
from the baseline on the places that both were judged on, resampled together; p is two-sided, and p (Holm) is
corrected for the comparisons by the same metric in this table."""

HELD_OUT_NOTE = """
Each image was judged by a model that saw none of its collection. A mean of collections, or of countries,
counts each of them as much as any other. Intervals and p-values are of the collections, which are what is
resampled."""


def note(outcome: StudyResults) -> str:
    """What the table means."""
    return NOTE + (f"\n{HELD_OUT_NOTE}" if outcome.study.file.hold_out else "")


def write_report(outcome: StudyResults, to: Path) -> None:
    """Write `results.md`, `results.csv`, `results.json` and `results.png`."""
    write_atomic(to / "results.md", markdown(outcome).encode())
    write_atomic(to / "results.csv", _csv(outcome).encode())
    text = json.dumps(as_dict(outcome), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(to / "results.json", text.encode())
    if any(row.estimate for row in outcome.rows):
        write_atomic(to / "results.png", draw_study(outcome))


def cells(row: ResultRow, *, held_out: bool) -> dict[str, str]:
    """A row in words: what each column of the table says.

    Args:
        row: The row.
        held_out: Whether collections were held out.
    """
    found, against = row.estimate, row.difference
    said = {
        "metric": row.heading,
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
        of = "collections" if held_out else "places"
        said["scored"] = f"{found.places} {of}"
        if row.unit == "image" or held_out:
            said["scored"] = f"{found.n} {row.unit}s of {found.places} {of}"
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
    held_out = file.hold_out is not None
    said = [cells(row, held_out=held_out) for row in outcome.rows]
    lines += [f"| {' | '.join(said[0])} |", f"|{'|'.join('---' for _ in said[0])}|"]
    lines += [f"| {' | '.join(each.values())} |" for each in said]
    lines += ["", note(outcome), ""]
    if file.claims:
        lines += ["## What the source says, and what was measured", ""]
        for entry, claim in file.claims.items():
            lines.append(f"- **{entry}**: {claim if isinstance(claim, str) else claim.says}")
            if isinstance(claim, Claim):
                lines.append(f"  - {verdict(outcome, entry, claim).capitalize()}.")
            for row in outcome.rows:
                if row.entry == entry and row.difference:
                    lines.append(f"  - {_measured(row, outcome)}")
        lines.append("")
    if outcome.failed:
        lines += ["## Failed", ""]
        lines += [
            f"- {run_name(key)}: {' '.join(message.split())}" for key, message in outcome.failed.items()
        ]
        lines.append("")
    if outcome.missing:
        missing = ", ".join(run_name(key).replace(", ", " ") for key in outcome.missing)
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
        "failed": [{**_key(key), "message": message} for key, message in outcome.failed.items()],
        "missing": [_key(key) for key in outcome.missing],
    }


def run_name(key: Key) -> str:
    """A run in words."""
    return ", ".join(
        f"{name} {value}" if name != "entry" else str(value) for name, value in _key(key).items()
    )


def _key(key: Key) -> dict[str, Any]:
    entry, seed, fold = key
    return {"entry": entry, "seed": seed, **({"fold": fold} if fold is not None else {})}


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
    "metric", "average", "entry", "unit", "seeds", "value", "low", "high", "spread", "n", "places",
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
        rows.append((row.metric, row.average or "", row.entry, row.unit, len(row.seeds), *ours, *theirs))
    return csv_text(rows)


def _measured(row: ResultRow, outcome: StudyResults) -> str:
    said = cells(row, held_out=outcome.study.file.hold_out is not None)
    against = f"{said['difference']} to {outcome.study.file.baseline} [{said['its 95 % interval']}]"
    return f"{said['metric']}: {said['value']}, {against}, p (Holm) {said['p (Holm)']}"


def _span(metric: str, low: float, high: float, *, signed: bool = False) -> str:
    return f"{METRICS[metric].number(low, signed=signed)} to {METRICS[metric].number(high, signed=signed)}"
