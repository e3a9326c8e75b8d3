"""`lostfound list` and `publish`: which images a data set holds, for others to use the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import DatasetFolder, example, must_be_a_file, say

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command("list", epilog=example("lostfound list data/streets --limit 10000 --to streets.txt"))
def list_(
    dataset: DatasetFolder,
    to: Annotated[Path, typer.Option(metavar="FILE", help="The list; one that exists is added to.")],
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Only so many images; all by default.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed gives another order.")] = 0,
) -> None:
    """Write the list of a data set's images, which pins a run.

    The list is a text file for git, with each image's id and hash. The order is shuffled and the same
    everywhere; images of a list that exists stay first, in their order, and new ones follow. `lostfound
    prepare --list` takes exactly these images, and fetches those that are missing.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.data.sharing.lists import DataList, write_list

    must_be_a_file(to)
    before = len(DataList.read(to)) if to.is_file() else 0
    written = write_list(Dataset.open(dataset), to, limit, seed)
    say(f"{to}: {len(written)} images, {len(written) - before} of them new")


@COMMANDS.command(
    epilog=example("lostfound publish data/streets hf://datasets/me/streets --unknown-license CC-BY-4.0")
)
def publish(
    dataset: DatasetFolder,
    target: Annotated[str, typer.Argument(metavar="TARGET", hidden=True)],
    unknown_license: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Licence of the images that state none; they are refused by default."
        ),
    ] = None,
    allow_license: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A licence that allows publication; may be given again."),
    ] = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out what may not be published, publish the rest.")
    ] = False,
) -> None:
    """Publish a data set in the Hugging Face Hub's format.

    TARGET is a new folder, or hf://datasets/OWNER/NAME to upload to the Hub, as a private data set. Images
    whose licence is unknown or forbids it are refused.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.data.sharing.publish import publish as publish_to

    where, images = publish_to(
        Dataset.open(dataset),
        target,
        licenses=allow_license or (),
        unknown_as=unknown_license,
        leave_out=leave_out,
    )
    say(f"Published {images} images: {where}")
