"""`lostfound gallery build`: the places that a model of embeddings answers with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import DatasetFolder, example, say

gallery = typer.Typer(
    help="Make the places that a model answers with.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("lostfound gallery build -h"),
)


@gallery.command(
    epilog=example("lostfound gallery build data/estate --model models/geoclip --to models/estate")
)
def build(
    dataset: DatasetFolder,
    model: Annotated[
        Path,
        typer.Option(
            metavar="MODEL", help="Folder of a model that answers by a gallery, or hf://OWNER/NAME@REVISION."
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the new model.")],
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="train by default, so that the others measure it; or all.")
    ] = "train",
) -> None:
    """Make a model answer with the places of your own photos, such as of one city.

    DATASET is a folder that `lostfound import` made. Each of its places becomes one that the model can answer
    with, by how alike a photo looks to those taken there. Nothing of the network changes.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.predict.own_gallery import build_gallery

    images = Dataset.open(dataset)
    made = build_gallery(model, images if split == "all" else images.split(split), to)
    about = made.config["own_gallery"]
    say(f"Model: {made.path} answers with {about['places']} places, by {about['images']} photos")
    say(f"How good it is: lostfound evaluate {made.path} {dataset}")
