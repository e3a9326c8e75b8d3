"""`lostfound quantize`: a model that computes in eight bits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import DatasetFolder, example, say

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(epilog=example("lostfound quantize model data/streets --to model-int8 --max-loss 0.02"))
def quantize(
    model: Annotated[Path, typer.Argument(metavar="MODEL", hidden=True)],
    dataset: DatasetFolder,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the new model.")],
    max_loss: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="The share of right answers that may be lost; if more is, nothing is written.",
            min=0,
            max=1,
        ),
    ] = 0.01,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Where the loss is measured: val by default.")
    ] = "val",
    images: Annotated[
        int, typer.Option(metavar="N", help="Training images that tell how large activations are.", min=1)
    ] = 256,
) -> None:
    """Make a model compute in eight bits, and measure the loss.

    MODEL and DATASET are their folders. The new model answers, and is measured, as any other; the original
    stays as it is. How much quicker it is here, `lostfound bench` says of both. Needs the extra train.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.models.quantize import quantize as make

    made = make(model, Dataset.open(dataset), to, max_loss=max_loss, split=split, images=images)
    about = made.config["quantized"]
    say(
        f"Model: {made.path}, in eight bits: {about['lost']:.2%} of right answers lost on the {split} split "
        f"(95 % interval {about['lost_low']:.2%} to {about['lost_high']:.2%})"
    )
    say(f"How quick it is here: lostfound bench {made.path}")
