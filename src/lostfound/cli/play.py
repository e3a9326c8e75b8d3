"""`lostfound play`: how well do people do?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lostfound.cli.common import example, must_be_a_file, say, show
from lostfound.errors import UsageError

if TYPE_CHECKING:
    from lostfound.play.settings import GameSettings

COMMANDS = typer.Typer(rich_markup_mode=None)
_FOLDER = Path("lostfound-play")


@COMMANDS.command(
    epilog=example(
        "lostfound play data/streets --model models/mine --lan",
        "lostfound play --to lostfound-play --export people.parquet",
    )
)
def play(
    dataset: Annotated[Path | None, typer.Argument(metavar="DATASET", hidden=True)] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Plays too, and pictures are shown as it sees them; starter, or a folder."
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="countries, which are typed; cities, buttons; or map, a click."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A published protocol: lost-and-found, or eight-cities."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(metavar="N", help="Rounds that count; 50 by default.", min=1)
    ] = None,
    practice: Annotated[
        int | None,
        typer.Option(metavar="N", help="Rounds before them, which show the truth; 25 by default.", min=0),
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Size of the pictures, as 130x80; the model's, or as they are stored."
        ),
    ] = None,
    views: Annotated[
        int | None, typer.Option(metavar="N", help="Pictures of a place in a round, at most.", min=1, max=12)
    ] = None,
    timer: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds for a round; no limit by default.", min=1)
    ] = None,
    cells: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|MODEL", help="What cities are chosen from: a partition, or a model's; --model's."
        ),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Show the true place after practice alone, or always; always on the map by default.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Places of: train, val or test; or all.")
    ] = "test",
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed draws other places.", min=0)] = 0,
    leaderboard: Annotated[
        bool, typer.Option("--leaderboard", help="The last page lists all who have finished.")
    ] = False,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the records of the study.")] = _FOLDER,
    lan: Annotated[
        bool, typer.Option("--lan", help="Phones in the same network may join; shows a QR code.")
    ] = False,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where it listens; this machine alone by default.")
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", help="0 takes a free one.", min=0, max=65535)] = 8001,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what was answered as predictions, Parquet or CSV, and serve nothing."
        ),
    ] = None,
    players: Annotated[
        list[str],
        typer.Option("--player", metavar="NAME", help="Export this one alone; may be given again."),
    ] = [],  # noqa: B006  # Typer reads it
    without_known: Annotated[
        bool, typer.Option("--without-known", help="Export no places that a player knew.")
    ] = False,
) -> None:
    """Play where-was-this, to measure how well people do.

    DATASET is a data set's folder. Serves a game on this machine; each guess is kept in FOLDER before the
    player is told anything, and the same command goes on with a study that was stopped. With --export,
    writes one file a player that `lostfound evaluate --predictions` reads, also while it is played.
    """
    if export is not None:
        _export(to, export, players, without_known=without_known)
        return
    if dataset is None:
        raise UsageError("nothing to play with: give DATASET (or --export FILE for what was played)")
    if players or without_known:
        raise UsageError("--player and --without-known go with --export FILE")
    from lostfound.play.settings import Mode, ShowTruth, parse_pixels
    from lostfound.play.settings import preset as protocol

    own = {
        "mode": _choice("--mode", mode, list(Mode)),
        "rounds": rounds,
        "practice": practice,
        "pixels": None if pixels is None else parse_pixels(pixels),
        "views": views,
        "timer_s": timer,
        "show_truth": _choice("--truth", truth, list(ShowTruth)),
    }
    asked: dict[str, Any] = {
        **protocol(preset),
        **{name: value for name, value in own.items() if value is not None},
    }
    asked |= {"seed": seed, "split": split, "leaderboard": leaderboard}
    where = host or ("0.0.0.0" if lan else "127.0.0.1")  # noqa: S104
    _serve(dataset, model, cells, asked, to, where, port, open_page)


def _export(folder: Path, file: Path, players: list[str], *, without_known: bool) -> None:
    from lostfound.play.export import CELLS, export

    must_be_a_file(file)
    for player, written in export(folder, file, players, without_known=without_known).items():
        show(f"{player}: {written}")
    if (folder / CELLS).is_file():
        say(f"To score them: lostfound evaluate --predictions FILE --truth DATASET --cells {folder / CELLS}")


def _serve(
    data: Path,
    model: str | None,
    cells: Path | None,
    asked: dict[str, Any],
    to: Path,
    host: str,
    port: int,
    open_page: bool,
) -> None:
    from lostfound.claims import holding
    from lostfound.data.dataset import Dataset
    from lostfound.play import start
    from lostfound.play.opponents import open_opponent
    from lostfound.play.settings import Mode
    from lostfound.predict.cells import read_cells
    from lostfound.serve import run

    opponent = None if model is None else open_opponent(model)
    settings = _settings(asked, opponent)
    partition = None
    if settings.mode is Mode.cities:
        if cells is not None:
            partition = read_cells(cells)
        elif opponent is not None:
            partition = opponent.locator.model.partition
    dataset = Dataset.open(data)
    with holding(to, start.busy(to)):
        own = run.bind(host, port)
        alone = run.is_loopback(own)
        join = None if alone else start.lan_address(own.getsockname()[1])
        study = start.open_study(dataset, settings, to, partition, opponent, join)
        show(f"Playing {dataset.name} at {run.address(own)} (Ctrl-C ends it)", flush=True)
        say(f"Records: {to}")
        if join is not None:
            show(f"Phones in the same network: {join}\n{start.qr_text(join)}", flush=True)
        if not alone:
            say("It listens beyond this machine: whoever reaches it may play, over plain HTTP")
        if open_page:
            import webbrowser

            webbrowser.open(run.address(own))
        start.serve_study(study, own)


def _settings(asked: dict[str, Any], opponent: Any) -> GameSettings:
    """What is asked for, with what follows from it."""
    from lostfound.play.settings import GameSettings, Mode, ShowTruth

    if "show_truth" not in asked and asked.get("mode") is Mode.map:
        asked["show_truth"] = ShowTruth.always
    if "pixels" not in asked and opponent is not None:
        preprocessing = opponent.locator.model.preprocessing
        asked["pixels"] = (preprocessing.width, preprocessing.height)
    return GameSettings(**asked)


def _choice(option: str, text: str | None, known: list[Any]) -> Any:
    if text is None or text in known:
        return None if text is None else type(known[0])(text)
    raise UsageError(f"{option} {text}: choose of {', '.join(each.value for each in known)}")
