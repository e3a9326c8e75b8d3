"""`lostfound compare` and `tune`: questions that take several trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import AsJson, example, fail, require_training

COMMANDS = typer.Typer(rich_markup_mode=None)

Data = Annotated[Path | None, typer.Option(metavar="DATASET", help="For what names no data set of its own.")]


@COMMANDS.command(epilog=example("lostfound compare study.yaml --data data/streets --to study"))
def compare(
    study: Annotated[str, typer.Argument(metavar="STUDY", hidden=True)],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the models, their reports and the table.")],
    data: Data = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE|hub", help="Start of what doesn't say its own; 'hub' fetches it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs and what is done.")] = False,
    json: AsJson = False,
) -> None:
    """Train variants of a recipe over several seeds and compare them.

    STUDY is a YAML file, or the name of a study in the package, such as lost-and-found. Each variant is
    trained with each seed and judged on the test split; then one table has the means with intervals, and
    each difference from the baseline with its interval and p-value. Ctrl-C stops; the same command goes on
    with what is missing, and after a change of the study trains only what changed.
    """
    require_training("a study trains models")
    from lostfound.studies.runs import plan
    from lostfound.studies.study import load_study
    from lostfound.study_tables import print_outcome, print_plan
    from lostfound.tables import print_json

    loaded = load_study(study)
    runs = plan(loaded, to, data=data, weights=weights)
    if dry_run:
        print_plan(runs)
        return
    from lostfound.studies.compare import run_study
    from lostfound.studies.report import as_dict

    outcome = run_study(loaded, runs, to)
    if json:
        print_json(as_dict(outcome))
    else:
        print_outcome(outcome, to)
    if outcome.failed:
        fail(f"{len(outcome.failed)} of {len(runs)} runs failed; the same command tries them again")
