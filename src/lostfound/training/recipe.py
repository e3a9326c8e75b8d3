"""Recipes of trainings: YAML files with named variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import takewhile
from pathlib import Path
from typing import Any

from lostfound.errors import RecipeError
from lostfound.settings import packaged_names, parse_override, parse_settings, read_recipe, set_key
from lostfound.training.settings import Recipe

RECIPES: Traversable = files("lostfound") / "recipes" / "training"
"""The folder of the recipes in the package."""


def load_recipe(
    name: str | Path, overrides: Sequence[str] | Mapping[str, Any] = (), *, variant: str | None = None
) -> Recipe:
    """Read and validate a recipe.

    Args:
        name: The name of a recipe in the package, such as "countries", or the path of a YAML file.
        overrides: Settings to change after the variant's: texts such as "trainer.epochs=3", whose values are
            read as YAML, or a mapping of dotted keys to values.
        variant: One of the recipe's own named variants, or several, such as "regions+laptop".

    Raises:
        RecipeError: It is missing, is no YAML, has no such variant, or has an unknown key (the nearest known
            one is named) or a wrong value.

    Examples:
        >>> from lostfound.training.recipe import load_recipe
        >>> load_recipe("countries", ["trainer.epochs=3"]).trainer.epochs
        3
        >>> load_recipe("cities", {"seed": 1}, variant="laptop").model.backbone
        'mobilenetv2_100'
    """
    values = _read(name)
    variants = values.pop("variants", None) or {}
    for each in variant.split("+") if variant is not None else ():
        if each not in variants:
            known = ", ".join(variants) or "none"
            raise RecipeError(f"recipe {name} has no variant {each!r}; it has: {known}")
        _merge(values, variants[each], f"variant {each}")
    if isinstance(overrides, Mapping):
        _merge(values, overrides, "the overrides")
    else:
        for override in overrides:
            _set(values, *parse_override(override))
    return parse_recipe(values, str(name) if variant is None else f"{name}, variant {variant}")


@dataclass(frozen=True)
class PackagedRecipe:
    """What there is to know of a recipe before it is read.

    Attributes:
        name: As `load_recipe` takes it.
        about: What it trains.
        variants: The names of its variants.
    """

    name: str
    about: str
    variants: tuple[str, ...]


def packaged_recipes() -> list[PackagedRecipe]:
    """The recipes in the package, by name."""
    found = []
    for name in packaged_names(RECIPES):
        text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
        lines = takewhile(lambda line: line.strip("# "), text.splitlines())
        about = " ".join(line.strip("# ") for line in lines if line.startswith("#"))
        found.append(PackagedRecipe(name, about, tuple(_read(name).get("variants") or ())))
    return found


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Validate a recipe's values.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    task = values.get("task")
    if isinstance(task, dict) and "kind" not in task:
        values = {**values, "task": {"kind": "classify", **task}}
    return parse_settings(Recipe, values, where)


def _read(name: str | Path) -> dict[str, Any]:
    values = read_recipe(name, RECIPES)
    if not isinstance(values.get("variants") or {}, dict):
        raise RecipeError(f"{name}: variants must be a mapping of names to settings")
    return values


def _merge(values: dict[str, Any], changes: Any, where: str) -> None:
    """Change values by a mapping whose keys are dotted, or sections, or both."""
    if not isinstance(changes, Mapping):
        raise RecipeError(f"{where} must be a mapping of settings")
    changes = dict(changes)
    task = changes.get("task")
    for key in ("kind", "partition"):  # they come first: they decide what else there is
        if f"task.{key}" in changes:
            _set(values, f"task.{key}", changes.pop(f"task.{key}"))
        elif isinstance(task, Mapping) and key in task:
            _set(values, f"task.{key}", task[key])
    for key, value in changes.items():
        section = values.get(key)
        if isinstance(value, Mapping) and isinstance(section, dict) and "." not in key:
            values[key] = {**section, **value}
        else:
            _set(values, key, value)


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; another kind of task or of partition starts from its own defaults."""
    task = values.get("task") or {}
    if key == "task.kind" and task.get("kind", "classify") != value:
        values["task"] = {}
    if key == "task.partition" and task.get("partition", "countries") != value:
        values["task"] = {name: own for name, own in task.items() if name != "settings"}
    set_key(values, key, value)
