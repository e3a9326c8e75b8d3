"""The command line: one thin function per command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from lostfound.errors import LostFoundError, UsageError
from lostfound.partition_cli import example, partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lostfound.locate.outputs import Located

_SAME_COMMAND = "what was finished is kept, and the same command goes on"
_AFTER_CTRL_C = {
    "demo": _SAME_COMMAND,
    "import": _SAME_COMMAND,
    "prepare": _SAME_COMMAND,
    "train": "the same command with --resume goes on after the last finished epoch",
}


class _Commands(TyperGroup):
    """The commands; Ctrl-C ends each with a word on how to go on."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            after = _AFTER_CTRL_C.get(ctx.invoked_subcommand or "", "nothing was written")
            raise LostFoundError(f"stopped; {after}") from None


app = typer.Typer(
    name="lostfound",
    cls=_Commands,
    help="Tells where a photo was taken from its pixels alone, and trains the models that do it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("lostfound demo"),
)
app.add_typer(partition, name="partition")

# Arguments are hidden from the list of options: the usage line shows them, the text explains them.
DatasetFolder = Annotated[Path, typer.Argument(metavar="DATASET", hidden=True)]
Jobs = Annotated[int | None, typer.Option(metavar="N", help="Processes; all cores by default.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Val = Annotated[float, typer.Option(metavar="SHARE", help="Share of the places for validation.")]
Test = Annotated[float, typer.Option(metavar="SHARE", help="Share of the places for the test.")]
SplitDistance = Annotated[float, typer.Option(metavar="KM", help="Places closer than this share a split.")]
SplitSeed = Annotated[int, typer.Option(metavar="N", help="Another seed divides the places otherwise.")]


class Format(StrEnum):
    """The outputs of `lostfound locate`."""

    table = "table"
    json = "json"
    csv = "csv"
    geojson = "geojson"
    map = "map"


_SUFFIXES = {".json": Format.json, ".csv": Format.csv, ".geojson": Format.geojson, ".html": Format.map}


def _print_version(wanted: bool) -> None:
    if wanted:
        import lostfound

        print(f"lostfound {lostfound.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of all commands; main() and a callback act on them."""


@app.command(epilog=example("lostfound demo"))
def demo(
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For everything the demo makes.")] = Path(
        "lostfound-demo"
    ),
    places: Annotated[int, typer.Option(metavar="N", help="Places of the generated world.", min=50)] = 960,
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Epochs of the training; as many as its recipe says by default.", min=1
        ),
    ] = None,
) -> None:
    """Show the whole way on a generated world, offline.

    Draws street scenes, imports and prepares them, trains a country classifier, evaluates it on places it
    never saw, and locates new photos: under five minutes on two cores. A demo that was stopped goes on
    with the same command.
    """
    _require_training("the demo trains a model")
    from lostfound.demo import run_demo

    run_demo(to, places=places, epochs=epochs)


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


@app.command("import", epilog=_LAYOUTS + example("lostfound import photos/ by-country/ --to data/streets"))
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


@app.command(epilog=example("lostfound prepare data/streets --to data/streets-128 --size 128"))
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


@app.command(epilog=example("lostfound stats data/streets --to streets.png"))
def stats(
    dataset: DatasetFolder,
    to: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw a picture: map and histograms.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Count what a data set holds, and draw it.

    DATASET is a folder that `lostfound import` or `prepare` made.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.tables import print_stats

    if to is not None:
        _must_be_a_file(to)
    opened = Dataset.open(dataset)
    print_stats(opened, as_json=json)
    if to is not None:
        from lostfound.data.records import write_atomic
        from lostfound.data.stats import draw_stats

        write_atomic(to, draw_stats(opened))
        _say(f"Picture: {to}")


@app.command(
    epilog=example("lostfound train countries --data data/streets --to model --set trainer.epochs=10")
)
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", hidden=True)],
    data: Annotated[Path, typer.Option(metavar="DATASET", help="Folder of the data set.")],
    to: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model to be.")],
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE|hub", help="Safetensors of the backbone; 'hub' fetches timm's."),
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
    _require_training("training a model")
    from lostfound.data.dataset import Dataset
    from lostfound.evaluation.card import write_card
    from lostfound.evaluation.evaluate import evaluate
    from lostfound.locate.locator import Locator
    from lostfound.tables import print_evaluation, print_fit
    from lostfound.training.recipe import load_recipe

    loaded = load_recipe(recipe, set_ or ())
    dataset = Dataset.open(data)
    from lostfound.training.fit import fit  # torch takes seconds: a mistake above shows at once

    result = fit(loaded, dataset, to, weights=weights, resume=resume, overwrite=overwrite)
    print_fit(result)
    split = "test" if len(dataset.split("test")) else "val"
    measured = evaluate(Locator(result.folder), dataset, split)
    write_card(result.folder, measured)
    print_evaluation(measured)
    print(f"Model: {to}")


@app.command(epilog=example("lostfound evaluate model data/streets --to report"))
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", hidden=True)],
    dataset: DatasetFolder,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="train, val or test; or all, for data it never saw.")
    ] = "test",
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="For the numbers, predictions and a picture.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Measure a model on held-back places, with intervals.

    MODEL and DATASET are their folders. With --to, also writes metrics.json, predictions.parquet and
    confusion.png.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.evaluation.evaluate import evaluate as measure
    from lostfound.locate.locator import Locator
    from lostfound.tables import print_evaluation

    measured = measure(Locator.load(model), Dataset.open(dataset), split)
    print_evaluation(measured, as_json=json)
    if to is not None:
        _say(f"Report: {measured.save(to)}")


