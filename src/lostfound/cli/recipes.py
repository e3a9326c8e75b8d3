"""`lostfound recipes`: what can be trained, and what can be set."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from lostfound.cli.common import AsJson, complete_recipe, example

COMMANDS = typer.Typer(rich_markup_mode=None)


@COMMANDS.command(epilog=example("lostfound recipes", "lostfound recipes london --variant square"))
def recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="RECIPE", hidden=True, autocompletion=complete_recipe)
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A variant that the recipe names; several as A+B."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the recipes in the package, or all settings of one.

    RECIPE is a recipe's name or a YAML file. Each setting is a key of `lostfound train RECIPE --set
    KEY=VALUE`; what the recipe leaves out has its default.
    """
    from lostfound.cli.output.tables import make_console, make_table, print_json
    from lostfound.errors import UsageError
    from lostfound.settings import describe_settings
    from lostfound.training.recipe import load_recipe, packaged_recipes

    if name is None:
        if variant is not None:
            raise UsageError(f"--variant {variant} of which recipe? lostfound recipes lists them")
        known = packaged_recipes()
        if as_json:
            print_json({each.name: {"about": each.about, "variants": each.variants} for each in known})
            return
        table = make_table("recipe", "what it trains", "variants")
        for each in known:
            table.add_row(each.name, each.about, ", ".join(each.variants))
        make_console().print(table)
        return
    settings = list(describe_settings(load_recipe(name, variant=variant)))
    if as_json:
        print_json(
            {each.key: {"value": _plain(each.value), "default": _plain(each.default)} for each in settings}
        )
        return
    table = make_table("setting", "here", "default", "meaning")
    for setting in settings:
        own = setting.value != setting.default
        here, default = (_written(value) for value in (setting.value, setting.default))
        default = "required" if setting.required else default
        table.add_row(setting.key, here if own else "", default, setting.meaning)
    make_console().print(table)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    return json.loads(json.dumps(value, default=lambda each: each.model_dump(mode="json")))


def _written(value: Any) -> str:
    """A value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(_plain(value))
