"""`lostfound serve`: locating as a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from lostfound.cli.common import DeviceOption, example, say, say_starter, show
from lostfound.errors import UsageError

COMMANDS = typer.Typer(rich_markup_mode=None)
_MB = 2**20


@COMMANDS.command(epilog=example("lostfound serve --open"))
def serve(
    models: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="NAME=PATH",
            help="A model folder, or hf://OWNER/NAME@REVISION, and what requests call it; may be given "
            "several times; the first answers where none is named. By default the starter in the package.",
            show_default=False,
        ),
    ] = [],  # noqa: B006  # Typer reads it
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where it listens: this machine alone by default; 0.0.0.0 is every network.",
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="0 takes a free one.", min=0, max=65535)] = 8000,
    workers: Annotated[
        int, typer.Option(metavar="N", help="Processes; one uses all cores, more outlive a crash.", min=1)
    ] = 1,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask for a bearer token, one of those in the file, one a line."),
    ] = None,
    cors: Annotated[
        list[str],
        typer.Option(
            metavar="ORIGIN",
            help="Pages of this origin may ask from a browser, as https://example.org; may be given "
            "several times.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    tiles: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Map tiles for the page, with {z}, {x} and {y}: visitors' browsers then ask that server.",
        ),
    ] = None,
    max_photos: Annotated[int, typer.Option(metavar="N", help="Photos of one request.", min=1)] = 64,
    max_bytes: Annotated[int, typer.Option(metavar="MB", help="Megabytes of one request.", min=1)] = 64,
    max_pixels: Annotated[
        int, typer.Option(metavar="N", help="Millions of pixels of one photo, decoded.", min=1)
    ] = 50,
    queue: Annotated[
        int,
        typer.Option(metavar="N", help="Photos that may wait in a process; more get the answer 429.", min=1),
    ] = 256,
    memory: Annotated[
        int, typer.Option(metavar="MB", help="Megabytes of photos that a process holds at once.", min=1)
    ] = 256,
    batch: Annotated[
        int, typer.Option(metavar="N", help="Photos that go through the network together at most.", min=1)
    ] = 8,
    device: DeviceOption = "cpu",
    deadline: Annotated[
        float, typer.Option(metavar="S", help="Seconds until a request gets the answer 504.", min=0.1)
    ] = 30.0,
    upload_time: Annotated[
        float, typer.Option(metavar="S", help="Seconds in which a request must have arrived.", min=0.1)
    ] = 60.0,
) -> None:
    """Answer over HTTP: an API, and a page to drop photos on.

    Photos are held in memory while they are answered, never written, never logged. Ctrl-C ends it; what is
    being answered is answered first.
    """
    from lostfound.predict.devices import providers_of
    from lostfound.serve import run
    from lostfound.serve.settings import ServerLimits, ServeSettings, parse_models, read_tokens

    providers_of(device)  # which is refused here rather than in every process
    settings = ServeSettings(
        models=parse_models(models),
        tokens=() if token_file is None else read_tokens(token_file),
        origins=tuple(_origin(each) for each in cors),
        tiles=None if tiles is None else _tiles(tiles),
        limits=ServerLimits(
            max_photos,
            max_bytes * _MB,
            max_pixels * 1_000_000,
            max(queue, max_photos) if queue == 256 else queue,
            max(memory, max_bytes) * _MB if memory == 256 else memory * _MB,
            batch,
            deadline,
            upload_time,
        ),
        device=device,
    )
    own = run.bind(host, port)
    _tell(settings.models[0][0], run.address(own), alone=run.is_loopback(own), token=bool(settings.tokens))
    if open_page:
        import webbrowser

        webbrowser.open(run.address(own))  # the socket listens: the browser waits for the server
    run.run(settings, own, workers=workers)


def _tell(model: str, address: str, *, alone: bool, token: bool) -> None:
    show(f"Serving {model} at {address} (Ctrl-C ends it)", flush=True)
    if model == "starter":
        say_starter()
    if not alone:
        who = "whoever has a token" if token else "whoever reaches this machine"
        say(
            f"It listens beyond this machine: {who} may ask it, over plain HTTP, which others on the way can "
            "read. Put a server with TLS before it (docs/serving.md)"
            + ("" if token else ", and give --token-file")
        )


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if text == "*" or (parts.scheme in ("http", "https") and parts.netloc and parts.path in ("", "/")):
        return text.rstrip("/")
    raise UsageError(f"--cors {text}: give an origin, such as https://example.org")


def _tiles(text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or not all(key in text for key in ("{z}", "{x}", "{y}"))
    ):
        raise UsageError(
            f"--tiles {text}: give an address such as https://tiles.example.org/{{z}}/{{x}}/{{y}}.png"
        )
    if any(letter in text for letter in " ;,'\""):
        raise UsageError(f"--tiles {text}: an address has no spaces, quotes, commas or semicolons")
    return text
