"""`lostfound bench`: how quick a model is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import AsJson, DeviceOption, example

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(epilog=example("lostfound bench models/mine --photos holiday"))
def bench(
    model: Annotated[Path | None, typer.Argument(metavar="MODEL", hidden=True)] = None,
    photos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Photos to locate; by default generated ones of two sizes."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(metavar="N", help="How often each part is measured; the median counts.", min=1)
    ] = 5,
    device: DeviceOption = "cpu",
    as_json: AsJson = False,
) -> None:
    """Measure how quick a model is on this machine.

    MODEL is a model folder, or hf://OWNER/NAME; by default the starter in the package. What is printed can be
    pasted into an issue. Nothing else should run meanwhile: the load of the machine stands in the table.
    """
    from lostfound.cli.output.bench import print_bench
    from lostfound.cli.output.tables import print_json
    from lostfound.predict.bench import bench as measure
    from lostfound.predict.model_folder import STARTER
    from lostfound.predict.photos import find_photos

    found = measure(model or STARTER, find_photos([photos]) if photos else None, rounds=rounds, device=device)
    if as_json:
        print_json(found.as_dict())
        return
    print_bench(found)
