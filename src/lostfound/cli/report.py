"""`lostfound report`: several models, or models and people, on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import AsJson, example, say

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(epilog=example("lostfound report report-a report-b --to comparison"))
def report(
    reports: Annotated[list[Path], typer.Argument(metavar="REPORT", hidden=True)],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="TRUTH",
            help="Says where the images are that files of predictions answer: a data set, or a table.",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="For comparison.html, a page that opens offline.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare several reports on the same images.

    REPORT is a folder that `lostfound evaluate --to` wrote, or with --data a file of predictions (Parquet
    or CSV), whoever made them. The others are compared with the first: on the images that all of them
    answered, with paired intervals.
    """
    from lostfound.cli.output.models import print_comparison
    from lostfound.evaluation.answer_files import open_truth
    from lostfound.evaluation.report.versus import compare_answers
    from lostfound.evaluation.report.versus_page import COMPARISON, write_comparison

    comparison = compare_answers(reports, None if data is None else open_truth(data))
    print_comparison(comparison, as_json=json)
    if to is not None:
        say(f"Comparison: {write_comparison(comparison, to / COMPARISON)}")
