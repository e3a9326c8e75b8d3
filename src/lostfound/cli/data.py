"""`lostfound import`, `prepare` and `stats`: data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lostfound.cli.common import (
    AsJson,
    DatasetFolder,
    Jobs,
    SplitDistance,
    SplitSeed,
    Test,
    Val,
    example,
    must_be_a_file,
    require_training,
    say,
)
from lostfound.errors import UsageError

if TYPE_CHECKING:
    from lostfound.training.settings import Recipe

COMMANDS = typer.Typer(rich_markup_mode=None)


_LAYOUTS = """\b
Layouts, recognised unless --layout names one:
  table        CSV or Parquet with a path, id or uuid column, and
               latitude/longitude or country, or both
  panoramas    strips of square views, coordinates in the name or metadata.json
  coordinates  files named <lat>,<lon>.jpg
  pairs        an image and a JSON file of the same stem
  folders      one folder per country
  exif         camera files with GPS

"""


@COMMANDS.command(
    "import", epilog=_LAYOUTS + example("lostfound import photos/ by-country/ --to data/streets")
)
def import_(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE", hidden=True)],
    to: Annotated[Path, typer.Option(metavar="DATASET", help="Folder, new or existing.")],
    layout: Annotated[
        str | None, typer.Option(metavar="LAYOUT", help="How the sources keep places; see below.")
    ] = None,
    size: Annotated[int, typer.Option(metavar="PIXELS", help="Shorter side of the stored images.")] = 256,
    val: Val = 0.1,
    test: Test = 0.1,
    split_distance: SplitDistance = 1.0,
    seed: SplitSeed = 0,
    boundaries: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Countries to label coordinates by: GeoJSON or GeoParquet.",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = None,
    json: AsJson = False,
) -> None:
    """Import images with places into a data set.

    SOURCE is a folder of images, or a table that names them; there may be several. A run that was stopped
    goes on with the same command. What was skipped, and why, is listed in DATASET/skipped.csv.
    """
    from lostfound.data.importing import import_sources
    from lostfound.data.splits import SplitSettings
    from lostfound.tables import print_import

    splits = SplitSettings(seed, val, test, split_distance)
    summary = import_sources(
        sources, to, layout=layout, size=size, splits=splits, boundaries=boundaries, jobs=jobs
    )
    print_import(summary, to, as_json=json)


@COMMANDS.command(epilog=example("lostfound prepare data/streets --to data/streets-128 --size 128"))
def prepare(
    dataset: DatasetFolder,
    to: Annotated[Path, typer.Option(metavar="DATASET", help="Folder of the new one.")],
    size: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Shorter side of the images; as it is by default.")
    ] = None,
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Divide the places anew, by the four options below.")
    ] = False,
    val: Val = 0.1,
    test: Test = 0.1,
    split_distance: SplitDistance = 1.0,
    seed: SplitSeed = 0,
    jobs: Jobs = None,
    json: AsJson = False,
) -> None:
    """Make a data set anew: smaller images, or other splits.

    DATASET is a folder that `lostfound import` made; it stays as it is. A run that was stopped goes on with
    the same command.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.data.prepare import prepare_dataset
    from lostfound.data.splits import SplitSettings
    from lostfound.tables import print_stats

    splits = SplitSettings(seed, val, test, split_distance) if resplit else None
    prepared = prepare_dataset(Dataset.open(dataset), to, size=size, splits=splits, jobs=jobs)
    print_stats(prepared, as_json=json)


@COMMANDS.command(epilog=example("lostfound stats data/streets --to streets.png"))
def stats(
    dataset: DatasetFolder,
    to: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw a picture: map and histograms.")
    ] = None,
    augmentation: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Draw what a recipe's augmentation does to the images."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="The recipe of --augmentation.")
    ] = None,
    variant: Annotated[str | None, typer.Option(metavar="NAME", help="The recipe's variant.")] = None,
    json: AsJson = False,
) -> None:
    """Count what a data set holds, and draw it.

    DATASET is a folder that `lostfound import` or `prepare` made.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.tables import print_stats

    if to is not None:
        must_be_a_file(to)
    loaded = None if augmentation is None else _recipe_to_draw(augmentation, recipe, variant)
    opened = Dataset.open(dataset)
    print_stats(opened, as_json=json)
    if to is not None:
        from lostfound.data.records import write_atomic
        from lostfound.data.stats import draw_stats

        write_atomic(to, draw_stats(opened))
        say(f"Picture: {to}")
    if loaded is not None and augmentation is not None:
        from lostfound.data.records import write_atomic
        from lostfound.training.augmentation_picture import draw_augmentation

        write_atomic(augmentation, draw_augmentation(opened, loaded))
        say(f"Picture: {augmentation}")


def _recipe_to_draw(to: Path, recipe: str | None, variant: str | None) -> Recipe:
    must_be_a_file(to)
    if recipe is None:
        raise UsageError("--augmentation shows what a recipe does: name it with --recipe")
    require_training("the augmentation is the training's")
    from lostfound.training.recipe import load_recipe

    return load_recipe(recipe, variant=variant)
