"""`lostfound evaluate` and `locate`: what models answer."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lostfound.cli.common import (
    Address,
    AsJson,
    DeviceOption,
    EngineName,
    complain,
    engine_of,
    example,
    fail,
    say,
    say_starter,
)
from lostfound.cli.input import STANDARD_INPUT, named_as_given, standard_input
from lostfound.cli.output.located import (
    Format,
    FormatOption,
    OutputOption,
    RawOption,
    format_of,
    write_located,
)
from lostfound.errors import RecipeError, UsageError
from lostfound.texts import shown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lostfound.data.dataset import Dataset
    from lostfound.data.labels import Role
    from lostfound.evaluation.evaluate import Evaluation
    from lostfound.predict.locator import Locator
    from lostfound.serve.client import Client

COMMANDS = typer.Typer(rich_markup_mode=None)


class Unit(StrEnum):
    """What `lostfound evaluate` scores."""

    image = "image"
    place = "place"


class Point(StrEnum):
    """Which point `lostfound locate` answers with."""

    best = "best"
    mean_distance = "mean-distance"
    median_distance = "median-distance"
    score = "score"


_RANKS, _RANKS_OF_REPORT = 5, 20
"""Cells that are kept of each answer: as many as the metrics need, and as the report's map of cells shows."""


@COMMANDS.command(
    epilog=example(
        "lostfound evaluate model data/streets --to report\n"
        "  lostfound evaluate --predictions theirs.csv --truth im2gps_places365.csv --rules geoestimation"
    )
)
def evaluate(
    model: Annotated[Path | None, typer.Argument(metavar="MODEL", hidden=True)] = None,
    dataset: Annotated[Path | None, typer.Argument(metavar="DATASET", hidden=True)] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Score these answers in the place of a model's: CSV or Parquet."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="TRUTH",
            help="Where the images of the predictions are: a data set, or a table with a name, latitude and "
            "longitude; left out where the predictions' own file says so.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE=NAME,...",
            help="The predictions' columns that are not known by their name: id, latitude, longitude, "
            "country, confidence.",
        ),
    ] = None,
    truth_columns: Annotated[
        str | None, typer.Option(metavar="ROLE=NAME,...", help="The same of the truth; also place.")
    ] = None,
    cells: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|MODEL", help="What the predictions' candidates are, where they are no countries."
        ),
    ] = None,
    rules: Annotated[
        str,
        typer.Option(
            metavar="RULES",
            help="Whose Earth, limits and rounding: ours, osv5m, geoestimation, geoclip or pigeon.",
        ),
    ] = "ours",
    unit: Annotated[
        Unit | None,
        typer.Option(
            metavar="image|place",
            help="Score each image, or each place by its views together; as it was trained by default.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="train, val or test; or all, for data it never saw.")
    ] = "test",
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="For the report and what it is made from.")
    ] = None,
    device: DeviceOption = "cpu",
    json: AsJson = False,
) -> None:
    """Measure a model, or anybody's predictions.

    MODEL and DATASET are their folders; it is measured on held-back places, with intervals. With --to, also
    writes report.html, a page that opens offline, beside metrics.json, predictions.parquet and confusion.png.
    With --predictions, answers of whoever it was are scored by the same metrics.
    """
    from lostfound.cli.output.models import print_evaluation
    from lostfound.data.dataset import Dataset
    from lostfound.data.labels import parse_names
    from lostfound.evaluation.evaluate import evaluate as measure
    from lostfound.evaluation.report.page import REPORT, write_report
    from lostfound.predict.locator import Locator

    partition, images = None, None
    if predictions is not None:
        if model is not None:
            raise UsageError("give a model and a data set, or --predictions with --truth: not both")
        names, true_names = parse_names(columns), parse_names(truth_columns)
        measured, images = _score_file(predictions, truth, names, true_names, rules, cells)
    elif model is None or dataset is None:
        raise UsageError("nothing to measure: give MODEL and DATASET, or --predictions FILE with --truth")
    elif any(each is not None for each in (truth, columns, truth_columns, cells)):
        raise UsageError("--truth, --columns and --cells go with --predictions: a model's answers need none")
    else:
        locator, images = Locator.load(model, device=device), Dataset.open(dataset)
        partition = locator.model.partition
        ranks = _RANKS if to is None else _RANKS_OF_REPORT
        measured = measure(
            locator, images, split, unit=None if unit is None else unit.value, ranks=ranks, rules=rules
        )
    print_evaluation(measured, as_json=json)
    if model is not None and images is not None:
        _say_left_out(locator.model.config, images, split)
    if to is not None:
        measured.save(to)
        page = write_report(measured, to / REPORT, partition=partition, dataset=images)
        say(f"Report: {page}")


