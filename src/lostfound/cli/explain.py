"""`lostfound explain`: why a model answers as it does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import example, say, say_starter
from lostfound.errors import UsageError

COMMANDS = typer.Typer(rich_markup_mode=None)


class Method(StrEnum):
    """How `lostfound explain` finds out."""

    auto = "auto"
    cam = "cam"
    occlusion = "occlusion"


@COMMANDS.command(epilog=example("lostfound explain photo.jpg --like data/mine --to why"))
def explain(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", hidden=True)],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the pictures, the page and the numbers.")],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Folder of a model, or hf://OWNER/NAME@REVISION; by default the starter in the package.",
        ),
    ] = None,
    country: Annotated[
        str | None,
        typer.Option(metavar="XX", help="A country to look at as well, by code or name: why it, or why not?"),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            metavar="METHOD",
            help="cam: class activation, exact, of models that have it; occlusion: what the answer loses "
            "while a part is hidden, of any; auto: all that the model has.",
        ),
    ] = Method.auto,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Show this data set's photos that look most alike to the model, with their places.",
        ),
    ] = None,
) -> None:
    """Show which parts of a photo speak for the answer.

    Writes a heat map for each, explanation.html to open in the browser, and explanation.json. The first time
    that a data set is given, all of its photos are looked at; later calls remember.
    """
    if to.exists() and not to.is_dir():
        raise UsageError(f"{to} is a file: give a folder for the pictures")
    from lostfound.cli.output.explanation import print_explanation
    from lostfound.data.dataset import Dataset
    from lostfound.pages.explanation import PAGE, write_explanation
    from lostfound.predict.locator import Locator
    from lostfound.predict.model_folder import STARTER

    if model is None:
        say_starter()
    dataset = None if like is None else Dataset.open(like)
    explanation = Locator.load(model or STARTER).explain(photo, country, method.value, like=dataset)
    note = "Model: the starter." if model is None else f"Model: {model.name}."
    write_explanation(to, explanation, name=photo.name, note=note)
    print_explanation(explanation)
    say(f"Written: {to}; open {to / PAGE}")
