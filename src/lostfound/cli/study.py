"""`lostfound compare` and `tune`: questions that take several trainings."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lostfound.cli.common import AsJson, example, fail, require_training
from lostfound.errors import MissingExtraError

COMMANDS = typer.Typer(rich_markup_mode=None)

Data = Annotated[Path | None, typer.Option(metavar="DATASET", help="For what names no data set of its own.")]

Weights = Annotated[
    str | None,
    typer.Option(metavar="FILE|MODEL|URL|hub", help="What a training starts from, unless the study says it."),
]
TrialWeights = Annotated[
    str | None, typer.Option(metavar="FILE|MODEL|URL|hub", help="What each training starts from.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of all; may be given again."),
]


class HoldOut(StrEnum):
    """What `lostfound compare` holds out."""

    source = "source"


@COMMANDS.command(
    epilog=example(
        "lostfound compare study.yaml --data data/streets --to study",
        "lostfound compare study.yaml --data data/streets --to foreign --hold-out source",
    )
)
def compare(
    study: Annotated[str, typer.Argument(metavar="STUDY", hidden=True)],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the models, their reports and the table.")],
    data: Data = None,
    weights: Weights = None,
    variant: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The recipe's variant for all of them; theirs come on top."),
    ] = None,
    set_: Settings = None,
    hold_out: Annotated[
        HoldOut | None,
        typer.Option(
            metavar="source",
            help="Train without each collection in turn, and judge on those left out: what a model is worth "
            "on photos of another origin.",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Deal the collections to N folds; up to ten alone, more to five.", min=2
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs and what is done.")] = False,
    json: AsJson = False,
) -> None:
    """Train variants of a recipe over seeds; compare them.

    STUDY is a YAML file, or the name of a study in the package, such as lost-and-found. Each variant is
    trained with each seed and judged on the test split; then one table has the means with intervals, and
    each difference from the baseline with its interval and p-value. Ctrl-C stops; the same command goes on
    with what is missing, and after a change of the study trains only what changed.
    """
    require_training("a study trains models")
    from lostfound.cli.output.studies import print_outcome, print_plan
    from lostfound.cli.output.tables import print_json
    from lostfound.predict.model_source import local_weights
    from lostfound.settings import parse_override
    from lostfound.studies.runs import plan
    from lostfound.studies.study import load_study

    loaded = load_study(
        study,
        variant=variant,
        changes=dict(map(parse_override, set_ or ())),
        hold_out=hold_out.value if hold_out else None,
        folds=folds,
    )
    runs = plan(loaded, to, data=data, weights=local_weights(weights))
    if dry_run:
        print_plan(runs)
        return
    from lostfound.studies.compare import run_study
    from lostfound.studies.report import as_dict

    outcome = run_study(loaded, runs, to)
    if json:
        print_json(as_dict(outcome))
    else:
        print_outcome(outcome, to)
    if outcome.failed:
        fail(f"{len(outcome.failed)} of {len(runs)} runs failed; the same command tries them again")


class Sampler(StrEnum):
    """How `lostfound tune` chooses settings."""

    grid = "grid"
    tpe = "tpe"


@COMMANDS.command(
    epilog=example("lostfound tune lost-and-found --space lost-and-found --data data/streets --to search")
)
def tune(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", hidden=True)],
    data: Annotated[Path, typer.Option(metavar="DATASET", help="Its test split is never looked at.")],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="For the database, logs, table and picture.")],
    space: Annotated[
        str,
        typer.Option(
            metavar="FILE|NAME",
            help="What to try: a YAML file, or lost-and-found (its grid of 15), or rates (ranges, for tpe).",
        ),
    ] = "lost-and-found",
    trials: Annotated[
        int | None,
        typer.Option(metavar="N", help="How many trainings; all of a grid, 30 by tpe.", min=1),
    ] = None,
    sampler: Annotated[
        Sampler | None,
        typer.Option(
            metavar="grid|tpe", help="Every combination, or what looks promising; grid where it can be."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Score on the validation split; the recipe's by default."),
    ] = None,
    variant: Annotated[str | None, typer.Option(metavar="NAME", help="A variant of the recipe.")] = None,
    set_: Settings = None,
    weights: TrialWeights = None,
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="End trials that fall behind the others early.")
    ] = True,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A database that machines share, such as postgresql+psycopg://USER@HOST/NAME (needs "
            "psycopg); SQLite in FOLDER/tune.db by default.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the search in the database; the recipe's.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run trials again that failed.")
    ] = False,
) -> None:
    """Search for a recipe's best settings by validation.

    RECIPE is the name of one in the package, or a YAML file. Ctrl-C stops; the same command goes on. Started
    again while it runs, here or on machines that share the database, it takes on trials that wait. Writes the
    table of the trials, a picture, and the best settings with the command that trains with them.
    """
    require_training("a search trains models")
    if find_spec("optuna") is None:
        raise MissingExtraError(
            "the search needs the extra 'tune' (optuna is not installed): pip install 'lostfound[train,tune]'"
        )
    from lostfound.cli.output.studies import print_search
    from lostfound.data.dataset import Dataset
    from lostfound.predict.model_source import local_weights
    from lostfound.settings import parse_override
    from lostfound.studies.search import Search, check_metric, default_metric
    from lostfound.studies.space import load_space
    from lostfound.studies.tune import tune as run
    from lostfound.training.recipe import load_recipe

    changes, tried = dict(map(parse_override, set_ or ())), load_space(space)
    metric = check_metric(metric or default_metric(load_recipe(recipe, changes, variant=variant)))
    search = Search(
        recipe=recipe,
        variant=variant,
        changes=changes,
        space=tried,
        data=Dataset.open(data),
        weights=local_weights(weights),
        to=to,
        metric=metric,
        trials=trials,
        sampler=(sampler or (Sampler.grid if tried.is_grid else Sampler.tpe)).value,
        prune=prune,
    )
    results, command = run(search, storage, name or Path(recipe).stem, retry_failed=retry_failed)
    print_search(search, results, command)
    if command is None:
        fail("no trial was trained to its end")
