"""What `lostfound compare` and `tune` print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lostfound.cli.common import show
from lostfound.cli.output.tables import make_console, make_table

if TYPE_CHECKING:
    from lostfound.studies.holding_out import Fold
    from lostfound.studies.results import StudyResults
    from lostfound.studies.runs import StudyRun
    from lostfound.studies.search import Search
    from lostfound.studies.trials import TrialResult

_SAYS = {
    "done": "done",
    "trained": "trained, to be judged",
    "stopped": "stopped, goes on",
    "new": "to be trained",
    "changed": "has other settings now: is deleted and trained again",
}


def print_plan(runs: list[StudyRun]) -> None:
    """Say which runs a study has, and what is done."""
    folds = any(run.fold for run in runs)
    table = make_table("entry", "seed", *(["held out"] if folds else []), "data", "state", numbers=["seed"])
    states = [run.state() for run in runs]
    for run, state in zip(runs, states, strict=True):
        says = _SAYS[state] if run.trains or state == "done" else "to be judged"
        held_out = [_held_out(run.fold)] if run.fold else []
        table.add_row(run.entry, str(run.seed), *held_out, run.everything.name, says)
    make_console().print(table)
    show(f"\n{states.count('done')} of {len(runs)} runs are done.")


def _held_out(fold: Fold) -> str:
    shown = ", ".join(fold.sources[:3])
    return shown if len(fold.sources) <= 3 else f"{shown} and {len(fold.sources) - 3} more"


def print_outcome(outcome: StudyResults, to: Path) -> None:
    """Print a study's table, and what failed."""
    from lostfound.studies.report import cells, note, run_name

    held_out = outcome.study.file.hold_out is not None
    rows = [cells(row, held_out=held_out) for row in outcome.rows]
    names = list(rows[0])
    show(f"{outcome.study.file.name}, against {outcome.study.file.baseline}:\n")
    table = make_table(*names, numbers=names[2:])
    last = rows[0]["metric"]
    for row in rows:
        if row["metric"] != last:
            table.add_section()
        last = row["metric"]
        table.add_row(*row.values())
    make_console().print(table)
    show(f"\n{note(outcome)}")
    for key, message in outcome.failed.items():
        show(f"\nFailed: {run_name(key)}: {message}")
    show(f"\nThe table and a picture: {to}/results.md, .csv, .json, .png")


def print_search(search: Search, trials: list[TrialResult], command: str | None) -> None:
    """Print a search's trials, best first, and the command that trains with the best."""
    from lostfound.studies.trials import cells, columns, describe_ties

    names = columns(search)
    show(f"{search.recipe}, by {search.metric} on the validation split:\n")
    table = make_table(*names, numbers=names[:-1])
    for each in trials:
        table.add_row(*cells(search, each))
    make_console().print(table)
    for each in trials:
        if each.error:
            show(f"\nTrial {each.slot + 1} failed: {each.error}")
    if ties := describe_ties(trials):
        show(f"\n{ties}")
    if command is not None:
        show(f"\nTrain with the best:\n  {command}")
    show(f"\nThe table, the best settings and a picture: {search.to}/trials.md, .csv, best.yaml, tune.png")
