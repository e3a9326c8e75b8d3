"""`lostfound calibrate`: make a finished model's answers mean what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import AsJson, DatasetFolder, example

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(
    epilog=example(
        "lostfound calibrate model data/streets --accuracy 0.7",
        "lostfound calibrate model data/streets --elsewhere data/travel",
        "lostfound calibrate larger data/all --like model",
        "lostfound calibrate model data/streets --placeless pictures/rooms-and-food",
    )
)
def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", hidden=True)],
    dataset: DatasetFolder,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="val by default; or all, for photos it never saw.")
    ] = "val",
    accuracy: Annotated[
        float,
        typer.Option(metavar="SHARE", help="How often what it answers is to be right; else it abstains."),
    ] = 0.5,
    elsewhere: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Photos of other origins that it never saw: it becomes less sure of what is strange to it.",
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Instead: as sure, and for the same accuracy, as this twin that was calibrated with them.",
        ),
    ] = None,
    placeless: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PICTURES",
            help="Rooms, food, faces, documents: it learns to tell such, and doesn't answer.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Fit a model's probabilities, radii and doubts.

    MODEL and DATASET are their folders. The split must hold places that the model never learnt from; the
    training split, if there is one, says where in the cells photos are and what they look like. Nothing of
    the network changes. Training ends with it; it is for models of former versions, and for photos of
    another kind than a model was trained on. Photos from elsewhere make it honest there too: what is
    unlike its training photos is then answered with less confidence, or not at all. It knows rooms and
    food from streets only once it was shown some: thirty pictures of no place or more, in folders or files,
    best a few hundred of many kinds.
    """
    from lostfound.cli.output.models import print_calibration
    from lostfound.data.dataset import Dataset
    from lostfound.predict.calibrate import calibrate as fit
    from lostfound.predict.photos import find_photos

    found = fit(
        model,
        Dataset.open(dataset),
        split=split,
        accuracy=accuracy,
        elsewhere=None if elsewhere is None else Dataset.open(elsewhere),
        like=like,
        placeless=find_photos(placeless) if placeless else None,
    )
    print_calibration(found, as_json=json)
