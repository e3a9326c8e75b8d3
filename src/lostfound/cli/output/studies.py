"""What `lostfound compare` and `tune` print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lostfound.cli.common import show
from lostfound.cli.output.tables import make_console, make_table

if TYPE_CHECKING:
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
    table = make_table("entry", "seed", "data", "state", numbers=["seed"])
    states = [run.state() for run in runs]
    for run, state in zip(runs, states, strict=True):
        says = _SAYS[state] if run.trains or state == "done" else "to be judged"
        table.add_row(run.entry, str(run.seed), run.data.name, says)
    make_console().print(table)
    show(f"\n{states.count('done')} of {len(runs)} runs are done.")


def print_outcome(outcome: StudyResults, to: Path) -> None:
    """Print a study's table, and what failed."""
    from lostfound.studies.report import NOTE, cells

    rows = [cells(row) for row in outcome.rows]
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
    show(f"\n{NOTE}")
    for (entry, seed), message in outcome.failed.items():
        show(f"\nFailed: {entry}, seed {seed}: {message}")
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
