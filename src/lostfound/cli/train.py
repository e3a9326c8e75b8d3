"""`lostfound train`: models from recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import example, require_training

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(
    epilog=example("lostfound train countries --data data/streets --to model --set trainer.epochs=10")
)
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", hidden=True)],
    data: Annotated[Path, typer.Option(metavar="DATASET", help="Folder of the data set.")],
    to: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model to be.")],
    variant: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A variant that the recipe names; several as A+B."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|MODEL|hub",
            help="Weights of the backbone: a file, another model, or 'hub' to fetch the library's.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given again."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")] = False,
) -> None:
    """Train a model by a recipe, and measure it on the test split.

    RECIPE is the name of one in the package, such as countries, or a YAML file. Ctrl-C stops; the same
    command with --resume goes on after the last finished epoch. Logs for TensorBoard and as CSV are in
    MODEL/run.
    """
    require_training("training a model")
    from lostfound.data.dataset import Dataset
    from lostfound.evaluation.card import write_card
    from lostfound.evaluation.evaluate import evaluate
    from lostfound.locate.locator import Locator
    from lostfound.tables import print_evaluation, print_fit
    from lostfound.training.recipe import load_recipe

    loaded = load_recipe(recipe, set_ or (), variant=variant)
    dataset = Dataset.open(data)
    from lostfound.training.fit import fit, test_part  # torch takes seconds: a mistake above shows at once

    result = fit(loaded, dataset, to, weights=weights, resume=resume, overwrite=overwrite)
    print_fit(result)
    measured = evaluate(Locator(result.folder), *test_part(loaded, dataset))
    write_card(result.folder, measured)
    print_evaluation(measured)
    print(f"Model: {to}")
