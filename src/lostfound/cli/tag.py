"""`lostfound tag`: estimates written back to photos, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import example, say, show
from lostfound.errors import UsageError
from lostfound.texts import shown_name

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(epilog=example("lostfound tag results --dry-run", "lostfound tag results --max-radius 500"))
def tag(
    folder: Annotated[Path, typer.Argument(metavar="RESULTS", hidden=True)],
    min_probability: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Only answers at least so probable; 0.5 unless --max-radius is given.",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    max_radius: Annotated[
        float | None,
        typer.Option(metavar="KM", help="Only answers that nine times in ten are off by no more.", min=0.0),
    ] = None,
    exif: Annotated[
        bool,
        typer.Option(
            "--exif/--xmp-sidecar",
            help="Into the EXIF of JPEG files, by ExifTool; or in XMP sidecars beside photos of any kind.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back all that was written.")] = False,
) -> None:
    """Write estimates back to photos, marked; undo it.

    RESULTS is a folder that `lostfound locate --to` wrote. A photo that states a position, has a sidecar, or
    changed since is left alone. --undo restores every byte.
    """
    from lostfound.predict import tagging

    if undo:
        if exif or dry_run or min_probability is not None or max_radius is not None:
            raise UsageError("--undo takes back all that was written: give it alone")
        done = tagging.undo(folder)
        say(f"Undone: {len(done.written)} files")
    else:
        if min_probability is None:
            min_probability = 0.5 if max_radius is None else 0.0
        done = tagging.tag(
            folder,
            min_probability=min_probability,
            max_radius_km=max_radius,
            into_exif=exif,
            dry_run=dry_run,
        )
        if dry_run:
            for file in done.written:
                show(shown_name(file))
        say(f"{'Would write' if dry_run else 'Written'}: {len(done.written)} files")
        if done.kept:
            say(f"Tagged before: {done.kept}")
    for reason, count in tagging.reasons(done.skipped):
        say(f"Left alone: {count}, for {reason}")
