"""What the commands share: arguments, options, and how they speak."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lostfound.errors import MissingExtraError, UsageError
from lostfound.progress import quiet
from lostfound.texts import shown

if TYPE_CHECKING:
    from lostfound.parallel.cluster import RayEngine


def example(*commands: str) -> str:
    """The end of a command's help, whose lines are kept as they are, to be copied."""
    return "\n".join(["\b", "Example:", *(f"  {each}" for each in commands)])


# Arguments are hidden from the list of options: the usage line shows them, the text explains them.
DatasetFolder = Annotated[Path, typer.Argument(metavar="DATASET", hidden=True)]
Jobs = Annotated[int | None, typer.Option(metavar="N", help="Processes; all cores by default.", min=1)]
EngineName = Annotated[
    str, typer.Option(metavar="ENGINE", help="Where images are worked on: local, or ray for a cluster.")
]
Address = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="The Ray cluster's; one of this machine by default.")
]
Remote = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the data set is kept, to fetch missing images of the list: a folder, https, s3, ...",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="What the network is computed on: cpu, cuda, openvino, coreml or directml; `lostfound bench` "
        "says which there are.",
    ),
]
Val = Annotated[float, typer.Option(metavar="SHARE", help="Share of the places for validation.")]
Test = Annotated[float, typer.Option(metavar="SHARE", help="Share of the places for the test.")]
SplitDistance = Annotated[float, typer.Option(metavar="KM", help="Places closer than this share a split.")]
SplitSeed = Annotated[int, typer.Option(metavar="N", help="Another seed divides the places otherwise.")]


def complete_recipe(incomplete: str) -> list[str]:
    """The names of recipes that begin so, for shells."""
    from lostfound.settings import packaged_names
    from lostfound.training.recipe import RECIPES

    return [each for each in packaged_names(RECIPES) if each.startswith(incomplete)]


def must_be_a_file(path: Path) -> None:
    """Refuse a folder where a file is to be written."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give the name of a file to write")


def engine_of(name: str, address: str | None) -> AbstractContextManager[RayEngine | None]:
    """The engine of that name; None stands for the processes of this machine."""
    if name == "ray":
        from lostfound.parallel.cluster import RayEngine

        return RayEngine(address)
    if name != "local":
        raise UsageError(f"no engine {name!r}: choose local or ray")
    if address is not None:
        raise UsageError("--address is a Ray cluster's: give --engine ray with it")
    return nullcontext()


def require_training(what: str) -> None:
    """Say how to install what training needs, where it is missing."""
    needed = ("torch", "torchvision", "timm", "lightning", "safetensors", "onnxscript", "tensorboard")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{what}, and that needs the extra 'train' (not installed: {', '.join(missing)}): "
            "pip install 'lostfound[train]'"
        )


def say_starter() -> None:
    """Say in a line that the starter answers, and where it is told how often it is wrong."""
    from lostfound.predict.model_folder import CARD, STARTER

    say(f"Model: the starter in the package, a small one that is often wrong: see {STARTER / CARD}")


def say(text: str) -> None:
    """Say something to the person, not to the next program in the pipe; nothing where quiet is wanted."""
    if not quiet():
        complain(text)


def complain(text: str) -> None:
    """Say what went wrong, also where quiet is wanted."""
    print(shown(text), file=sys.stderr)  # noqa: T201


def show(text: str = "", *, flush: bool = False) -> None:
    """Print a line of a command's result."""
    print(shown(text), flush=flush)  # noqa: T201


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with a message."""
    complain(f"lostfound: {message}")
    raise SystemExit(code)
