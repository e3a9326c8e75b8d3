"""`lostfound list` and `publish`: data sets and models for others to use the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import DatasetFolder, example, must_be_a_file, say
from lostfound.errors import UsageError

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
    epilog=example(
        "lostfound publish data/streets hf://datasets/me/streets --unknown-license CC-BY-4.0",
        "lostfound publish models/mine hf://me/mine --report report --license Apache-2.0",
    )
)
def publish(
    what: Annotated[Path, typer.Argument(metavar="DATASET|MODEL", hidden=True)],
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
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Of a model: what `evaluate --to` wrote, for the numbers in its card; may be given again.",
        ),
    ] = None,
    license: Annotated[  # noqa: A002
        str | None, typer.Option(metavar="NAME", help="Of a model: under which licence it is.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Let anybody see it on the Hub.")] = False,
) -> None:
    """Publish a data set or a model in the Hub's format.

    TARGET is a new folder, or hf://datasets/OWNER/NAME for a data set and hf://OWNER/NAME for a model to
    upload to the Hub, where it is private. Images whose licence is unknown or forbids it are refused.
    """
    from lostfound.hub import is_on_hub
    from lostfound.predict.model_folder import CONFIG

    if is_on_hub(what) or (what / CONFIG).is_file():
        if unknown_license or allow_license or leave_out:
            raise UsageError(
                f"{what} is a model: --unknown-license, --allow-license and --leave-out are for data sets"
            )
        _publish_model(what, target, report or (), license, public)
        return
    if report or license:
        raise UsageError(f"{what} is no model folder: --report and --license are for models")
    from lostfound.data.dataset import Dataset
    from lostfound.data.sharing.publish import publish as publish_to

    where, images = publish_to(
        Dataset.open(what),
        target,
        licenses=allow_license or (),
        unknown_as=unknown_license,
        leave_out=leave_out,
        public=public,
    )
    say(f"Published {images} images: {where}")


def _publish_model(
    model: Path,
    target: str,
    reports: Sequence[Path],
    license: str | None,  # noqa: A002
    public: bool,
) -> None:
    from lostfound.evaluation.publish import publish_model

    made = publish_model(model, target, reports=reports, license=license, public=public)
    say(f"Published: {made.where}")
    if not made.metrics:
        say("Its card has no numbers: add --report FOLDER, which `lostfound evaluate --to FOLDER` wrote")
    if made.license is None:
        say("Its card names no licence, so nobody may use it: add --license NAME")
