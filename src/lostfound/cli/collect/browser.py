"""`lostfound collect browser`: pictures and true places from a game or viewer whose operator allows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lostfound.cli.collect.options import To
from lostfound.cli.common import AsJson, Jobs, example, show
from lostfound.cli.output.collect import print_browser_summary

if TYPE_CHECKING:
    from lostfound.collect.browser.window import BrowserSettings

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(
    epilog=example("lostfound collect browser game.yaml --to data/game --rounds 200 --workers 4")
)
def browser(
    profile: Annotated[Path, typer.Argument(metavar="PROFILE", hidden=True)],
    to: To,
    rounds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Rounds to store, over all runs; until Ctrl-C by default.", min=1),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="Browsers side by side.", min=1, max=32)] = 1,
    pace: Annotated[
        float,
        typer.Option(metavar="S", help="Seconds from one round's beginning to the next, at least.", min=0),
    ] = 1.0,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="Shorter side of the stored images; as shown by default.", min=16
        ),
    ] = None,
    browser: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The browser; the first Chromium or Chrome on PATH by default."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the browser on the screen.")] = False,
    timeout: Annotated[float, typer.Option(metavar="S", help="Seconds to wait for one step.", min=1)] = 30.0,
    patience: Annotated[
        float, typer.Option(metavar="S", help="Seconds without any round, while the site is away.", min=0)
    ] = 900.0,
    jobs: Jobs = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Play one round of one game; say what each step found.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Collect from a game or viewer with a browser.

    PROFILE is a YAML file that describes the site; see docs/collect-browser.md. Only for sites whose
    operator allows it: the profile says who does, and where that is written. A run that was stopped goes on
    with the same command.
    """
    from lostfound.collect.browser.profile import load_profile
    from lostfound.collect.browser.window import BrowserSettings, find_browser
    from lostfound.collect.collection import FOLDER, open_collection

    site = load_profile(profile)
    settings = BrowserSettings(
        site, site.read_secrets(), find_browser(browser, show=show), to / FOLDER, show, timeout
    )
    if dry_run:
        _try_profile(profile, settings)
        return
    from lostfound.collect.browser.run import collect_with_browsers
    from lostfound.collect.browser.runner import BrowserLimits

    shown = {"site": site.site, "viewport": [site.viewport.width, site.viewport.height]}
    smallest = min(site.viewport.width, site.viewport.height)
    with open_collection(to, site.source, shown, size=size or smallest) as collection:
        limits = BrowserLimits(rounds, workers, pace, patience)
        summary = collect_with_browsers(collection, settings, limits, jobs=jobs)
    print_browser_summary(summary, as_json=json)


def _try_profile(path: Path, settings: BrowserSettings) -> None:
    """Play one round, and say what each step finds."""
    from lostfound.collect.browser.check import check_profile

    settings.work.mkdir(parents=True, exist_ok=True)
    show(f"Dry run of {path} on {settings.profile.site}; nothing is stored:\n")
    check_profile(settings, lambda step, found: show(f"  {step:20} {found}", flush=True))
    show("\nEvery step found what it looks for.")
