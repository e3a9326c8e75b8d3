"""`lostfound import`, `prepare` and `stats`: data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lostfound.cli.common import (
    Address,
    AsJson,
    DatasetFolder,
    EngineName,
    Jobs,
    Remote,
    SplitDistance,
    SplitSeed,
    Test,
    Val,
    engine_of,
    example,
    must_be_a_file,
    require_training,
    say,
)
from lostfound.errors import UsageError
from lostfound.files import STANDARD_OUTPUT

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
    benchmark: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="SOURCE is a published benchmark: im2gps, im2gps3k, yfcc4k, yfcc26k, gws15k or osv5m. All "
            "of it is for the test; without its images, its labels are kept to score predictions by.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Stop at country names that can't be told; they are skipped else."),
    ] = False,
    size: Annotated[int, typer.Option(metavar="PIXELS", help="Shorter side of the stored images.")] = 256,
    license_name: Annotated[
        str | None,
        typer.Option("--license", metavar="NAME", help="Licence of these images, such as CC-BY-4.0."),
    ] = None,
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
    engine: EngineName = "local",
    address: Address = None,
    json: AsJson = False,
) -> None:
    """Import images with places into a data set.

    SOURCE is a folder of images, or a table that names them; there may be several. A run that was stopped
    goes on with the same command. What was skipped, and why, is listed in DATASET/skipped.csv.
    """
    from lostfound.cli.output.data import print_import
    from lostfound.data.importers.importing import import_images
    from lostfound.data.splits import SplitSettings

    if benchmark is not None and _labels_alone(benchmark, sources, to):
        return
    splits = SplitSettings(seed, val, test, split_distance)
    with engine_of(engine, address) as where:
        summary = import_images(
            sources,
            to,
            layout=layout,
            benchmark=benchmark,
            strict=strict,
            size=size,
            license=license_name,
            splits=splits,
            boundaries=boundaries,
            jobs=jobs,
            engine=where,
        )
    print_import(summary, to, as_json=json)


def _labels_alone(benchmark: str, sources: list[Path], to: Path) -> bool:
    """Keep the labels of a benchmark whose images are not there; whether that is so."""
    from lostfound.data.importers.benchmarks import benchmark_of, has_images, read_benchmark, write_labels

    if any(map(has_images, sources)):
        return False
    if len(sources) > 1:
        raise UsageError("the labels of a benchmark lie in one folder: give that alone")
    labels = read_benchmark(benchmark_of(benchmark), sources[0])
    for text in labels.notes:
        say(text)
    path = write_labels(labels, to)
    say(f"There are no images below {sources[0]}: the labels of {len(labels)} are kept, and predictions can")
    say(f"be scored by them: lostfound evaluate --predictions FILE --truth {to}")
    say(f"Labels: {path}")
    return True


@COMMANDS.command(
    epilog=example("lostfound prepare data/streets --to data/streets-128 --recipe clean --size 128")
)
def prepare(
    dataset: DatasetFolder,
    to: Annotated[Path, typer.Option(metavar="DATASET", help="Folder of the new one.")],
    recipe: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="What to do: clean, lost-and-found, ..., or a YAML file."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting of the recipe; may be given again."
        ),
    ] = None,
    size: Annotated[
        list[int] | None,
        typer.Option(
            metavar="PIXELS",
            help="Shorter side of the images; as it is by default. Given again, each size makes a data set: "
            "DATASET-128, DATASET-64.",
        ),
    ] = None,
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Divide the places anew, by the four options below.")
    ] = False,
    val: Val = 0.1,
    test: Test = 0.1,
    split_distance: SplitDistance = 1.0,
    seed: SplitSeed = 0,
    list_: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Take exactly the images of this data list."),
    ] = None,
    remote: Remote = None,
    jobs: Jobs = None,
    engine: EngineName = "local",
    address: Address = None,
    json: AsJson = False,
) -> None:
    """Make a data set anew: filtered, balanced, divided.

    DATASET is a folder that `lostfound import` made; it stays as it is. Without a recipe all images stay.
    What was left out, and why, is listed in dropped.csv of the new one. A run that was stopped goes on with
    the same command.
    """
    from lostfound.cli.output.data import print_preparation
    from lostfound.data.dataset import Dataset
    from lostfound.data.preparing.prepare import prepare as prepare_anew
    from lostfound.data.preparing.recipe import load_prepare_recipe
    from lostfound.data.sharing.lists import DataList
    from lostfound.data.sharing.remote import fetch_list

    changes = [*(set_ or ()), *([f"sizes={size}"] if size else ())]
    if resplit:
        changes.append(
            f"split={{seed: {seed}, val: {val}, test: {test}, distance_km: {split_distance}, by: place}}"
        )
    chosen = load_prepare_recipe(recipe, changes)
    opened = fetch_list(dataset, DataList.read(list_), remote, jobs=jobs) if list_ else Dataset.open(dataset)
    with engine_of(engine, address) as where:
        preparation = prepare_anew(opened, to, chosen, jobs=jobs, engine=where)
    print_preparation(preparation, as_json=json)


@COMMANDS.command(epilog=example("lostfound stats data/streets --to streets.png --leaks"))
def stats(
    dataset: DatasetFolder,
    to: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw a picture: map and histograms.")
    ] = None,
    quality: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG",
            help="Draw how dark and how blurred the images are, with those next to the thresholds.",
        ),
    ] = None,
    augmentation: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Draw what a training's random changes do to the images."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="Of `prepare` for --quality, 'clean' by default; of `train` for --augmentation.",
        ),
    ] = None,
    variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="For --augmentation: the recipe's variant.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting of the recipe; may be given again."
        ),
    ] = None,
    leaks: Annotated[
        bool, typer.Option("--leaks", help="Show what the splits share: places, copies, distances.")
    ] = False,
    jobs: Jobs = None,
    json: AsJson = False,
) -> None:
    """Count what a data set holds, draw it, check its splits.

    DATASET is a folder that `lostfound import` or `prepare` made.
    """
    from lostfound.cli.output.data import print_stats
    from lostfound.data.dataset import Dataset
    from lostfound.data.preparing.recipe import load_prepare_recipe

    for path in filter(None, (to, quality, augmentation)):
        must_be_a_file(path)
    if quality is not None and augmentation is not None:
        raise UsageError("--quality and --augmentation take different recipes: draw them one by one")
    changes = None if augmentation is None else _training_recipe(recipe, variant, set_)
    thresholds = None if quality is None else load_prepare_recipe(recipe or "clean", set_ or ()).quality
    opened = Dataset.open(dataset)
    found = None
    if leaks:
        from lostfound.data.preparing.leaks import find_leaks

        found = find_leaks(opened.records, distance_km=opened.info["splits"]["distance_km"])
    if STANDARD_OUTPUT not in (to, quality, augmentation):
        print_stats(opened, leaks=found, as_json=json)
    if to is not None:
        from lostfound.data.stats_plot import draw_stats

        _save(to, draw_stats(opened))
    if quality is not None and thresholds is not None:
        from lostfound.data.preparing.quality import measure_quality
        from lostfound.data.preparing.quality_plot import draw_quality

        measured = measure_quality(opened, size=thresholds.size, jobs=jobs)
        _save(quality, draw_quality(opened, measured, thresholds.thresholds()))
    if augmentation is not None and changes is not None:
        from lostfound.training.augmentation_plot import draw_augmentation

        _save(augmentation, draw_augmentation(opened, changes))


def _save(path: Path, picture: bytes) -> None:
    from lostfound.files import write_output

    write_output(path, picture)
    say(f"Picture: {path}")


def _training_recipe(recipe: str | None, variant: str | None, changes: list[str] | None) -> Recipe:
    if recipe is None:
        raise UsageError("--augmentation shows what a recipe does: name it with --recipe")
    require_training("the random changes are the training's")
    from lostfound.training.recipe import load_recipe

    return load_recipe(recipe, changes or (), variant=variant)
