"""The commands of `lostfound collect`."""

from __future__ import annotations

import typer

from lostfound.cli.collect import browser, services
from lostfound.cli.common import example

collect = typer.Typer(
    help="Collect street images from official APIs into a data set.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("lostfound collect streetview -h"),
)
collect.add_typer(services.COMMANDS)
collect.add_typer(browser.COMMANDS)
