"""`lostfound gallery build`: the places that a model of embeddings answers with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import example, say
from lostfound.errors import UsageError

gallery = typer.Typer(
    help="Make the places that a model answers with.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("lostfound gallery build -h"),
)


@gallery.command(
    epilog=example(
        "lostfound gallery build data/estate --model models/geoclip --to models/estate",
        "lostfound gallery build hotels.csv --model models/geoclip --to models/hotels",
    )
)
def build(
    places: Annotated[Path, typer.Argument(metavar="DATASET|PLACES", hidden=True)],
    model: Annotated[
        Path,
        typer.Option(
            metavar="MODEL", help="Folder of a model that answers by a gallery, or hf://OWNER/NAME@REVISION."
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the new model.")],
    split: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT",
            help="Of a data set: train by default, so that the others measure it; or all.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE=NAME,...",
            help="Of a list: columns that are not known by their name: latitude, longitude, id, country.",
        ),
    ] = None,
) -> None:
    """Make a model answer with places of your own, such as of one city.

    DATASET is a folder that `lostfound import` made: a photo is compared with those that were taken at each
    place. PLACES is a table (CSV or Parquet) with latitude and longitude, and needs no photos: models with a
    place tower, as GeoCLIP, know what places look like. Nothing of the network changes.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.data.labels import parse_names
    from lostfound.predict.own_gallery import build_gallery, build_listed_gallery

    if places.is_file():
        if split is not None:
            raise UsageError(f"{places} is a list, which has no splits: leave --split out")
        made = build_listed_gallery(model, places, to, columns=parse_names(columns))
        about = made.config["own_gallery"]
        say(f"Model: {made.path} answers with {about['places']} places, of {about['rows']} rows")
        say(f"How good it is: lostfound evaluate {made.path} DATASET --split all")
        return
    if columns is not None:
        raise UsageError("--columns is for a list: leave it out")
    images = Dataset.open(places)
    made = build_gallery(model, images if split == "all" else images.split(split or "train"), to)
    about = made.config["own_gallery"]
    say(f"Model: {made.path} answers with {about['places']} places, by {about['images']} photos")
    say(f"How good it is: lostfound evaluate {made.path} {places}")
