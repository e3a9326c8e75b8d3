"""The command line: one thin function per command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lostfound.errors import LostFoundError, UsageError
from lostfound.partition_cli import partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lostfound.locate.outputs import Located

app = typer.Typer(
    name="lostfound",
    help="Tells where a photo was taken from its pixels alone, and trains the models that do it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(partition, name="partition")

DatasetFolder = Annotated[Path, typer.Argument(help="Folder of a data set.", show_default=False)]
Jobs = Annotated[int | None, typer.Option(help="Processes; all cores by default.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Val = Annotated[float, typer.Option(help="Share of the places for validation.")]
Test = Annotated[float, typer.Option(help="Share of the places for the test.")]
SplitDistance = Annotated[float, typer.Option(help="Places closer than this many km share a split.")]
SplitSeed = Annotated[int, typer.Option(help="Another seed divides the places otherwise.")]


class Layout(StrEnum):
    """The layouts of `lostfound import`."""

    table = "table"
    panoramas = "panoramas"
    coordinates = "coordinates"
    pairs = "pairs"
    folders = "folders"
    exif = "exif"


class Format(StrEnum):
    """The outputs of `lostfound locate`."""

    table = "table"
    json = "json"
    csv = "csv"
    geojson = "geojson"
    map = "map"


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Options of all commands."""
    del debug  # read by main()
    if version:
        import lostfound

        print(f"lostfound {lostfound.__version__}")
        raise typer.Exit


@app.command()
def demo(
    to: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("lostfound-demo"),
    places: Annotated[int, typer.Option(help="Places of the generated world.", min=50)] = 960,
    epochs: Annotated[int | None, typer.Option(help="Epochs of the training.", min=1)] = None,
) -> None:
    """Show the whole way on a generated world, offline, in a few minutes.

    Generates street scenes, imports and prepares them, trains a country classifier, evaluates it on
    places it never saw, and locates new photos.

    Example:
        lostfound demo
    """
    _require_extra("torch", "train")
    from lostfound.demo import run_demo

    run_demo(to, places=places, epochs=epochs)


@app.command("import")
def import_(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders of images, or tables that name them.", show_default=False)
    ],
    to: Annotated[Path, typer.Option(help="Folder of the data set, new or existing.", show_default=False)],
    layout: Annotated[Layout | None, typer.Option(help="How the sources keep places.")] = None,
    size: Annotated[int, typer.Option(help="Shorter side of the stored images, in pixels.")] = 256,
    val: Val = 0.1,
    test: Test = 0.1,
    split_distance: SplitDistance = 1.0,
    seed: SplitSeed = 0,
    jobs: Jobs = None,
    json: AsJson = False,
) -> None:
    """Import images with places into a data set.

    Layouts, recognised unless given:

    * **table**: CSV or Parquet with a path, id or uuid column and latitude/longitude and/or country
    * **panoramas**: strips of square views, coordinates in the name or in metadata.json
    * **coordinates**: files named `<lat>,<lon>.jpg`
    * **pairs**: an image and a JSON file of the same stem
    * **folders**: one folder per country
    * **exif**: camera files with GPS

    A run that was stopped goes on with the same command. What was skipped, and why, is in
    DATASET/skipped.csv.

    Example:
        lostfound import photos/ street-countries/ --to data/streets
    """
    from lostfound.data.importing import import_sources
    from lostfound.data.splits import SplitSettings

    splits = SplitSettings(seed, val, test, split_distance)
    summary = import_sources(
        sources, to, layout=layout.value if layout else None, size=size, splits=splits, jobs=jobs
    )
    from lostfound.tables import print_import

    print_import(summary, to, as_json=json)


@app.command()
def prepare(
    dataset: DatasetFolder,
    to: Annotated[Path, typer.Option(help="Folder of the new data set.", show_default=False)],
    size: Annotated[int | None, typer.Option(help="Shorter side in pixels; as it is by default.")] = None,
    resplit: Annotated[bool, typer.Option("--resplit", help="Divide the places anew, as below.")] = False,
    val: Val = 0.1,
    test: Test = 0.1,
    split_distance: SplitDistance = 1.0,
    seed: SplitSeed = 0,
    jobs: Jobs = None,
) -> None:
    """Make a new data set from another: smaller images, or other splits.

    Example:
        lostfound prepare data/streets --to data/streets-128 --size 128
    """
    from lostfound.data.dataset import Dataset
    from lostfound.data.prepare import prepare_dataset
    from lostfound.data.splits import SplitSettings
    from lostfound.tables import print_stats

    splits = SplitSettings(seed, val, test, split_distance) if resplit else None
    print_stats(prepare_dataset(Dataset.open(dataset), to, size=size, splits=splits, jobs=jobs))


