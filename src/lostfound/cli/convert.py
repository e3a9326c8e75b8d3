"""`lostfound convert`: published models as model folders."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import example, require_training, say

COMMANDS = typer.Typer(rich_markup_mode=None)


class Precision(StrEnum):
    """Of a graph's weights."""

    fp32 = "fp32"
    fp16 = "fp16"
    fp16_weights = "fp16-weights"
    int8_weights = "int8-weights"
    int8 = "int8"


@COMMANDS.command(
    epilog=example(
        "lostfound convert geoclip --weights geoclip-1.3.0.whl --backbone clip-vit-large-patch14 --to geoclip"
    )
)
def convert(
    name: Annotated[str, typer.Argument(metavar="NAME", hidden=True)],
    to: Annotated[Path, typer.Option(metavar="MODEL", help="Folder of the model, new.")],
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="Folder, wheel or file with the weights; or hf://OWNER/NAME@REVISION."
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="The same of the network that it stands on, in transformers' layout."
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(metavar="fp32|fp16-weights|int8-weights|fp16|int8", help="Of the weights that answer."),
    ] = Precision.fp32,
    exact_upstream: Annotated[
        bool,
        typer.Option(
            "--exact-upstream",
            help="Do as the original does, also where it errs: equal places of GeoCLIP's gallery stay apart; "
            "one of StreetCLIP's cities speaks for its country; PLONK's samples take 250 steps.",
        ),
    ] = False,
) -> None:
    """Turn a published model into a model folder.

    NAME is geoclip, osv5m, streetclip, plonk or image-classifier (any whose labels are countries or cities).
    Nothing is downloaded unless it is named with hf://; files that are pickled are read as tensors alone, and
    refused where they hold more. The folder says what it was made of, by hash, and under which licence.
    """
    require_training("converting writes a graph")
    from lostfound.models.published.convert import convert as make

    model = make(
        name,
        to,
        weights=weights,
        backbone=backbone,
        precision=precision.value,
        exact_upstream=exact_upstream,
    )
    about = model.config["published"]
    say(f"Model: {model.path}, {about['model']}, licence {about['license']}")
    if gallery := about.get("gallery"):
        say(
            f"Gallery: {gallery['rows']} rows, {gallery['places']} places (equal coordinates "
            f"{gallery['equal_coordinates']})"
        )
    if prompts := about.get("prompts"):
        say(f"Asked in words: {prompts['countries']} countries, {prompts['cities']} cities")
    if samples := about.get("samples"):
        say(f"Draws {samples['each']} places a photo, in {samples['steps']} steps")
    if not about["commercial_use"]:
        say(f"Its licence, {about['license']}, does not allow commercial use")
    if left_out := about.get("labels_left_out"):
        say(f"Labels that are no places, left out: {', '.join(left_out)}")
    say(f'For radii, and to say "I don\'t know": lostfound calibrate {model.path} DATASET --split all')
