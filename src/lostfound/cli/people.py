"""`lostfound compare-people`: people against models, on the same pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lostfound.cli.common import AsJson, example, say, show

if TYPE_CHECKING:
    from lostfound.play.comparing import PeopleComparison

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(
    "compare-people",
    epilog=example("lostfound compare-people lostfound-play data/streets --model models/mine --to people"),
)
def compare_people(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", hidden=True)],
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", hidden=True)],
    models: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="NAME=PATH",
            help="Compare with this model: a folder, or starter; may be given several times.",
            show_default=False,
        ),
    ] = [],  # noqa: B006  # Typer reads it
    cut_off: Annotated[
        float, typer.Option(metavar="S", help="Longer times are left out of means.", min=1)
    ] = 120.0,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For people.html, a page that opens offline, and people.json."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Compare people with models on the same pictures.

    RESULTS is the folder in which `lostfound play` kept its records; DATASET is what was played with. Says
    who is better, with paired intervals by place and by player, how alike players answer, how they learn,
    time against score, what people know and models don't, and which clues went with success.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.files import write_json
    from lostfound.play.answered import read_answered
    from lostfound.play.comparing import compare_people as compare
    from lostfound.play.comparing_page import NUMBERS, PAGE, write
    from lostfound.play.opponents import open_opponent

    opponents = [open_opponent(each) for each in models]
    compared = compare(read_answered(results, Dataset.open(dataset), opponents), cut_off)
    _print(compared, as_json=json)
    if to is not None:
        write_json(to / NUMBERS, compared.as_dict())
        say(f"Comparison: {write(compared, to / PAGE)}")


def _print(compared: PeopleComparison, *, as_json: bool) -> None:
    from lostfound.cli.output.tables import make_console, make_table, print_json
    from lostfound.play.comparing_page import tables

    if as_json:
        print_json(compared.as_dict())
        return
    for told in tables(compared):
        show(f"{told.caption}\n")
        heads = [head.lstrip("#") for head in told.heads]
        made = make_table(*heads, numbers=[head[1:] for head in told.heads if head.startswith("#")])
        for row in told.rows:
            made.add_row(*row)
        make_console().print(made)
        for note in told.notes:
            show(note)
        show()