def _say_left_out(config: Mapping[str, Any], images: Dataset, split: str) -> None:
    """Say which images a model's own recipe leaves out, and its card did not count."""
    from lostfound.cli.output.models import say_left_out
    from lostfound.settings import parse_settings
    from lostfound.training.settings import Data

    data = config.get("recipe", {}).get("data", {})
    with suppress(RecipeError):  # of another version: what it left out can't be told
        say_left_out(images, split, parse_settings(Data, data, "the model's recipe"))


def _score_file(
    file: Path,
    truth: Path | None,
    columns: Mapping[Role, str],
    truth_columns: Mapping[Role, str],
    rules: str,
    cells: Path | None,
) -> tuple[Evaluation, Dataset | None]:
    """Score a file of answers; and the data set that says where its images are, if one does."""
    from lostfound.data.dataset import Dataset
    from lostfound.data.labels import Labels
    from lostfound.evaluation.answer_files import beside, open_truth, read_answers
    from lostfound.evaluation.evaluate import score
    from lostfound.predict.cells import read_cells

    answers = read_answers(file, columns, None if cells is None else read_cells(cells))
    where = answers.truth if truth is None else open_truth(truth, truth_columns)
    if where is None:
        raise UsageError(f"{file} doesn't say where its images are: add --truth with a data set or a table")
    found, left_out = beside(answers, where)
    for text in (*answers.notes, *(where.notes if isinstance(where, Labels) else ()), left_out):
        if text is not None:
            say(text)
    measured = score(found, where, by=file.stem, rules=rules)
    return measured, where if isinstance(where, Dataset) else None


