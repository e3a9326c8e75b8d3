"""`lostfound train`: models from recipes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lostfound.cli.common import Remote, complete_recipe, example, require_training, say, show
from lostfound.errors import UsageError

if TYPE_CHECKING:
    from lostfound.data.dataset import Dataset
    from lostfound.training.settings import Recipe

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(
    epilog=example("lostfound train countries --data data/streets --to model --set trainer.epochs=10")
)
def train(
    to: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model to be.")],
    recipe: Annotated[
        str | None, typer.Argument(metavar="RECIPE", hidden=True, autocompletion=complete_recipe)
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Folder of the data set.", show_default=False)
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A variant that the recipe names; several as A+B."),
    ] = None,
    list_: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Use exactly the images of this data list."),
    ] = None,
    remote: Remote = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|MODEL|URL|hub|none",
            help="Weights of the backbone: a file, another model, an address that ends with #sha256=HEX "
            "(fetched once), 'hub' to fetch the library's, or 'none' to start from scratch.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given again."),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Repeat the run that made a model: its recipe, images and weights.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only say what would be learnt from, what is left out, and about what it takes.",
        ),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")] = False,
) -> None:
    """Train a model by a recipe, and measure it.

    RECIPE is the name of one in the package, such as countries, or a YAML file. Ctrl-C stops; the same
    command with --resume goes on after the last finished epoch. MODEL/run holds the logs for TensorBoard
    and as CSV, and all that repeats the run: with --from, and without RECIPE, the same model comes out.
    """
    require_training("training a model")
    from lostfound.predict.model_source import local_weights

    if from_ is None:
        loaded, dataset = _asked_for(recipe, data, set_ or (), variant, list_, remote)
        if weights is None and not resume:
            _warn_of_scratch(loaded)
        weights = None if weights == "none" else local_weights(weights)
    else:
        if recipe or variant or weights or list_:
            raise UsageError("--from takes the run's own recipe, images and weights: leave RECIPE out")
        loaded, dataset, weights = _as_before(from_, data, set_ or ())
    from lostfound.cli.output.models import missed_accuracy, print_evaluation, print_fit, say_left_out

    say("Loading torch")  # which takes seconds: a mistake above shows at once
    if dry_run:
        from lostfound.cli.output.training import print_plan
        from lostfound.training.plan import plan_training
        from lostfound.training.run_folder import RunFolder

        RunFolder(to, loaded, dataset, weights).check(resume=resume, overwrite=overwrite)
        print_plan(loaded, plan_training(loaded, dataset, weights))
        return
    from lostfound.training.train import train_model

    trained = train_model(
        loaded,
        dataset,
        to,
        weights=weights,
        resume="always" if resume else "never",
        overwrite=overwrite,
        after_fit=print_fit,
    )
    print_evaluation(trained.evaluation)
    say_left_out(dataset, str(trained.evaluation.about["split"]), loaded.data)
    if missed := missed_accuracy(trained.model.calibration):
        show(missed)
    show(f"Model: {to}")


def _warn_of_scratch(recipe: Recipe) -> None:
    """Say that a recipe whose source starts from pretrained weights is given none."""
    if recipe.model.pretrained and not recipe.model.backbone.startswith("lostfound:"):
        say(
            f"From scratch: the source of {recipe.name} starts from pretrained weights, without which a "
            "model learns far less from few images. Give --weights, or --weights none if that is meant"
        )


def _asked_for(
    recipe: str | None,
    data: Path | None,
    changes: Sequence[str],
    variant: str | None,
    list_: Path | None,
    remote: str | None,
) -> tuple[Recipe, Dataset]:
    from lostfound.data.dataset import Dataset
    from lostfound.data.sharing.lists import DataList
    from lostfound.data.sharing.remote import fetch_list
    from lostfound.training.recipe import load_recipe

    if recipe is None or data is None:
        raise UsageError("give a RECIPE and its --data, or a model to repeat with --from")
    loaded = load_recipe(recipe, changes, variant=variant)
    return loaded, fetch_list(data, DataList.read(list_), remote) if list_ else Dataset.open(data)


def _as_before(model: Path, data: Path | None, changes: Sequence[str]) -> tuple[Recipe, Dataset, str | None]:
    """What a run was made from; says what is not as it was."""
    from lostfound.training.provenance import Provenance
    from lostfound.training.recipe import load_recipe

    record = Provenance.open(model)
    loaded, dataset = load_recipe(record.recipe, changes), record.dataset(data)
    for difference in record.differences(dataset):
        say(f"Not as it was: {difference}")
    return loaded, dataset, record.weights


@COMMANDS.command(epilog=example("lostfound average model-1 model-2 model-3 --data data/streets --to model"))
def average(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL", hidden=True)],
    data: Annotated[Path, typer.Option(metavar="DATASET", help="Folder of the data set they learnt.")],
    to: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model to be.")],
    answers: Annotated[
        bool,
        typer.Option("--answers", help="Average answers instead of weights: better, and as slow as all."),
    ] = False,
    size: Annotated[
        int | None,
        typer.Option(min=1, metavar="PIXELS", help="Answer at this input size, in pixels of each side."),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="Fit the head again to the training images, without the style of their collections; of one "
            "MODEL, too.",
        ),
    ] = False,
    every_country: Annotated[
        bool,
        typer.Option(
            "--every-country", help="Also name the countries that they did not learn; of one MODEL, too."
        ),
    ] = False,
) -> None:
    """Average several models into one.

    Of their weights: it is often better on photos from elsewhere than any of them, and as quick as one. With
    --answers of their answers: better still, but it takes the time and the space of all; networks that learnt
    from crops often answer as well at the crops' size (--size), which is quicker.

    MODEL are folders of models that rank the same cells; for their weights they must have begun with the same
    pretrained ones. The average answers at the first one's input size; it is calibrated on the validation
    split and measured on the test split.

    With --refit the last layer is fitted once more, to the features of whole training images, less those
    directions in which collections that show the same cells differ most; the model says the mean of both. It
    takes as long as looking at all training images once, and is better on photos of other collections.

    With --every-country it names all countries of the world: one without training images by what the network
    has learnt of the countries around it, one with few of them in part. That is a guess: it is seldom first,
    and told apart where --countries or --prior says that it may be.
    """
    require_training("averaging models")
    from lostfound.cli.output.models import print_evaluation
    from lostfound.data.dataset import Dataset
    from lostfound.training.train import average_models

    averaged = average_models(
        models,
        Dataset.open(data),
        to,
        answers=answers,
        size=size,
        refit=refit,
        every_country=every_country,
    )
    print_evaluation(averaged.evaluation)
    show(f"Model: {to}")