@app.command()
def stats(
    dataset: DatasetFolder,
    to: Annotated[Path | None, typer.Option(help="Write a picture (PNG): map and histograms.")] = None,
    json: AsJson = False,
) -> None:
    """Count what a data set holds, and draw it.

    Example:
        lostfound stats data/streets --to streets.png
    """
    from lostfound.data.dataset import Dataset
    from lostfound.tables import print_stats

    opened = Dataset.open(dataset)
    print_stats(opened, as_json=json)
    if to is not None:
        from lostfound.data.records import write_atomic
        from lostfound.data.stats import draw_stats

        write_atomic(to, draw_stats(opened))
        _say(f"Picture: {to}")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a YAML file.", show_default=False)],
    data: Annotated[Path, typer.Option(help="Folder of the data set.", show_default=False)],
    to: Annotated[Path, typer.Option(help="Folder of the model to be.", show_default=False)],
    weights: Annotated[
        str | None,
        typer.Option(help="Safetensors file for the backbone, or `hub` to fetch timm's.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: key=value.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in the folder.")] = False,
) -> None:
    """Train a model by a recipe, and measure it on the test split.

    Ctrl-C stops; the same command with --resume goes on after the last finished epoch. Logs for TensorBoard
    and as CSV are in MODEL/run.

    Example:
        lostfound train countries --data data/streets --to models/countries --set trainer.epochs=10
    """
    _require_extra("torch", "train")
    from lostfound.data.dataset import Dataset
    from lostfound.evaluation.card import write_card
    from lostfound.evaluation.evaluate import evaluate
    from lostfound.locate.locator import Locator
    from lostfound.tables import print_evaluation, print_fit
    from lostfound.training.recipe import load_recipe

    loaded = load_recipe(recipe, set_ or ())
    dataset = Dataset.open(data)
    from lostfound.training.fit import fit

    result = fit(loaded, dataset, to, weights=weights, resume=resume, overwrite=overwrite)
    print_fit(result)
    split = "test" if len(dataset.split("test")) else "val"
    measured = evaluate(Locator(result.folder), dataset, split)
    write_card(result.folder, measured)
    print_evaluation(measured)
    print(f"Model: {to}")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="Folder of a model.", show_default=False)],
    dataset: DatasetFolder,
    split: Annotated[str, typer.Option(help="train, val, test, or all for data it never saw.")] = "test",
    to: Annotated[Path | None, typer.Option(help="Folder for the numbers, predictions and pictures.")] = None,
    json: AsJson = False,
) -> None:
    """Measure a model on held-back places, with intervals.

    Writes metrics.json, predictions.parquet and confusion.png.

    Example:
        lostfound evaluate models/countries data/streets --to report
    """
    from lostfound.data.dataset import Dataset
    from lostfound.evaluation.evaluate import evaluate as measure
    from lostfound.locate.locator import Locator
    from lostfound.tables import print_evaluation

    measured = measure(Locator.load(model), Dataset.open(dataset), split)
    print_evaluation(measured, as_json=json)
    if to is not None:
        _say(f"Report: {measured.save(to)}")


@app.command()
def locate(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of them.", show_default=False)],
    model: Annotated[Path, typer.Option(help="Folder of a model.", show_default=False)],
    top: Annotated[int, typer.Option(help="How many candidates.", min=1)] = 5,
    format: Annotated[Format, typer.Option(help="How to give the answers.")] = Format.table,  # noqa: A002
    output: Annotated[Path | None, typer.Option(help="Write to a file instead of the screen.")] = None,
) -> None:
    """Say where photos were taken.

    Photos that can't be read are reported and the rest go on; the exit code is then 1.

    Example:
        lostfound locate holiday/ --model models/countries --format map --output holiday.html
    """
    from lostfound.locate.photos import locate_photos

    if format is Format.map and output is None:
        raise UsageError("a map is a page to be opened: give its file with --output map.html")
    results = locate_photos(photos, model, top=top)
    _write_located(results, format, output)
    failed = sum(each.guess is None for each in results)
    if failed:
        _fail(f"{failed} of {len(results)} photos could not be read")


def _write_located(results: Sequence[Located], form: Format, output: Path | None) -> None:
    from lostfound.data.records import write_atomic
    from lostfound.locate import outputs

    if form is Format.map:
        assert output is not None
        outputs.write_page(results, output)
    elif form is Format.table and output is None:
        from lostfound.tables import print_located

        print_located(results)
        return
    else:
        writers: dict[Format, Any] = {
            Format.json: outputs.to_json,
            Format.csv: outputs.to_csv,
            Format.table: outputs.to_csv,
            Format.geojson: outputs.to_geojson,
        }
        text = writers[form](results)
        if output is None:
            sys.stdout.write(text)
            return
        write_atomic(output, text.encode())
    _say(f"Written: {output}")


def _require_extra(module: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        from lostfound.errors import MissingExtraError

        raise MissingExtraError(f"this needs the extra {extra!r}: pip install 'lostfound[{extra}]'")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _fail(message: str, code: int = 1) -> NoReturn:
    print(f"lostfound: {message}", file=sys.stderr)
    raise SystemExit(code)


def main() -> None:
    """Run a command: exit code 0 done, 1 failed, 2 wrong usage."""
    arguments = sys.argv[1:]
    try:
        app(arguments)
    except LostFoundError as error:
        if "--debug" in arguments:
            raise
        _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        _fail(
            "stopped; what was finished is kept: import and prepare go on with the same command, "
            "train with --resume"
        )
    except OSError as error:
        if "--debug" in arguments:
            raise
        _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
