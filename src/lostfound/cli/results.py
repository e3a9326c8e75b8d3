"""`lostfound locate --to` and `lostfound export`: results folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lostfound.cli.common import complain, example, fail, say
from lostfound.cli.output.located import (
    Format,
    FormatOption,
    OutputOption,
    RawOption,
    format_of,
    write_located,
)
from lostfound.texts import shown_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lostfound.parallel.cluster import RayEngine
    from lostfound.predict.locator import Locator
    from lostfound.predict.sources import Selection

COMMANDS = typer.Typer(rich_markup_mode=None)
_SHOWN = 10


@COMMANDS.command(epilog=example("lostfound export results --output places.kml"))
def export(
    folder: Annotated[Path, typer.Argument(metavar="RESULTS", hidden=True)],
    output: OutputOption = None,
    format: FormatOption = None,  # noqa: A002
    raw: RawOption = False,
) -> None:
    """Write the answers of a results folder as another file.

    RESULTS is a folder that `lostfound locate --to` wrote.
    """
    form = format_of(format, output)
    from lostfound.predict.results import Results

    results = Results.open(folder)
    write_located(list(results), form, output, raw=raw, model=results.about["model"])


def locate_to(
    photos: Sequence[Path],
    to: Path,
    locator: Locator,
    *,
    top: int,
    selection: Selection,
    form: Format | None,
    output: Path | None,
    raw: bool,
    engine: RayEngine | None = None,
) -> None:
    """Locate photos into a results folder, and say what came of it."""
    from lostfound.predict.locating import UNREADABLE, locate_into

    run = locate_into(photos, to, locator, top=top, selection=selection, engine=engine)
    say(
        f"Located: {run.asked} photos; {run.known} were known"
        + (f", {run.copied} are the same pictures under other names" if run.copied else "")
        + f"; {len(run.results)} in {to}"
    )
    if form is not None:
        write_located(list(run.results), form, output, raw=raw, model=run.results.about["model"])
    for name, reason in run.unreadable[:_SHOWN]:
        complain(f"{shown_name(name)}: {reason}")
    if run.unreadable:
        fail(f"{len(run.unreadable)} photos could not be read: {to / UNREADABLE} lists them")