@app.command(epilog=example("lostfound locate holiday/ --model model --output holiday.html"))
def locate(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", hidden=True)],
    model: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of a model.")],
    top: Annotated[int, typer.Option(metavar="N", help="How many candidates.", min=1)] = 5,
    format: Annotated[  # noqa: A002
        Format | None,
        typer.Option(
            metavar="FORMAT",
            help="table, json, csv, geojson or map; by default what the output's name says, or a table.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a file instead of the screen.")
    ] = None,
) -> None:
    """Say where photos were taken.

    PHOTO is a file, or a folder that is searched through; there may be several. Photos that can't be read
    are reported and the rest go on; the exit code is then 1.
    """
    form = _format(format, output)
    from lostfound.locate.photos import locate_photos

    results = locate_photos(photos, model, top=top)
    _write_located(results, form, output)
    failed = [each for each in results if each.guess is None]
    if failed and (form is not Format.table or output is not None):
        for each in failed:
            _say(f"{each.photo}: {each.error}")
    if failed:
        _fail(f"{len(failed)} of {len(results)} photos could not be read")


def _format(form: Format | None, output: Path | None) -> Format:
    """The format asked for, by name or by the output's suffix."""
    if output is not None:
        _must_be_a_file(output)
    if form is None:
        form = Format.table if output is None else _SUFFIXES.get(output.suffix.lower())
        if form is None:
            raise UsageError(
                f"{output} does not say its format: add --format {'|'.join(Format)}, or end the name "
                f"in {', '.join(_SUFFIXES)}"
            )
    if form is Format.map and output is None:
        raise UsageError("a map is a page to be opened: give its file with --output map.html")
    return form


def _write_located(results: Sequence[Located], form: Format, output: Path | None) -> None:
    from lostfound.data.records import write_atomic
    from lostfound.locate import outputs
    from lostfound.tables import located_text, print_located

    if form is Format.map:
        assert output is not None
        outputs.write_page(results, output)
    elif form is Format.table and output is None:
        print_located(results)
    else:
        writers = {
            Format.json: outputs.to_json,
            Format.csv: outputs.to_csv,
            Format.geojson: outputs.to_geojson,
            Format.table: located_text,
        }
        text = writers[form](results)
        if output is None:
            sys.stdout.write(text)
        else:
            write_atomic(output, text.encode(errors="backslashreplace"))
    if output is not None:
        _say(f"Written: {output}")


def _must_be_a_file(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give the name of a file to write")


def _require_training(what: str) -> None:
    from importlib.util import find_spec

    needed = ("torch", "torchvision", "timm", "lightning", "safetensors", "onnxscript", "tensorboard")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        from lostfound.errors import MissingExtraError

        raise MissingExtraError(
            f"{what}, and that needs the extra 'train' (not installed: {', '.join(missing)}): "
            "pip install 'lostfound[train]'"
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _fail(message: str, code: int = 1) -> NoReturn:
    _say(f"lostfound: {message}")
    raise SystemExit(code)


def main() -> None:
    """Run a command: exit code 0 done, 1 failed, 2 wrong usage."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # for odd file names
        try:
            app(arguments, prog_name="lostfound")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who read our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        if debug:
            raise
        _fail(*_explain(error))


def _explain(error: Exception) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    if isinstance(error, LostFoundError):
        return str(error), 2 if isinstance(error, UsageError) else 1
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", 1
    return f"unexpected {type(error).__name__}: {error} (--debug shows where; please report it)", 1
