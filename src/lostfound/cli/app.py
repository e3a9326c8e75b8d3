"""The command line: one thin function per command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import errno
import gc
import os
import sys
from copy import copy
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command_name

from lostfound.cli import (
    answer,
    bench,
    calibrate,
    convert,
    data,
    explain,
    people,
    play,
    quantize,
    recipes,
    report,
    results,
    serve,
    share,
    study,
    tag,
    train,
)
from lostfound.cli.collect.app import collect
from lostfound.cli.common import example, fail, require_training, say, show
from lostfound.cli.gallery import gallery
from lostfound.cli.partition import partition
from lostfound.errors import LostFoundError, UsageError
from lostfound.files import FULL
from lostfound.progress import QUIET

_SAME_COMMAND = "what was finished is kept, and the same command goes on"
_AFTER_CTRL_C = {
    "collect": _SAME_COMMAND,
    "compare": _SAME_COMMAND,
    "demo": _SAME_COMMAND,
    "explain": "features of a data set that were computed are kept, and the same command goes on",
    "import": _SAME_COMMAND,
    "locate": "with --to, what was answered is kept, and the same command goes on",
    "play": _SAME_COMMAND,
    "prepare": _SAME_COMMAND,
    "publish": _SAME_COMMAND,
    "tag": "what was written is in the journal: the same command goes on, and --undo takes it back",
    "train": "the same command with --resume goes on after the last finished epoch",
    "tune": _SAME_COMMAND,
}

_REMEDIES = {
    **dict.fromkeys(FULL, ": free some room, or choose another disk, and run the same command again"),
    errno.ENAMETOOLONG: ": choose a shorter one",
}
"""What to do about errors of the system."""


class _StoppedError(LostFoundError):
    """Ctrl-C ended a command."""


class _Commands(TyperGroup):
    """The commands; Ctrl-C ends each with a word on how to go on."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            after = _AFTER_CTRL_C.get(ctx.invoked_subcommand or "", "nothing was written")
            raise _StoppedError(f"stopped; {after}") from None


app = typer.Typer(
    name="lostfound",
    cls=_Commands,
    help="Tells where a photo was taken from its pixels alone, and trains the models that do it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"{example('lostfound demo')}\n\n"
    "Exit codes: 0 done, 1 some or all of it failed, 2 wrong use, 130 stopped by Ctrl-C.",
)
app.add_typer(data.COMMANDS)
app.add_typer(share.COMMANDS)
app.add_typer(collect, name="collect")
app.add_typer(partition, name="partition")
app.add_typer(recipes.COMMANDS)
app.add_typer(train.COMMANDS)
app.add_typer(study.COMMANDS)
app.add_typer(calibrate.COMMANDS)
app.add_typer(convert.COMMANDS)
app.add_typer(quantize.COMMANDS)
app.add_typer(gallery, name="gallery")
app.add_typer(answer.COMMANDS)
app.add_typer(results.COMMANDS)
app.add_typer(tag.COMMANDS)
app.add_typer(bench.COMMANDS)
app.add_typer(report.COMMANDS)
app.add_typer(explain.COMMANDS)
app.add_typer(serve.COMMANDS)
app.add_typer(play.COMMANDS)
app.add_typer(people.COMMANDS)


def _print_version(wanted: bool) -> None:
    if wanted:
        import lostfound

        show(f"lostfound {lostfound.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress and no notes: results and errors alone; anywhere.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of all commands; main() and a callback act on them."""


@app.command(epilog=example("lostfound demo", "lostfound demo --train"))
def demo(
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For all that it makes; lostfound-demo by default, lostfound-demo-trained with --train.",
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Your own photos, in the place of those in the package."),
    ] = None,
    train: Annotated[
        bool,
        typer.Option(
            "--train",
            help="The whole way: draw a world of streets, prepare it, and train, measure and use a model.",
        ),
    ] = False,
    places: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --train: places of the generated world; 960.", min=50),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --train: epochs; as many as its recipe says by default.", min=1),
    ] = None,
) -> None:
    """Show what it does, offline, in under a minute.

    Locates a few pictures with the starter in the package, compares the answers with where they are, explains
    one, and leaves a map and a report. With --train, which needs the extra 'train': the whole way on a
    generated world, in under five minutes on two cores; stopped, it goes on with the same command.
    """
    if not train:
        if places is not None or epochs is not None:
            raise UsageError("--places and --epochs are the training's: give --train with them")
        to = to or Path("lostfound-demo")
        say(f"The demo, in four parts; what it makes goes to {to}")  # before seconds of loading
        from lostfound.cli.demo import run_demo

        run_demo(to, photos)
        return
    if photos is not None:
        raise UsageError("--train draws its own pictures: leave --photos out (`lostfound train` takes yours)")
    require_training("the demo trains a model")
    from lostfound.cli.demo_training import run_training_demo

    run_training_demo(to or Path("lostfound-demo-trained"), places=places or 960, epochs=epochs)


def main() -> None:
    """Run a command: exit code 0 done, 1 some or all of it failed, 2 wrong use, 130 stopped by Ctrl-C."""
    # Memory that Arrow's own allocator frees it keeps; the system's, NumPy and Python take up again.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Or pydantic would look into every installed package for plugins, 2 to 9 ms, and load what it finds.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Or the garbage collector would take an eighth of a short training (benchmarks/results/garbage.md).
    gc.set_threshold(10_000)
    arguments, anywhere = _taken_out(sys.argv[1:], "--debug", "--quiet")
    debug = "--debug" in anywhere
    if "--quiet" in anywhere:
        os.environ[QUIET] = "1"  # also for the processes that are started
    try:
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # for odd file names
        try:
            _narrowed(arguments)(arguments, prog_name="lostfound")
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who read our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        if debug:
            raise
        fail(*_explain(error))


def _narrowed(arguments: list[str]) -> typer.Typer:
    """The app with the command that is named alone: to build all of them takes as long as some answers."""
    named = next((each for each in arguments if not each.startswith("-")), None)
    for group in app.registered_groups:
        commands = group.typer_instance.registered_commands if group.typer_instance else []
        names = [each.name or get_command_name(each.callback.__name__) for each in commands if each.callback]
        if named in ([group.name] if group.name else names):
            narrow = copy(app)
            narrow.registered_groups, narrow.registered_commands = [group], []
            return narrow
    return app


def _taken_out(arguments: list[str], *options: str) -> tuple[list[str], set[str]]:
    """The arguments without options that may stand anywhere before a `--`, and which of them there were."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    found = {each for each in arguments[:end] if each in options}
    return [*(each for each in arguments[:end] if each not in found), *arguments[end:]], found


def _explain(error: Exception) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    if isinstance(error, _StoppedError):
        return str(error), 130  # 128 and the signal's number, as shells say it
    if isinstance(error, LostFoundError):
        return str(error), 2 if isinstance(error, UsageError) else 1
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}{_REMEDIES.get(error.errno or 0, '')}", 1
    return f"unexpected {type(error).__name__}: {error} (--debug shows where; please report it)", 1