@COMMANDS.command(
    epilog=example("lostfound locate holiday/ --same-trip --countries FR,ES --output holiday.html")
)
def locate(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", hidden=True)],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Folder of a model, or hf://OWNER/NAME@REVISION; by default the starter in the package.",
        ),
    ] = None,
    same_place: Annotated[
        bool, typer.Option("--same-place", help="All photos show one place: one answer for them together.")
    ] = False,
    same_trip: Annotated[
        bool,
        typer.Option(
            "--same-trip",
            help="Photos of one trip: those near in time (by EXIF, else in order) pull each other.",
        ),
    ] = False,
    top: Annotated[int, typer.Option(metavar="N", help="How many candidates.", min=1)] = 5,
    point: Annotated[
        Point | None,
        typer.Option(
            metavar="RULE",
            help="The point of the best candidate (best), or the one with the least expected distance "
            "(mean-distance), the least radius that holds half of the probability (median-distance), or the "
            "largest expected GeoGuessr score (score).",
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="PRIOR",
            help="What is known of where photos come from: training, uniform, population, a CSV file with "
            "country and share, or estimate, from all of these photos.",
        ),
    ] = None,
    countries: Annotated[
        str | None, typer.Option(metavar="FR,ES", help="Only these countries, by code or name.")
    ] = None,
    excluded: Annotated[
        str | None, typer.Option("--not", metavar="US", help="Countries that it isn't.")
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(metavar="S,W,N,E", help="Only in this box, degrees; W > E crosses the date line."),
    ] = None,
    near: Annotated[
        str | None, typer.Option(metavar="LAT,LON,KM", help="Only within so many kilometres of a place.")
    ] = None,
    always_answer: Annotated[
        bool, typer.Option("--always-answer", help='Never say "I don\'t know".')
    ] = False,
    min_probability: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            min=0,
            max=1,
            help='Say "I don\'t know" where the best candidate is less probable; by default where the '
            "model's calibration says.",
        ),
    ] = None,
    format: FormatOption = None,  # noqa: A002
    output: OutputOption = None,
    raw: RawOption = False,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Let a server answer that `lostfound serve` started; --model is then a name there.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The bearer token that the server asks for.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="RESULTS",
            help="Keep the answers in a folder, as they come: for any number of photos. The same command "
            "goes on after a stop, and asks new and changed photos alone.",
        ),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", help="With --to: folders within folders too.")
    ] = True,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="With --to: only photos like this, as '2019/*' or '*.heic'."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="With --to: no photos like this.")
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="With --to: of videos a frame every so often, as 2s or 1m."),
    ] = None,
    engine: EngineName = "local",
    address: Address = None,
    device: DeviceOption = "cpu",
) -> None:
    """Say where photos were taken.

    PHOTO is a file, a folder that is searched through, or - for a photo on standard input; there may be
    several. With --to it may also be a zip or tar archive, which is read in place, and with --every a video.
    Photos that can't be read are reported and the rest go on; the exit code is then 1. A position that a file
    has already plays no part in the answer, and is shown beside it.
    """
    if to is None and (include or exclude or every or not recursive or engine != "local"):
        raise UsageError(
            "--include, --exclude, --every, --engine and --no-recursive are for many photos: give --to "
            "RESULTS with them"
        )
    if to is not None and (same_place or same_trip or server is not None or prior == "estimate"):
        raise UsageError(
            "--to answers photos one by one, as they come: leave --same-place, --same-trip, --server and "
            "--prior estimate out"
        )
    if to is not None and STANDARD_INPUT in photos:
        raise UsageError("a photo on standard input has no name to be kept by: leave --to out")
    form = None if to is not None and output is None else format_of(format, output)
    restriction = {"countries": countries, "excluded": excluded, "box": box, "near": near}
    changes: dict[str, Any] = {"prior": prior, "always_answer": always_answer}
    changes |= {} if point is None else {"point": point.value}
    changes |= {} if min_probability is None else {"min_probability": min_probability}
    if to is not None:
        from lostfound.cli.results import locate_to
        from lostfound.predict.sources import Selection

        locator = _locator(model, device, restriction, **changes)
        selection = Selection(recursive, include or (), exclude or (), _every(every))
        with engine_of(engine, address) as where:
            locate_to(
                photos,
                to,
                locator,
                top=top,
                selection=selection,
                form=form,
                output=output,
                raw=raw,
                engine=where,
            )
        return
    if server is not None:
        if same_trip or device != "cpu":
            raise UsageError("--same-trip and --device are not for --server: leave them out")
        client = _client(server, token_file, model, **restriction, **changes)
        from lostfound.serve.client_photos import locate_photos_by

        by: dict[str, Any] = {"name": None if model is None else str(model), "server": server}
        answer = partial(locate_photos_by, client)
    else:
        locator = _locator(model, device, restriction, **changes)
        from lostfound.predict.photos import locate_photos
        from lostfound.predict.results import model_identity

        by = model_identity(locator)
        answer = partial(locate_photos, locator=locator, same_trip=same_trip)
    assert form is not None
    from lostfound.predict.photos import with_gps

    with standard_input(photos) as files:
        results = with_gps(answer(files, top=top, same_place=same_place))
        if form is not Format.map:  # whose pictures are read once more
            results = named_as_given(results, files, photos)
        write_located(results, form, output, raw=raw, same_place=same_place, model=by)
    failed = [each for each in results if each.guess is None]
    if failed and (form is not Format.table or output is not None):
        for each in failed:
            complain(f"{shown_name(each.photo)}: {each.error}")
    if failed:
        fail(f"{len(failed)} of {len(results)} photos could not be read")


def _every(text: str | None) -> float | None:
    """The seconds between two frames of a video, which can then be read."""
    if text is None:
        return None
    from lostfound.predict.videos import parse_every, require_video

    seconds = parse_every(text)
    require_video()
    return seconds


def _locator(
    model: Path | None, device: str, restriction: Mapping[str, str | None], **changes: Any
) -> Locator:
    """The model of this machine, answering as the options say."""
    from lostfound.predict.locator import Locator
    from lostfound.predict.model_folder import STARTER
    from lostfound.predict.restrictions import parse_restriction

    if model is None:
        say_starter()
    within = parse_restriction(**restriction)
    locator = Locator.load(model or STARTER, device=device).using(within=within, **changes)
    if terms := locator.model.terms:
        say(terms)
    if within is not None:
        say(f"Restricted: {within}")
    if without := locator.answerer.countries_without_cells:
        say(f"The model can't answer with {', '.join(without)}, which is left aside")
    return locator


def _client(url: str, token_file: Path | None, model: Path | None, **options: Any) -> Client:
    """The server, answering as the options say."""
    from lostfound.serve.client import Client
    from lostfound.serve.settings import read_tokens

    token = None if token_file is None else read_tokens(token_file)[0]
    client = Client(url, model=None if model is None else str(model), token=token)
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    return client.using(**given)
